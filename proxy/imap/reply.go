package imap

import (
	"errors"

	"mailguard/guard"
	"mailguard/member"
	"mailguard/proxy"
	"mailguard/proxy/imap/wire"
)

// Reply is a tagged answer of the guard's own. As an error it ends a handler
// and is what the client hears.
type Reply struct {
	Word string // OK, NO or BAD
	Code string // response code without its brackets, "" if there is none
	Text string
}

// String is the reply as it stands behind the tag.
func (r Reply) String() string {
	if r.Code == "" {
		return r.Word + " " + r.Text
	}
	return r.Word + " [" + r.Code + "] " + r.Text
}

// Error makes a refusal an error that is its own reply.
func (r Reply) Error() string { return r.String() }

// The guard's own replies (response codes: RFC 9051, 7.1).
var (
	replyTemporary  = Reply{Word: "NO", Code: "UNAVAILABLE", Text: "Not possible for the moment; nothing was deleted. Try again later"}
	replyPartly     = Reply{Word: "NO", Code: "UNAVAILABLE", Text: "Only some of the messages were deleted. Try the others again later"}
	replyUpstream   = Reply{Word: "NO", Code: "UNAVAILABLE", Text: "The mail server cannot be reached for the moment. Try again later"}
	replyLogin      = Reply{Word: "NO", Code: "AUTHENTICATIONFAILED", Text: "Login failed"}
	replyNeedsTLS   = Reply{Word: "NO", Code: "PRIVACYREQUIRED", Text: "Log in behind STARTTLS"}
	replyReadOnly   = Reply{Word: "NO", Code: "READ-ONLY", Text: "The folder is open for reading only"}
	replyUnknown    = Reply{Word: "BAD", Text: "Unknown command"}
	replyWrongState = Reply{Word: "BAD", Text: "This command is not possible now"}
	replyNotFolder  = Reply{Word: "NO", Code: "CANNOT", Text: "This is not the name of a folder"}
	replyClosed     = Reply{Word: "NO", Code: "NOPERM", Text: "Nothing is deleted in this folder: the guard does not know whose mailbox it is in"}
	replyNotAllowed = Reply{Word: "NO", Code: "NOPERM", Text: "This is for the administrator of a shared mailbox"}
)

// defaultRefusal is what a person reads when a rule that has no sentence of
// its own refuses a deletion.
const defaultRefusal = "This message is kept for the other users of this mailbox"

// replyFor turns an error into the answer to the client. What is not made for
// a client becomes a temporary refusal: a deletion is then refused too.
func replyFor(err error) Reply {
	var reply Reply
	var syntax *wire.SyntaxError
	var broken *proxy.Error
	switch {
	case errors.As(err, &reply):
		return reply
	case errors.As(err, &syntax):
		return Reply{Word: "BAD", Text: syntax.Text}
	case errors.Is(err, guard.ErrTemporary):
		return replyTemporary
	case errors.Is(err, member.ErrLogin):
		return replyLogin
	case errors.Is(err, errUpstreamLost), errors.As(err, &broken) && broken.Side == proxy.Upstream:
		return replyUpstream
	default:
		return replyTemporary
	}
}

// isReply reports whether an error is an answer to the client, with which the
// session goes on.
func isReply(err error) bool {
	var reply Reply
	return errors.As(err, &reply) || errors.Is(err, guard.ErrTemporary)
}

// errUpstreamLost is the error of whatever waits for an upstream that is gone.
var errUpstreamLost = errors.New("the upstream is lost")
