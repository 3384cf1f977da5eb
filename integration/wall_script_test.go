package integration

import (
	"fmt"
	"strings"
)

// attempt is one attack, as data. What its signs mean:
//
//	⏎ CRLF    ␍ CR    ␊ LF    ␀ NUL    ␉ TAB
//	‖ the octets before it and those behind it are two packets
//	⌛ wait for an answer (tagged, "+", BYE or an untagged BAD), then go on
//	■ the client ends its side of the connection
//	② what follows is sent by a second member's session (INBOX selected), ① by the first's again
//	«user» and other words of stageBox.words
type attempt struct {
	name   string
	state  state // of the first session when the attempt begins
	how    how
	script string
}

// state is where the first session is when an attempt begins.
type state int

const (
	inClear     state = iota // on the listener that waits for STARTTLS
	beforeLogin              // where logins are taken
	loggedIn
	selected  // INBOX
	examined  // INBOX, by EXAMINE
	marked    // INBOX selected, this session's own \Deleted on messages 2 and 4
	neighbour // logged in to another mailbox, which is nobody else's, and which sees this one below shared/
)

// how says what is known about an attempt.
type how int

const (
	// deadly removes or marks a message where nothing stands in front of
	// Dovecot 2.3. A test holds the table to it.
	deadly how = 1 << iota
	// usable: the connection must go on to work. Without it, it may also be
	// closed, with a reason.
	usable
	// frees: where policy lets starred messages go, the starred one (message 2)
	// is gone afterwards.
	frees
	// keeps: it is still there, for nobody asked for it, or not for it alone.
	keeps
	// empties: where policy lets go what is in Trash, message 6 is gone.
	empties
)

// step is a part of a script.
type step struct {
	session int // 0 or 1
	octets  string
	wait    bool // for an answer, after the octets
	end     bool // the client's side, after the octets
}

var controls = strings.NewReplacer("⏎", "\r\n", "␍", "\r", "␊", "\n", "␀", "\x00", "␉", "\t")

// steps takes a script apart.
func steps(script string) []step {
	var all []step
	session := 0
	for script != "" {
		at := strings.IndexAny(script, "‖⌛■①②")
		if at < 0 {
			return append(all, step{session: session, octets: controls.Replace(script)})
		}
		sign := []rune(script[at:])[0]
		all = append(all, step{session, controls.Replace(script[:at]), sign == '⌛', sign == '■'})
		script = script[at+len(string(sign)):]
		switch sign {
		case '①':
			session = 0
		case '②':
			session = 1
		}
	}
	return all
}

// lit is a literal that nobody waits for, {n+}, and its content.
func lit(content string) string { return literal("%s{%d+}\r\n%s", "", content) }

// ask is a synchronizing literal; ⌛ may stand at the start of the content.
func ask(content string) string { return literal("%s{%d}\r\n%s", "", content) }

// lit8 is a literal8 that nobody waits for.
func lit8(content string) string { return literal("%s{%d+}\r\n%s", "~", content) }

func literal(form, before, content string) string {
	size := len(strings.NewReplacer("⌛", "", "‖", "").Replace(controls.Replace(content)))
	return fmt.Sprintf(form, before, size, content)
}

// octetByOctet is a script with a packet for each octet.
func octetByOctet(script string) string {
	var all strings.Builder
	for _, r := range controls.Replace(script) {
		all.WriteString(string(r) + "‖")
	}
	return all.String()
}

// mailText is a small message for APPEND and REPLACE; it ends in a line that
// reads like a command.
const mailText = "Subject: x⏎⏎z UID MOVE 1 Trash⏎"

// bad strings together n lines which no server takes for a command.
func bad(n int) string { return strings.Repeat("? nonsense⏎", n) }
