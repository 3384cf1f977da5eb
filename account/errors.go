package account

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/emersion/go-imap/v2"
)

// ErrLogin says that the server does not let the service account in.
var ErrLogin = errors.New("the server does not let the service account in")

var (
	errNonsense = errors.New("the server's answer is not understood")
	errClosed   = errors.New("the session is closed")
	errNoFolder = errors.New("no folder is open")

	// errNoUIDPlus is the error of a server on which not exactly these messages
	// can be removed, but only all that are marked (RFC 4315).
	errNoUIDPlus = errors.New("the server has no UIDPLUS: what others have marked would be removed as well")
)

// Refusal is a command to which the server said no.
type Refusal struct {
	Word string // NO or BAD
	Code string // response code without its brackets, "" if there is none
	Text string // for people; "" at the login, where it might repeat a password
}

// Error says what the server answered.
func (r *Refusal) Error() string {
	text := "refused with " + r.Word
	if r.Code != "" {
		text += " [" + r.Code + "]"
	}
	if r.Text != "" {
		text += " " + r.Text
	}
	return text
}

// refused makes a Refusal of the client's error, or returns nil where it is
// another error.
func refused(err error) *Refusal {
	var no *imap.Error
	if !errors.As(err, &no) {
		return nil
	}
	return &Refusal{Word: string(no.Type), Code: clean(string(no.Code)), Text: clean(no.Text)}
}

// finding is an error behind which the connection is in order.
type finding struct{ error }

func (f finding) Unwrap() error { return f.error }

// explain tells what happened. Why a connection ended is known better by the
// context and the connection than by the client. usable says that the
// connection can still be used.
func (s *Session) explain(ctx context.Context, err error) (explained error, usable bool) {
	var found finding
	no, cause := refused(err), s.conn.cause()
	switch {
	case no != nil:
		return no, true
	case errors.As(err, &found):
		return found.error, true
	case ctx.Err() != nil:
		return context.Cause(ctx), false
	case cause != nil:
		return cause, false
	}
	return fmt.Errorf("%w: %s", errNonsense, clean(err.Error())), false
}

// wrap says of an error where it happened.
func (s *Session) wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	where := fmt.Sprintf("upstream %s, mailbox %s", s.account.Upstream, s.mailbox)
	if s.folder != "" {
		where += ", folder " + clean(s.folder)
	}
	return fmt.Errorf("%s: %s: %w", where, doing, err)
}

// longestText bounds what is shown of what a server said, in octets.
const longestText = 200

// clean makes one line for people of a server's text.
func clean(text string) string {
	text, _, _ = strings.Cut(strings.TrimSpace(text), "\n")
	if len(text) > longestText {
		text = text[:longestText] + "..."
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return '?'
		}
		return r
	}, text)
}
