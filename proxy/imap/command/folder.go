package command

import (
	"github.com/emersion/go-imap/v2"

	"mailguard/proxy/imap/wire"
)

// OneFolder is the arguments of a command that names one folder and nothing
// else.
type OneFolder struct {
	Folder string
}

func (OneFolder) args() {}

// Encode writes the folder.
func (a OneFolder) Encode(e *wire.Encoder) {
	e.Space()
	e.Folder(a.Folder)
}

// ParseOneFolder is the grammar of DELETE, SUBSCRIBE, UNSUBSCRIBE, GETACL,
// MYRIGHTS and GETQUOTAROOT.
func ParseOneFolder(p *Parser) Args { return OneFolder{Folder: p.folder()} }

// Rename is the arguments of RENAME (RFC 9051, 6.3.6).
type Rename struct {
	From, To string
}

func (Rename) args() {}

// Encode writes both names.
func (a Rename) Encode(e *wire.Encoder) {
	e.Space()
	e.Folder(a.From)
	e.Space()
	e.Folder(a.To)
}

// ParseRename is the grammar of RENAME.
func ParseRename(p *Parser) Args {
	from := p.folder()
	return Rename{From: from, To: p.folder()}
}

// Select is the arguments of SELECT and EXAMINE (RFC 9051, 6.3.2; RFC 7162).
type Select struct {
	Folder    string
	CondStore bool
	QResync   *QResync // nil: without it
}

// QResync is what a client knows of a folder from an earlier session (RFC
// 7162, 3.2.5). None of the sets has "*" in it.
type QResync struct {
	UIDValidity uint32
	ModSeq      uint64
	Known       imap.UIDSet // may be empty
	MatchSeq    imap.SeqSet // empty, or as many as MatchUID
	MatchUID    imap.UIDSet
}

func (Select) args() {}

// Encode writes the folder and what is asked for with it.
func (a Select) Encode(e *wire.Encoder) {
	e.Space()
	e.Folder(a.Folder)
	if !a.CondStore && a.QResync == nil {
		return
	}
	e.Space()
	e.Open()
	if a.CondStore {
		e.Raw("CONDSTORE")
	}
	if a.CondStore && a.QResync != nil {
		e.Space()
	}
	if a.QResync != nil {
		a.QResync.encode(e)
	}
	e.Close()
}

func (q *QResync) encode(e *wire.Encoder) {
	e.Raw("QRESYNC")
	e.Space()
	e.Open()
	e.Number(uint64(q.UIDValidity))
	e.Space()
	e.Number(q.ModSeq)
	if len(q.Known) > 0 {
		e.Space()
		e.Set(q.Known)
	}
	if len(q.MatchSeq) > 0 {
		e.Space()
		e.Open()
		e.Set(q.MatchSeq)
		e.Space()
		e.Set(q.MatchUID)
		e.Close()
	}
	e.Close()
}

// ParseSelect is the grammar of SELECT and EXAMINE.
func ParseSelect(p *Parser) Args {
	a := Select{Folder: p.folder()}
	if !p.lex.Try(' ') {
		return a
	}
	p.lex.List(1, func() {
		switch string(p.lex.Keyword()) {
		case "CONDSTORE":
			a.CondStore = true
		case "QRESYNC":
			p.lex.Space()
			a.QResync = p.qresync()
		default:
			p.lex.Fail("Unknown parameter of SELECT")
		}
	})
	return a
}

func (p *Parser) qresync() *QResync {
	var q QResync
	p.lex.Open()
	q.UIDValidity = p.lex.Number32()
	p.lex.Space()
	q.ModSeq = p.lex.Number()
	more := p.lex.Try(' ')
	if more && p.lex.Peek() != '(' {
		q.Known, _ = p.staticSet(true).(imap.UIDSet)
		more = p.lex.Try(' ')
	}
	if more {
		p.lex.Open()
		q.MatchSeq, _ = p.staticSet(false).(imap.SeqSet)
		p.lex.Space()
		q.MatchUID, _ = p.staticSet(true).(imap.UIDSet)
		p.lex.Close()
	}
	p.lex.Close()
	return &q
}

// staticSet reads a set without "*".
func (p *Parser) staticSet(uid bool) imap.NumSet {
	set := p.lex.NumSet(uid, false)
	if set != nil && p.lex.Err() == nil && set.Dynamic() {
		p.lex.Fail(`"*" is not possible here`)
	}
	return set
}

// Create is the arguments of CREATE (RFC 9051, 6.3.4; RFC 6154).
type Create struct {
	Folder string
	Use    []imap.MailboxAttr // special uses, spelt as in the RFC
}

func (Create) args() {}

// Encode writes the folder and its special uses.
func (a Create) Encode(e *wire.Encoder) {
	e.Space()
	e.Folder(a.Folder)
	if len(a.Use) == 0 {
		return
	}
	encodeWords(e, "(USE")
	e.Space()
	encodeList(e, a.Use, func(u imap.MailboxAttr) { e.Raw(string(u)) })
	e.Close()
}

// specialUses are those of RFC 6154, 2 and RFC 8457.
var specialUses = map[string]imap.MailboxAttr{
	"ALL":       imap.MailboxAttrAll,
	"ARCHIVE":   imap.MailboxAttrArchive,
	"DRAFTS":    imap.MailboxAttrDrafts,
	"FLAGGED":   imap.MailboxAttrFlagged,
	"IMPORTANT": imap.MailboxAttrImportant,
	"JUNK":      imap.MailboxAttrJunk,
	"SENT":      imap.MailboxAttrSent,
	"TRASH":     imap.MailboxAttrTrash,
}

// ParseCreate is the grammar of CREATE.
func ParseCreate(p *Parser) Args {
	a := Create{Folder: p.folder()}
	if !p.lex.Try(' ') {
		return a
	}
	p.lex.Open()
	if string(p.lex.Keyword()) != "USE" {
		p.lex.Fail("Unknown parameter of CREATE")
	}
	p.lex.Space()
	p.lex.List(0, func() {
		p.lex.Expect('\\')
		use, ok := specialUses[string(p.lex.Keyword())]
		if !ok {
			p.lex.Fail("Unknown special use")
		}
		a.Use = append(a.Use, use)
	})
	p.lex.Close()
	return a
}
