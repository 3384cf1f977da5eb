package command

import (
	"errors"
	"fmt"
	"strings"

	"github.com/emersion/go-imap/v2"

	"mailguard/proxy/imap/wire"
)

// Command is one command, parsed.
type Command struct {
	Tag  string
	Name string // upper case, with its UID
	Args Args
}

// Args are the arguments of a command. They are one of the struct types of
// this package, never a pointer to one.
type Args interface {
	// Encode writes the arguments, each behind a blank.
	Encode(*wire.Encoder)

	args()
}

// errMixedUp is a mistake of our own, and would name the wrong messages.
var errMixedUp = errors.New("UIDs and sequence numbers are mixed up")

// Encode writes the command with its line end, or, for APPEND, up to the
// announcement of the message. A set of messages that does not fit the name
// makes the encoder fail.
func (c Command) Encode(e *wire.Encoder) {
	e.Raw(c.Tag)
	word, rest, two := strings.Cut(c.Name, " ")
	encodeWords(e, word)
	if two {
		encodeWords(e, rest)
	}
	if m, ok := MessagesOf(c.Args); ok && m.UID != strings.HasPrefix(c.Name, uidPrefix) {
		e.Fail(errMixedUp)
	}
	c.Args.Encode(e)
	if _, streams := c.Args.(Append); !streams {
		e.End()
	}
}

// String is the command for a log: without secrets and without the contents of
// literals.
func (c Command) String() string {
	switch c.Args.(type) {
	case Login, Authenticate:
		return c.Tag + " " + c.Name + " " + fmt.Sprint(c.Args)
	}
	var e wire.Encoder
	c.Encode(&e)
	parts, err := e.Parts()
	if err != nil {
		return c.Tag + " " + c.Name + " (" + err.Error() + ")"
	}
	var b strings.Builder
	for _, part := range parts {
		b.WriteString(strings.TrimSuffix(string(part.Text), "\r\n"))
	}
	return b.String()
}

// Messages is the set of messages that a command names.
type Messages struct {
	Set imap.NumSet // an imap.UIDSet if UID, else an imap.SeqSet; or imap.SearchRes() in both
	UID bool
}

func (p *Parser) messages() Messages {
	p.lex.Space()
	return Messages{Set: p.lex.NumSet(p.byUID, p.searchRes), UID: p.byUID}
}

func (m Messages) encode(e *wire.Encoder) {
	e.Space()
	encodeSet(e, m.Set, m.UID)
}

func encodeSet(e *wire.Encoder, set imap.NumSet, uid bool) {
	if set == nil || !imap.IsSearchRes(set) {
		if _, isUID := set.(imap.UIDSet); isUID != uid {
			e.Fail(errMixedUp)
			return
		}
	}
	e.Set(set)
}

// MessagesOf returns the set of messages that a command names as its first
// argument; ok is false if it names none. What a search looks for is not one.
func MessagesOf(a Args) (m Messages, ok bool) {
	switch a := a.(type) {
	case Fetch:
		return a.Messages, true
	case Store:
		return a.Messages, true
	case Copy:
		return a.Messages, true
	case Move:
		return a.Messages, true
	case UIDExpunge:
		return a.Messages, true
	default:
		return Messages{}, false
	}
}

// FoldersOf returns the names of the folders that a command touches, in its
// order. Patterns of LIST are none; an empty name, which means the server itself
// or nothing, is none either.
func FoldersOf(a Args) []string {
	switch a := a.(type) {
	case Select:
		return []string{a.Folder}
	case Create:
		return []string{a.Folder}
	case OneFolder:
		return []string{a.Folder}
	case Rename:
		return []string{a.From, a.To}
	case Append:
		return []string{a.Folder}
	case Copy:
		return []string{a.Folder}
	case Move:
		return []string{a.Folder}
	default:
		return otherFolders(a)
	}
}

// otherFolders are the folders of the commands that ask, or set rights and
// metadata.
func otherFolders(a Args) []string {
	var name string
	switch a := a.(type) {
	case Status:
		name = a.Folder
	case ListRights:
		name = a.Folder
	case SetACL:
		name = a.Folder
	case DeleteACL:
		name = a.Folder
	case GetMetadata:
		name = a.Folder
	case SetMetadata:
		name = a.Folder
	}
	if name == "" {
		return nil
	}
	return []string{name}
}

// None is the arguments of a command that has none.
type None struct{}

func (None) args() {}

// Encode writes nothing.
func (None) Encode(*wire.Encoder) {}

// ParseNone is the grammar of CAPABILITY, NOOP, LOGOUT, STARTTLS, NAMESPACE,
// CHECK, CLOSE, UNSELECT, EXPUNGE and IDLE.
func ParseNone(*Parser) Args { return None{} }
