package command

import "mailguard/proxy/imap/wire"

// List is the arguments of LIST (RFC 9051, 6.3.9; RFC 5258), LSUB and XLIST.
// Names and patterns are in UTF-8; "*" and "%" in a pattern are wildcards.
type List struct {
	Select    ListSelect // which folders; not in LSUB and XLIST
	Reference string     // may be empty
	Patterns  []string   // one or more; may be empty. LSUB and XLIST have one
	Return    *ListReturn
}

// ListSelect says which folders LIST tells of (RFC 5258, 3.1; RFC 6154).
type ListSelect struct {
	Given bool // there are options, or an empty list of them: the answer is extended

	Subscribed, Remote, RecursiveMatch, SpecialUse bool
}

// ListReturn says what LIST tells of a folder (RFC 5258, 3.2; RFC 6154; RFC
// 5819; RFC 8440).
type ListReturn struct {
	Subscribed, Children, SpecialUse, MyRights bool

	Status []StatusItem // LIST-STATUS; empty: without it
}

func (List) args() {}

// Encode writes the arguments.
func (a List) Encode(e *wire.Encoder) {
	if a.Select.Given {
		e.Space()
		encodeOptions(e, a.Select.options(), nil)
	}
	e.Space()
	e.Folder(a.Reference)
	e.Space()
	if len(a.Patterns) == 1 {
		e.Folder(a.Patterns[0])
	} else {
		encodeList(e, a.Patterns, e.Folder)
	}
	if a.Return != nil {
		encodeWords(e, "RETURN")
		e.Space()
		encodeOptions(e, a.Return.options(), a.Return.Status)
	}
}

// option is a word of the protocol and whether it is set.
type option struct {
	name string
	set  *bool
}

func (s *ListSelect) options() []option {
	return []option{
		{"SUBSCRIBED", &s.Subscribed}, {"REMOTE", &s.Remote},
		{"RECURSIVEMATCH", &s.RecursiveMatch}, {"SPECIAL-USE", &s.SpecialUse},
	}
}

func (r *ListReturn) options() []option {
	return []option{
		{"SUBSCRIBED", &r.Subscribed}, {"CHILDREN", &r.Children},
		{"SPECIAL-USE", &r.SpecialUse}, {"MYRIGHTS", &r.MyRights},
	}
}

// encodeOptions writes those that are set, in brackets, and STATUS with its
// items.
func encodeOptions(e *wire.Encoder, options []option, status []StatusItem) {
	var words []string
	for _, o := range options {
		if *o.set {
			words = append(words, o.name)
		}
	}
	e.Open()
	encodeItems(e, words, e.Raw)
	if len(status) > 0 {
		if len(words) > 0 {
			e.Space()
		}
		e.Raw("STATUS")
		e.Space()
		encodeStatusItems(e, status)
	}
	e.Close()
}

// setOption sets the option of that name.
func (p *Parser) setOption(options []option, name string) {
	for _, o := range options {
		if o.name == name {
			*o.set = true
			return
		}
	}
	p.lex.Fail("Unknown option")
}

// ParseList is the grammar of LIST.
func ParseList(p *Parser) Args {
	var a List
	p.lex.Space()
	if p.lex.Peek() == '(' {
		a.Select.Given = true
		p.lex.List(0, func() { p.setOption(a.Select.options(), string(p.lex.Keyword())) })
		p.lex.Space()
	}
	// RFC 5258, 3.1: it only says how another option is meant.
	if a.Select.RecursiveMatch && !a.Select.Subscribed && !a.Select.SpecialUse {
		p.lex.Fail("RECURSIVEMATCH stands with another option")
	}
	a.Reference = p.decodeName(p.lex.AString())
	p.lex.Space()
	if p.lex.Peek() == '(' {
		p.lex.List(1, func() { a.Patterns = append(a.Patterns, p.pattern()) })
	} else {
		a.Patterns = []string{p.pattern()}
	}
	if p.lex.TryText(" RETURN ") {
		a.Return = p.listReturn()
	}
	return a
}

func (p *Parser) pattern() string { return p.decodeName(p.lex.Pattern()) }

func (p *Parser) listReturn() *ListReturn {
	var r ListReturn
	p.lex.List(0, func() {
		name := string(p.lex.Keyword())
		if name == "STATUS" {
			p.lex.Space()
			r.Status = p.statusItems()
			return
		}
		p.setOption(r.options(), name)
	})
	return &r
}

// ParseLSub is the grammar of LSUB and XLIST (RFC 3501, 6.3.9).
func ParseLSub(p *Parser) Args {
	var a List
	p.lex.Space()
	a.Reference = p.decodeName(p.lex.AString())
	p.lex.Space()
	a.Patterns = []string{p.pattern()}
	return a
}
