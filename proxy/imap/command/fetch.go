package command

import "slices"

// FetchName is the name of something that FETCH asks for.
type FetchName string

// What FETCH can ask for (RFC 9051, 6.4.5; RFC 3501; RFC 3516; RFC 7162; RFC
// 8474; RFC 8514; RFC 8970). Names that end in brackets have a section.
const (
	FetchBinary        FetchName = "BINARY[]"
	FetchBinaryPeek    FetchName = "BINARY.PEEK[]"
	FetchBinarySize    FetchName = "BINARY.SIZE[]"
	FetchBody          FetchName = "BODY[]"
	FetchBodyPeek      FetchName = "BODY.PEEK[]"
	FetchBodyShort     FetchName = "BODY" // the structure, without extensions
	FetchBodyStructure FetchName = "BODYSTRUCTURE"
	FetchEmailID       FetchName = "EMAILID"
	FetchEnvelope      FetchName = "ENVELOPE"
	FetchFlags         FetchName = "FLAGS"
	FetchInternalDate  FetchName = "INTERNALDATE"
	FetchModSeq        FetchName = "MODSEQ"
	FetchPreview       FetchName = "PREVIEW"
	FetchRFC822        FetchName = "RFC822"
	FetchRFC822Header  FetchName = "RFC822.HEADER"
	FetchRFC822Size    FetchName = "RFC822.SIZE"
	FetchRFC822Text    FetchName = "RFC822.TEXT"
	FetchSaveDate      FetchName = "SAVEDATE"
	FetchThreadID      FetchName = "THREADID"
	FetchUID           FetchName = "UID"
	FetchXGUID         FetchName = "X-GUID" // Dovecot's
)

// plainItems are those without anything behind the name.
var plainItems = makeSet(FetchBodyShort, FetchBodyStructure, FetchEmailID, FetchEnvelope, FetchFlags, FetchInternalDate,
	FetchModSeq, FetchPreview, FetchRFC822, FetchRFC822Header, FetchRFC822Size, FetchRFC822Text, FetchSaveDate,
	FetchThreadID, FetchUID, FetchXGUID)

// sectionItems are those with a section, by what stands before it.
var sectionItems = map[string]FetchName{
	"BODY":        FetchBody,
	"BODY.PEEK":   FetchBodyPeek,
	"BINARY":      FetchBinary,
	"BINARY.PEEK": FetchBinaryPeek,
	"BINARY.SIZE": FetchBinarySize,
}

// macros are short for several items (RFC 9051, 6.4.5). They are written out.
var macros = map[string][]FetchName{
	"ALL":  {FetchFlags, FetchInternalDate, FetchRFC822Size, FetchEnvelope},
	"FAST": {FetchFlags, FetchInternalDate, FetchRFC822Size},
	"FULL": {FetchFlags, FetchInternalDate, FetchRFC822Size, FetchEnvelope, FetchBodyShort},
}

// Fetch is the arguments of FETCH and UID FETCH (RFC 9051, 6.4.5).
type Fetch struct {
	Messages
	Items []FetchItem // one or more

	// ChangedSince is the modifier of RFC 7162, 3.1.4.1; nil: without it.
	ChangedSince *uint64
	Vanished     bool // RFC 7162, 3.2.6
}

// FetchItem is something that FETCH asks for.
type FetchItem struct {
	Name    FetchName
	Section *Section // of the names that end in brackets
	Partial *Partial // nil: the whole of it
	Lazy    bool     // of PREVIEW
}

// Section is a part of a message (RFC 9051, 6.4.5.1). The zero value is the
// whole message.
type Section struct {
	Part   []uint32 // from 1; empty: the message itself
	Text   string   // HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT, MIME, TEXT or ""
	Fields []string // header names, as the client spelt them
}

// Partial is a range of octets.
type Partial struct {
	Offset, Count uint64
}

func (Fetch) args() {}

// Has reports whether an item of that name is asked for.
func (a Fetch) Has(name FetchName) bool {
	return slices.ContainsFunc(a.Items, func(i FetchItem) bool { return i.Name == name })
}

// WithUID returns the arguments with UID among the items. Those of a stay as
// they are.
func (a Fetch) WithUID() Fetch {
	if !a.Has(FetchUID) {
		a.Items = append(slices.Clip(a.Items), FetchItem{Name: FetchUID})
	}
	return a
}

// WholeBody reports whether the item gives the whole message, header and text,
// marked as seen or not.
func (i FetchItem) WholeBody() bool {
	switch i.Name {
	case FetchRFC822:
		return true
	case FetchBody, FetchBodyPeek, FetchBinary, FetchBinaryPeek:
		return i.Partial == nil && i.Section != nil && len(i.Section.Part) == 0 && i.Section.Text == ""
	default:
		return false
	}
}

// ParseFetch is the grammar of FETCH and UID FETCH.
func ParseFetch(p *Parser) Args {
	a := Fetch{Messages: p.messages()}
	p.lex.Space()
	if p.lex.Peek() == '(' {
		a.Items = make([]FetchItem, 0, 4)
		p.lex.List(1, func() { a.Items = append(a.Items, p.fetchItem(p.lex.Keyword())) })
	} else {
		a.Items = p.macroOrItem()
	}
	if p.lex.TryText(" (") {
		p.fetchModifiers(&a)
	}
	return a
}

func (p *Parser) macroOrItem() []FetchItem {
	word := p.lex.Keyword()
	names, ok := macros[string(word)]
	if !ok {
		return []FetchItem{p.fetchItem(word)}
	}
	items := make([]FetchItem, len(names), len(names)+1)
	for i, name := range names {
		items[i].Name = name
	}
	return items
}

// fetchItem reads what is behind the name of an item.
func (p *Parser) fetchItem(word []byte) (i FetchItem) {
	var ok bool
	if p.lex.Peek() == '[' {
		if i.Name, ok = sectionItems[string(word)]; ok {
			i.Section = p.section(i.Name == FetchBody || i.Name == FetchBodyPeek)
			i.Partial = p.partial(i.Name)
		}
	} else if i.Name, ok = plainItems[string(word)]; i.Name == FetchPreview {
		i.Lazy = p.lex.TryText(" (LAZY)")
	}
	if !ok {
		p.lex.Fail("Unknown item of FETCH")
	}
	return i
}

// section reads a section in its brackets. Only a body's can name a text.
func (p *Parser) section(body bool) *Section {
	var s Section
	p.lex.Expect('[')
	text := p.lex.Peek() != ']'
	for text && isDigit(p.lex.Peek()) {
		n := p.lex.Number32()
		if n == 0 {
			p.lex.Fail("Parts are counted from 1")
		}
		s.Part = append(s.Part, n)
		text = p.lex.Try('.')
	}
	if text {
		p.sectionText(&s, body)
	}
	p.lex.Expect(']')
	return &s
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func (p *Parser) sectionText(s *Section, body bool) {
	s.Text = string(p.lex.Keyword())
	switch s.Text {
	case "HEADER", "TEXT":
	case "MIME":
		if len(s.Part) == 0 {
			p.lex.Fail("MIME stands behind the number of a part")
		}
	case "HEADER.FIELDS", "HEADER.FIELDS.NOT":
		p.lex.Space()
		p.lex.List(1, func() { s.Fields = append(s.Fields, p.fieldName()) })
	default:
		p.lex.Fail("Unknown section")
	}
	if !body {
		p.lex.Fail("BINARY has no such section")
	}
}

// fieldName reads the name of a header field (RFC 5322, 2.2).
func (p *Parser) fieldName() string {
	name := p.lex.AString()
	p.noControls(name)
	if name == "" {
		p.lex.Fail("A header's name is empty")
	}
	return name
}

// partial reads a range of octets, if there is one.
func (p *Parser) partial(of FetchName) *Partial {
	if of == FetchBinarySize || !p.lex.Try('<') {
		return nil
	}
	var r Partial
	r.Offset = p.lex.Number()
	p.lex.Expect('.')
	if r.Count = p.lex.Number(); r.Count == 0 {
		p.lex.Fail("A range of octets is empty")
	}
	p.lex.Expect('>')
	return &r
}

// fetchModifiers reads them behind their bracket (RFC 4466, 2.4).
func (p *Parser) fetchModifiers(a *Fetch) {
	for more := true; more; more = p.lex.Try(' ') {
		switch string(p.lex.Keyword()) {
		case "CHANGEDSINCE":
			p.lex.Space()
			n := p.lex.Number()
			a.ChangedSince = &n
		case "VANISHED":
			a.Vanished = true
		default:
			p.lex.Fail("Unknown modifier of FETCH")
		}
	}
	p.lex.Expect(')')
	// RFC 7162, 3.2.6
	if a.Vanished && (!a.UID || a.ChangedSince == nil) {
		p.lex.Fail("VANISHED is for UID FETCH with CHANGEDSINCE")
	}
}
