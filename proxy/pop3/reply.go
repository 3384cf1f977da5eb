package pop3

import (
	"bufio"
	"errors"
	"fmt"
	"strings"

	"mailguard/guard"
	"mailguard/proxy"
)

// Reply is one status line: a server's answer to a command.
type Reply struct {
	OK   bool
	Code string // response code without its brackets (RFC 2449, 8), "" if there is none
	Text string
}

// String is the reply as it is written, without its line end.
func (r Reply) String() string {
	var b strings.Builder
	b.WriteString("-ERR")
	if r.OK {
		b.Reset()
		b.WriteString("+OK")
	}
	if r.Code != "" {
		b.WriteString(" [" + r.Code + "]")
	}
	if r.Text != "" {
		b.WriteString(" " + r.Text)
	}
	return b.String()
}

// Error makes a refusal an error that is its own reply.
func (r Reply) Error() string { return r.String() }

// The guard's own replies.
var (
	replyTemporary = Reply{Code: "SYS/TEMP", Text: "Not possible for the moment; nothing was deleted. Try again later"}
	replyUpstream  = Reply{Code: "SYS/TEMP", Text: "The mail server cannot be reached for the moment. Try again later"}
	replyNoMessage = Reply{Text: "No such message"}
	replyUnknown   = Reply{Text: "Unknown command"}
	replyLogin     = Reply{Code: "AUTH", Text: "Login failed"}
	replyNeedsTLS  = Reply{Code: "AUTH", Text: "Log in behind STLS"}
)

// defaultRefusal is what a person reads when a rule that has no sentence of
// its own refuses a deletion.
const defaultRefusal = "This message is kept for the other users of this mailbox"

// replyFor turns an error into the answer to the client. What is not made for
// a client becomes a temporary refusal: a deletion is then refused too.
func replyFor(err error) Reply {
	var reply Reply
	var syntax *SyntaxError
	var broken *proxy.Error
	switch {
	case errors.As(err, &reply):
		return reply
	case errors.As(err, &syntax):
		return Reply{Text: syntax.Text}
	case errors.Is(err, guard.ErrTemporary):
		return replyTemporary
	case errors.As(err, &broken) && broken.Side == proxy.Upstream:
		return replyUpstream
	default:
		return replyTemporary
	}
}

// Response codes that are passed on (RFC 2449, 8.1; RFC 3206; RFC 6856). Others
// might mean something to a client that the guard does not know.
var passedCodes = map[string]bool{
	"IN-USE": true, "LOGIN-DELAY": true, "SYS/TEMP": true, "SYS/PERM": true, "AUTH": true, "UTF8": true,
}

// maxStatusLine bounds what is read of an upstream's line. RFC 2449, 4 allows
// 512 octets; Dovecot's capabilities and errors can be longer.
const maxStatusLine = 8 << 10

// maxReplyText bounds what is passed on of an upstream's text.
const maxReplyText = 400

// errNonsense is the error of an upstream that does not speak POP3.
var errNonsense = errors.New("the upstream's answer is not POP3")

// readReply reads an upstream's status line.
func readReply(r *bufio.Reader) (Reply, error) {
	line, err := readUpstreamLine(r)
	if err != nil {
		return Reply{}, err
	}
	return parseReply(line)
}

// readUpstreamLine reads one line of the upstream, without its line end.
func readUpstreamLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		line, err = readLongLine(r, line, maxStatusLine)
	}
	var long *SyntaxError
	if errors.As(err, &long) || len(line) > maxStatusLine {
		return "", fmt.Errorf("%w: a line of more than %d octets", errNonsense, maxStatusLine)
	}
	if err != nil {
		return "", err
	}
	return strings.TrimRight(string(line), "\r\n"), nil
}

func parseReply(line string) (Reply, error) {
	var reply Reply
	rest, ok := strings.CutPrefix(line, "+OK")
	if reply.OK = ok; !ok {
		if rest, ok = strings.CutPrefix(line, "-ERR"); !ok {
			return Reply{}, fmt.Errorf("%w: %q", errNonsense, clean(line, 80))
		}
	}
	rest = strings.TrimPrefix(rest, " ")
	if strings.HasPrefix(rest, "[") {
		if code, text, ok := strings.Cut(rest[1:], "]"); ok {
			rest = strings.TrimPrefix(text, " ")
			if code = strings.ToUpper(code); passedCodes[code] {
				reply.Code = code
			}
		}
	}
	reply.Text = clean(rest, maxReplyText)
	return reply, nil
}

// clean makes an upstream's text fit for a client and a log.
func clean(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r == 0xfffd {
			return '?'
		}
		return r
	}, s)
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "")
	}
	return s
}
