package imapconn

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Violation is a response that breaks a rule of RFC 9051.
type Violation struct{ Rule, Response string }

func (v *Violation) Error() string { return fmt.Sprintf("%s: %.300q", v.Rule, v.Response) }

// checker follows a session from both sides and says which rule a response
// breaks. It is pure. It never stops following: a broken rule is told once.
// Where the scanner is lost only the form of responses is judged, until a folder
// is opened again.
type checker struct {
	scanner  scanner
	greeted  bool
	bye      bool
	startTLS bool // the server has agreed: what follows is no IMAP
	compress bool // the same
	heard    int  // responses
	selected bool
	name     string // of the selected folder, as the client wrote it
	folder   folder
	opening  opening
}

// opening is what an answer to SELECT has said up to now.
type opening struct {
	begun, flags, exists bool
	messages             int // EXISTS
	unseen, next         int // the codes, 0 for none
}

// sent follows what the client sends.
func (k *checker) sent(raw string) {
	if k.scanner.begun == nil {
		k.scanner.begun = k.begun
	}
	k.scanner.feed(raw)
}

// begun notes what a command can only mean now.
func (k *checker) begun(c *command) {
	c.begun = k.heard
	k.want(c)
}

// received follows a response with its line end. It returns the broken rule,
// "" for none.
func (k *checker) received(response string) string {
	k.heard++
	if rule := form(response); rule != "" {
		return rule
	}
	response = strings.TrimSuffix(response, "\r\n")
	first, rest, _ := strings.Cut(response, " ")
	if !k.greeted {
		return k.greeting(first, rest)
	}
	var rule string
	switch first {
	case "+":
		rule = k.continuation()
	case "*":
		rule = k.untagged(rest)
	default:
		rule = k.tagged(first, rest)
	}
	if k.scanner.lost {
		return ""
	}
	return rule
}

func (k *checker) greeting(first, rest string) string {
	k.greeted = true
	word, _, _ := strings.Cut(rest, " ")
	if first != "*" || !oneOf(word, "OK", "PREAUTH", "BYE") {
		return "the greeting is OK, PREAUTH or BYE (RFC 9051, 7.1)"
	}
	k.bye = strings.EqualFold(word, "BYE")
	return ""
}

func (k *checker) continuation() string {
	if !k.scanner.continued() {
		return "a continuation that no command waits for (RFC 9051, 7.6)"
	}
	return ""
}

// tagged follows a reply: there is exactly one to each command.
func (k *checker) tagged(tag, rest string) string {
	c, ok := k.scanner.done(tag)
	if !ok && strings.HasPrefix(string(k.scanner.line), tag+" ") { // it does not wait for the end of the line
		k.scanner.lost = true
		return ""
	}
	if !ok {
		return "a tagged reply to no outstanding command, or a second one (RFC 9051, 2.2.2)"
	}
	good := isOK(rest)
	switch c.name {
	case "SELECT", "EXAMINE":
		if strings.HasPrefix(strings.ToUpper(rest), "BAD ") { // it was not even attempted
			k.opening = opening{}
			return ""
		}
		return k.opened(c, good)
	case "CLOSE", "UNSELECT":
		if good {
			k.close()
		}
	case "STARTTLS":
		k.startTLS = good
	case "COMPRESS":
		k.compress = good
	case "LOGOUT":
		return k.loggedOut(c, good)
	}
	if good {
		return k.answered(c, rest)
	}
	return ""
}

func (k *checker) loggedOut(c *command, good bool) string {
	if good && !k.bye {
		return "LOGOUT is OK without a BYE before (RFC 9051, 6.1.3)"
	}
	if left := k.scanner.tagsBefore(c.order); good && left != "" {
		return "the session ends without a reply to " + left
	}
	return ""
}

func (k *checker) untagged(rest string) string {
	word, arguments, _ := strings.Cut(rest, " ")
	word = strings.ToUpper(word)
	if k.selecting() {
		k.opening.begun = true
	}
	if n, err := strconv.ParseUint(word, 10, 32); err == nil {
		name, data, _ := strings.Cut(arguments, " ")
		return k.numbered(int(n), strings.ToUpper(name), data)
	}
	switch word {
	case "BYE":
		k.bye = true
	case "OK":
		return k.code(arguments)
	case "FLAGS":
		k.opening.flags = k.selecting()
	case "SEARCH", "SORT":
		return k.numbers(word, arguments)
	case "THREAD":
		return k.threads(arguments)
	case "ESEARCH":
		return k.extendedSearch(arguments)
	case "STATUS":
		return k.status(arguments)
	case "VANISHED":
		return k.vanished(arguments)
	}
	return ""
}

func (k *checker) numbered(n int, name, data string) string {
	switch name {
	case "EXISTS":
		return k.existing(n)
	case "EXPUNGE":
		if rule := k.mayExpunge(); rule != "" {
			return rule
		}
		if n < 1 || n > k.folder.exists {
			return k.outOfRange(name)
		}
		k.folder.expunge(n, k.heard)
	case "FETCH":
		if k.selecting() { // QRESYNC: RFC 7162, 3.2.5
			return ""
		}
		if n < 1 || n > k.folder.exists || !k.selected {
			return k.outOfRange(name)
		}
		return k.fetched(n, data)
	case "RECENT":
		if !k.selecting() && n > k.folder.exists {
			return k.outOfRange(name)
		}
	}
	return ""
}

func (k *checker) existing(n int) string {
	if k.selecting() {
		k.opening.exists, k.opening.messages = true, n
		return ""
	}
	if !k.selected {
		return "EXISTS while no folder is selected (RFC 9051, 7.4.1)"
	}
	before := k.folder.exists
	k.folder.exists = max(n, before)
	if n < before {
		return fmt.Sprintf("EXISTS shrinks from %d without EXPUNGE (RFC 9051, 7.5.1)", before)
	}
	return ""
}

// mayExpunge holds EXPUNGE to its times (RFC 9051, 7.5.1). Of commands that
// were sent together the oldest is being answered. One that uses numbers must
// not be sent behind one during which EXPUNGE may come (5.5); so that is the
// client's fault.
func (k *checker) mayExpunge() string {
	c := k.scanner.oldest()
	if c == nil {
		return "EXPUNGE while no command is in progress (RFC 9051, 7.5.1)"
	}
	if oneOf(c.name, "FETCH", "STORE", "SEARCH", "SORT", "THREAD") { // the last two: RFC 5256, 3
		return "EXPUNGE during " + c.name + " (RFC 9051, 7.5.1)"
	}
	if c.name == "CLOSE" {
		return "EXPUNGE during CLOSE (RFC 9051, 6.4.1)"
	}
	if !k.selected {
		return "EXPUNGE while no folder is selected (RFC 9051, 7.5.1)"
	}
	return ""
}

// vanished is EXPUNGE by UIDs (RFC 7162, 3.2.10).
func (k *checker) vanished(arguments string) string {
	if strings.HasPrefix(strings.ToUpper(arguments), "(EARLIER) ") {
		return ""
	}
	if rule := k.mayExpunge(); rule != "" {
		return rule
	}
	size, err := setSize(arguments)
	if err != nil || size > k.folder.exists {
		return k.outOfRange("VANISHED")
	}
	k.folder.vanish(arguments, k.heard)
	return ""
}

func (k *checker) outOfRange(name string) string {
	if !k.selected {
		return name + " while no folder is selected"
	}
	return fmt.Sprintf("%s with a number out of range: there are %d messages", name, k.folder.exists)
}

// skipped names the commands that have no reply, though one that was sent later
// has, "" for none.
func (k *checker) skipped() string {
	if k.bye || k.scanner.lost {
		return ""
	}
	return k.scanner.tagsBefore(k.scanner.replied)
}

// unanswered names the commands that a server left without a reply when it ended
// the connection without a word, "" for none.
func (k *checker) unanswered() string {
	if k.bye || k.scanner.lost {
		return ""
	}
	return k.scanner.tags()
}

// ended makes such an end an error of its own.
func (k *checker) ended(err error, strict bool) error {
	left := k.unanswered()
	if !strict || left == "" || !errors.Is(err, io.EOF) {
		return err
	}
	return fmt.Errorf("%w: no BYE, and no reply to %s", err, left)
}

// restart follows a session on inside TLS; everything said before is void (RFC
// 9051, 6.2.1).
func (k *checker) restart() {
	k.scanner.restart()
	k.startTLS = false
}
