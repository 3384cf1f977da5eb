package command

import (
	"github.com/emersion/go-imap/v2"

	"mailguard/proxy/imap/wire"
)

// Store is the arguments of STORE and UID STORE (RFC 9051, 6.4.6).
type Store struct {
	Messages

	// UnchangedSince is the condition of RFC 7162, 3.1.3; nil: none. 0 is one.
	UnchangedSince *uint64

	Op     imap.StoreFlagsOp
	Silent bool
	Flags  []imap.Flag // may be empty
}

func (Store) args() {}

// Encode writes the arguments, the flags always in brackets.
func (a Store) Encode(e *wire.Encoder) {
	a.encode(e)
	if a.UnchangedSince != nil {
		encodeWords(e, "(UNCHANGEDSINCE")
		e.Space()
		e.Number(*a.UnchangedSince)
		e.Close()
	}
	item := "FLAGS"
	switch a.Op {
	case imap.StoreFlagsAdd:
		item = "+FLAGS"
	case imap.StoreFlagsDel:
		item = "-FLAGS"
	}
	if a.Silent {
		item += ".SILENT"
	}
	encodeWords(e, item)
	e.Space()
	encodeFlags(e, a.Flags)
}

// ParseStore is the grammar of STORE and UID STORE.
func ParseStore(p *Parser) Args {
	a := Store{Messages: p.messages()}
	p.lex.Space()
	if p.lex.TryText("(UNCHANGEDSINCE ") {
		n := p.lex.Number()
		a.UnchangedSince = &n
		p.lex.Expect(')')
		p.lex.Space()
	}
	switch {
	case p.lex.Try('+'):
		a.Op = imap.StoreFlagsAdd
	case p.lex.Try('-'):
		a.Op = imap.StoreFlagsDel
	}
	switch string(p.lex.Keyword()) {
	case "FLAGS":
	case "FLAGS.SILENT":
		a.Silent = true
	default:
		p.lex.Fail("STORE takes FLAGS, +FLAGS or -FLAGS")
	}
	p.lex.Space()
	a.Flags = p.storeFlags()
	return a
}

// storeFlags reads flags with or without brackets.
func (p *Parser) storeFlags() []imap.Flag {
	if p.lex.Peek() == '(' {
		return p.flagList()
	}
	flags := []imap.Flag{p.flag()}
	for p.lex.Try(' ') {
		flags = append(flags, p.flag())
	}
	return flags
}

// Copy is the arguments of COPY and UID COPY (RFC 9051, 6.4.7).
type Copy struct {
	Messages
	Folder string // the destination
}

func (Copy) args() {}

// Encode writes the messages and the destination.
func (a Copy) Encode(e *wire.Encoder) {
	a.encode(e)
	e.Space()
	e.Folder(a.Folder)
}

// ParseCopy is the grammar of COPY and UID COPY.
func ParseCopy(p *Parser) Args {
	messages := p.messages()
	return Copy{Messages: messages, Folder: p.folder()}
}

// Move is the arguments of MOVE and UID MOVE (RFC 9051, 6.4.8).
type Move struct {
	Messages
	Folder string // the destination
}

func (Move) args() {}

// Encode writes the messages and the destination.
func (a Move) Encode(e *wire.Encoder) {
	a.encode(e)
	e.Space()
	e.Folder(a.Folder)
}

// ParseMove is the grammar of MOVE and UID MOVE.
func ParseMove(p *Parser) Args {
	messages := p.messages()
	return Move{Messages: messages, Folder: p.folder()}
}

// UIDExpunge is the arguments of UID EXPUNGE (RFC 9051, 6.4.9).
type UIDExpunge struct {
	Messages
}

func (UIDExpunge) args() {}

// Encode writes the messages.
func (a UIDExpunge) Encode(e *wire.Encoder) { a.encode(e) }

// ParseUIDExpunge is the grammar of UID EXPUNGE.
func ParseUIDExpunge(p *Parser) Args { return UIDExpunge{Messages: p.messages()} }
