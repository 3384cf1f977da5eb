package command

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/emersion/go-imap/v2"

	"mailguard/proxy/imap/wire"
)

// Inbox is the name of the folder that every mailbox has (RFC 9051, 5.1).
const Inbox = "INBOX"

// maxFolder is the longest name of a folder, in octets of UTF-8. Dovecot's is
// as long.
const maxFolder = 4 << 10

// folder reads the name of a folder, behind its blank.
func (p *Parser) folder() string {
	name := p.folderOrEmpty()
	if name == "" {
		p.lex.Fail("A folder's name is empty")
	}
	return name
}

// folderOrEmpty is folder where a name may be empty.
func (p *Parser) folderOrEmpty() string {
	p.lex.Space()
	name := p.decodeName(p.lex.AString())
	if isInbox(name) {
		return Inbox
	}
	return name
}

// isInbox compares with INBOX in any case of ASCII.
func isInbox(name string) bool {
	return len(name) == len(Inbox) && strings.EqualFold(name, Inbox)
}

// decodeName makes UTF-8 of a name or pattern as the client writes it now.
func (p *Parser) decodeName(text string) string {
	name := text
	if !p.lex.UTF8() {
		var err error
		if name, err = wire.DecodeUTF7(text); err != nil {
			p.lex.Fail("A folder's name is not in canonical modified UTF-7")
			return ""
		}
	}
	switch {
	case len(name) > maxFolder:
		p.lex.Fail("A folder's name is too long")
	case !utf8.ValidString(name):
		p.lex.Fail("A folder's name is not UTF-8")
	case strings.ContainsFunc(name, isControl):
		p.lex.Fail("A folder's name has control characters in it")
	}
	return name
}

// isControl tells what RFC 9051, 5.1 does not want in names: control
// characters (C0, DEL and C1) and the separators of lines and paragraphs.
func isControl(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029'
}

// text reads an argument that a person chose, behind its blank: a name of a
// user or a password, for instance. It has no control characters.
func (p *Parser) text() string {
	p.lex.Space()
	s := p.lex.AString()
	p.noControls(s)
	return s
}

// noControls refuses control characters: CR and LF would end a line elsewhere,
// NUL ends a string.
func (p *Parser) noControls(s string) {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] == 0x7f {
			p.lex.Fail("An argument has control characters in it")
			return
		}
	}
}

// systemFlags are the flags with a backslash that a client can set (RFC 9051,
// 2.3.2): not \Recent, which is the server's, and not \*, which is no flag.
var systemFlags = map[string]imap.Flag{
	"SEEN":     imap.FlagSeen,
	"ANSWERED": imap.FlagAnswered,
	"FLAGGED":  imap.FlagFlagged,
	"DELETED":  imap.FlagDeleted,
	"DRAFT":    imap.FlagDraft,
}

// flag reads a flag. A system flag is spelt as in the RFC.
func (p *Parser) flag() imap.Flag {
	if !p.lex.Try('\\') {
		return p.keyword()
	}
	flag, ok := systemFlags[string(p.lex.Keyword())]
	if !ok {
		p.lex.Fail("Unknown system flag")
	}
	return flag
}

// keyword reads a flag that is not a system flag. A brace in one is legal but
// looks like a literal.
func (p *Parser) keyword() imap.Flag {
	word := p.lex.Atom()
	if strings.Contains(word, "}") {
		p.lex.Fail("A flag has a brace in it")
	}
	return imap.Flag(word)
}

// flagList reads flags in brackets.
func (p *Parser) flagList() []imap.Flag {
	flags := []imap.Flag{}
	p.lex.List(0, func() { flags = append(flags, p.flag()) })
	return flags
}

func encodeFlags(e *wire.Encoder, flags []imap.Flag) {
	encodeList(e, flags, func(f imap.Flag) { e.Raw(string(f)) })
}

// encodeList writes items in brackets, with a blank between them.
func encodeList[T any](e *wire.Encoder, items []T, item func(T)) {
	e.Open()
	encodeItems(e, items, item)
	e.Close()
}

func encodeItems[T any](e *wire.Encoder, items []T, item func(T)) {
	for i, it := range items {
		if i > 0 {
			e.Space()
		}
		item(it)
	}
}

// encodeWords writes words of the protocol, each behind a blank.
func encodeWords(e *wire.Encoder, words ...string) {
	for _, w := range words {
		e.Space()
		e.Raw(w)
	}
}
