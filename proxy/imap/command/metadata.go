package command

import (
	"strings"

	"mailguard/proxy/imap/wire"
)

// GetMetadata is the arguments of GETMETADATA (RFC 5464, 4.2).
type GetMetadata struct {
	Folder  string  // "": the server itself
	MaxSize *uint64 // octets of a value; nil: any
	Depth   string  // "1", "infinity", or "" for 0
	Entries []string
}

func (GetMetadata) args() {}

// Encode writes the arguments.
func (a GetMetadata) Encode(e *wire.Encoder) {
	if a.MaxSize != nil || a.Depth != "" {
		e.Space()
		a.encodeOptions(e)
	}
	e.Space()
	e.Folder(a.Folder)
	e.Space()
	encodeList(e, a.Entries, e.AString)
}

func (a GetMetadata) encodeOptions(e *wire.Encoder) {
	e.Open()
	if a.MaxSize != nil {
		e.Raw("MAXSIZE")
		e.Space()
		e.Number(*a.MaxSize)
	}
	if a.MaxSize != nil && a.Depth != "" {
		e.Space()
	}
	if a.Depth != "" {
		e.Raw("DEPTH")
		encodeWords(e, a.Depth)
	}
	e.Close()
}

// ParseGetMetadata is the grammar of GETMETADATA.
func ParseGetMetadata(p *Parser) Args {
	var a GetMetadata
	if p.lex.TryText(" (") {
		p.metadataOptions(&a)
	}
	a.Folder = p.folderOrEmpty()
	p.lex.Space()
	if p.lex.Peek() == '(' {
		p.lex.List(1, func() { a.Entries = append(a.Entries, p.entry()) })
	} else {
		a.Entries = []string{p.entry()}
	}
	return a
}

// metadataOptions reads options behind their bracket.
func (p *Parser) metadataOptions(a *GetMetadata) {
	for more := true; more; more = p.lex.Try(' ') {
		name := string(p.lex.Keyword())
		p.lex.Space()
		switch name {
		case "MAXSIZE":
			n := p.lex.Number()
			a.MaxSize = &n
		case "DEPTH":
			a.Depth = p.depth()
		default:
			p.lex.Fail("Unknown option of GETMETADATA")
		}
	}
	p.lex.Expect(')')
}

func (p *Parser) depth() string {
	switch word := string(p.lex.Keyword()); word {
	case "0":
		return ""
	case "1", "INFINITY":
		return strings.ToLower(word) // as RFC 5464, 5 spells it: Dovecot takes no other
	default:
		p.lex.Fail("DEPTH is 0, 1 or infinity")
		return ""
	}
}

// entry reads the name of an entry (RFC 5464, 3.2). Case does not matter in
// it, so it is written in lower case.
func (p *Parser) entry() string {
	name := p.lex.AString()
	switch {
	case !strings.HasPrefix(name, "/"), strings.HasSuffix(name, "/"),
		strings.Contains(name, "//"), strings.ContainsFunc(name, notEntry):
		p.lex.Fail("Not the name of an entry")
	}
	return strings.ToLower(name)
}

func notEntry(r rune) bool { return r < ' ' || r > '~' || r == '*' || r == '%' }

// SetMetadata is the arguments of SETMETADATA (RFC 5464, 4.3).
type SetMetadata struct {
	Folder  string // "": the server itself
	Entries []Entry
}

// Entry is the name and the value of an entry.
type Entry struct {
	Name  string // lower case
	Value string // any octets
	Null  bool   // the entry is to be removed
}

func (SetMetadata) args() {}

// Encode writes the folder and the entries.
func (a SetMetadata) Encode(e *wire.Encoder) {
	e.Space()
	e.Folder(a.Folder)
	e.Space()
	encodeList(e, a.Entries, func(entry Entry) {
		e.AString(entry.Name)
		e.Space()
		e.NString8(entry.Value, !entry.Null)
	})
}

// ParseSetMetadata is the grammar of SETMETADATA.
func ParseSetMetadata(p *Parser) Args {
	a := SetMetadata{Folder: p.folderOrEmpty()}
	p.lex.Space()
	p.lex.List(1, func() {
		entry := Entry{Name: p.entry()}
		p.lex.Space()
		value, ok := p.lex.NString8()
		entry.Value, entry.Null = value, !ok
		a.Entries = append(a.Entries, entry)
	})
	return a
}
