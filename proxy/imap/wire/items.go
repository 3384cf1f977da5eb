package wire

import (
	"bytes"
	"errors"
)

// Item is one data item of a FETCH response (RFC 9051, 7.5.2), as offsets into
// the segment in which it was found.
type Item struct {
	Start int    // of the name, or 0 where the name was in an earlier segment
	Name  []byte // with section and origin: "FLAGS", "BODY[HEADER]<0>"; nil where Start is of no use
	Value int    // where the value begins
	End   int    // behind the value; of a literal: behind its announcement

	Literal bool // the value is the literal that follows the segment
}

// Is compares the name, in any case.
func (i *Item) Is(name string) bool { return equalFold(i.Name, name) }

// Items goes through the items of one FETCH response, segment after segment.
// Values are skipped, not parsed. The zero value is ready for a response; it
// holds no memory.
type Items struct {
	state itemState
	depth int
	pos   int
	name  int // where the item's name began in this segment; -1: in an earlier one
	named []byte
	value int
	ends  bool // the value that was returned last is the literal behind this segment
}

type itemState uint8

const (
	itemsStart itemState = iota // before the list
	itemName                    // before or within a name
	itemValue                   // before a value
	itemList                    // within a value that is a list
	itemsDone                   // behind the list
)

// ErrItems is the error of a FETCH response whose items make no sense.
var ErrItems = errors.New("the items of a FETCH response make no sense")

// Begin starts with the next segment of the response; at is where the items
// begin in it: Head.Rest in the first one, 0 in the others.
func (s *Items) Begin(at int) { s.pos, s.name, s.value, s.ends = at, -1, at, false }

// Next returns the next item whose value ends in this segment. At the end of
// the segment it returns false.
func (s *Items) Next(text []byte, literal bool) (Item, bool, error) {
	text = trimCRLF(text)
	if literal {
		text = text[:announced(text)]
	}
	for !s.ends {
		switch s.state {
		case itemsStart:
			if s.pos >= len(text) || text[s.pos] != '(' {
				return Item{}, false, ErrItems
			}
			s.pos++
			s.state = itemName
		case itemName:
			if done, err := s.scanName(text); done || err != nil {
				return Item{}, false, err
			}
		case itemValue, itemList:
			return s.scanValue(text, literal)
		case itemsDone:
			if s.pos != len(text) {
				return Item{}, false, ErrItems
			}
			return Item{}, false, nil
		}
	}
	return Item{}, false, nil
}

// announced returns where the announcement of a literal begins.
func announced(text []byte) int {
	i := bytes.LastIndexByte(text, '{')
	if i > 0 && text[i-1] == '~' {
		i--
	}
	return max(i, 0)
}

// scanName reads a name up to the blank behind it, or the end of the list. A
// section in brackets belongs to it. done: the segment ends here.
func (s *Items) scanName(text []byte) (done bool, err error) {
	for s.pos < len(text) && text[s.pos] == ' ' {
		s.pos++
	}
	if s.pos < len(text) && text[s.pos] == ')' {
		s.pos++
		s.state = itemsDone
		return false, nil
	}
	start := s.pos
	for s.pos < len(text) {
		switch text[s.pos] {
		case '[':
			end := codeEnd(text[s.pos:])
			if end < 0 {
				return false, ErrItems
			}
			s.pos += end
		case ' ':
			s.name, s.named = start, text[start:s.pos]
			s.pos++
			s.state, s.value, s.depth = itemValue, s.pos, 0
			return false, nil
		case '(', ')', '"':
			return false, ErrItems
		}
		s.pos++
	}
	if start == len(text) { // the list does not end in this segment
		return true, ErrItems
	}
	return false, ErrItems
}

// scanValue skips a value. One that is a literal, or has one in it, goes on in
// the next segment.
func (s *Items) scanValue(text []byte, literal bool) (Item, bool, error) {
	for s.pos = plainEnd(text, s.pos); s.pos < len(text); s.pos = plainEnd(text, s.pos) {
		switch text[s.pos] {
		case '"':
			end := quotedEnd(text, s.pos)
			if end < 0 {
				return Item{}, false, ErrItems
			}
			s.pos = end
		case '(':
			s.depth++
			s.state = itemList
			s.pos++
		case ')':
			if s.depth == 0 {
				return s.found(s.pos), true, nil
			}
			s.depth--
			s.pos++
			if s.depth == 0 {
				return s.found(s.pos), true, nil
			}
		case ' ':
			if s.depth == 0 {
				return s.found(s.pos), true, nil
			}
			s.pos++
		}
	}
	if !literal {
		return Item{}, false, ErrItems
	}
	if s.depth > 0 { // in the middle of a list
		s.name = -1
		return Item{}, false, nil
	}
	if s.state != itemValue {
		return Item{}, false, ErrItems
	}
	item := s.found(s.pos)
	item.Literal, s.ends = true, true
	return item, true, nil
}

func (s *Items) found(end int) Item {
	item := Item{Start: s.name, Name: s.named, Value: s.value, End: end}
	if s.name < 0 {
		item.Start, item.Name, item.Value = 0, nil, 0
	}
	s.state, s.name, s.named = itemName, -1, nil
	return item
}

// plainEnd returns where something begins, at i or behind it, that is not just
// a part of a word.
func plainEnd(text []byte, i int) int {
	for i < len(text) && text[i] != ' ' && text[i] != '"' && text[i] != '(' && text[i] != ')' {
		i++
	}
	return i
}

// quotedEnd returns where the quoted string that begins at i has ended.
func quotedEnd(text []byte, i int) int {
	for i++; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}
