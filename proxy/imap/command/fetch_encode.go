package command

import (
	"strings"

	"mailguard/proxy/imap/wire"
)

// Encode writes the arguments, the items always in brackets.
func (a Fetch) Encode(e *wire.Encoder) {
	a.encode(e)
	e.Space()
	encodeList(e, a.Items, func(i FetchItem) { i.encode(e) })
	if a.ChangedSince == nil {
		return
	}
	encodeWords(e, "(CHANGEDSINCE")
	e.Space()
	e.Number(*a.ChangedSince)
	if a.Vanished {
		encodeWords(e, "VANISHED")
	}
	e.Close()
}

func (i FetchItem) encode(e *wire.Encoder) {
	before, bracketed := strings.CutSuffix(string(i.Name), "]")
	e.Raw(before)
	if bracketed {
		i.Section.encode(e)
		e.Raw("]")
	}
	if i.Partial != nil {
		e.Raw("<")
		e.Number(i.Partial.Offset)
		e.Raw(".")
		e.Number(i.Partial.Count)
		e.Raw(">")
	}
	if i.Lazy {
		encodeWords(e, "(LAZY)")
	}
}

// encode writes the section without its brackets. A nil section is the whole
// message.
func (s *Section) encode(e *wire.Encoder) {
	if s == nil {
		return
	}
	for n, part := range s.Part {
		if n > 0 {
			e.Raw(".")
		}
		e.Number(uint64(part))
	}
	if len(s.Part) > 0 && s.Text != "" {
		e.Raw(".")
	}
	e.Raw(s.Text)
	if len(s.Fields) > 0 {
		e.Space()
		encodeList(e, s.Fields, e.AString)
	}
}
