package command

import (
	"slices"

	"github.com/emersion/go-imap/v2"

	"mailguard/proxy/imap/wire"
)

// Search is the arguments of SEARCH and UID SEARCH (RFC 9051, 6.4.4). What it
// finds is UIDs or sequence numbers by the command's name.
type Search struct {
	Return  *SearchReturn // nil: the answer is the old SEARCH, not ESEARCH
	Charset string        // "": none was named
	Key     SearchKey     // OpAnd of all keys
}

// SearchReturn says what a search returns (RFC 4731; RFC 5182). If all are
// false, nothing is returned.
type SearchReturn struct {
	Min, Max, All, Count, Save bool
}

func (r *SearchReturn) options() []option {
	return []option{{"MIN", &r.Min}, {"MAX", &r.Max}, {"ALL", &r.All}, {"COUNT", &r.Count}, {"SAVE", &r.Save}}
}

// SearchOp is the name of a key of SEARCH, as the RFCs spell it, or one of the
// four that have no name there.
type SearchOp string

// Operators, and the keys that a view has to look at. Those of the table
// searchForms that are not here are OpXxx by their name: SearchOp("FROM").
const (
	OpAnd    SearchOp = "AND" // all of Keys; no name in the RFC
	OpSeq    SearchOp = "SEQ" // sequence numbers in Set; no name in the RFC
	OpOr     SearchOp = "OR"  // one of Keys, two or more
	OpNot    SearchOp = "NOT" // not the one in Keys
	OpFuzzy  SearchOp = "FUZZY"
	OpUID    SearchOp = "UID" // UIDs in Set
	OpModSeq SearchOp = "MODSEQ"

	OpAll       SearchOp = "ALL"
	OpDeleted   SearchOp = "DELETED"
	OpUndeleted SearchOp = "UNDELETED"
	OpNew       SearchOp = "NEW"
	OpOld       SearchOp = "OLD"
	OpRecent    SearchOp = "RECENT"
)

// SearchKey is what a search looks for: a tree. Which fields are used depends
// on Op.
type SearchKey struct {
	Op    SearchOp
	Keys  []SearchKey // of OpAnd, OpOr, OpNot and OpFuzzy
	Set   imap.NumSet // of OpSeq and OpUID; imap.SearchRes for "$"
	Flag  imap.Flag   // of KEYWORD and UNKEYWORD
	Field string      // of HEADER: the header; of MODSEQ: the entry, or ""
	Text  string      // what is looked for; a date as in RFC 9051, 9; of MODSEQ the entry's type
	N     uint64      // octets, seconds or mod-sequence
}

// UIDKey is the key for exactly the messages of the set, which may be empty.
func UIDKey(set imap.UIDSet) SearchKey {
	if len(set) == 0 && !imap.IsSearchRes(set) {
		return NotKey(SearchKey{Op: OpAll})
	}
	return SearchKey{Op: OpUID, Set: set}
}

// NotKey is the opposite of a key.
func NotKey(k SearchKey) SearchKey { return SearchKey{Op: OpNot, Keys: []SearchKey{k}} }

// AndKey is the key for what all of the keys find.
func AndKey(keys ...SearchKey) SearchKey { return SearchKey{Op: OpAnd, Keys: keys} }

// Any reports whether is holds for the key or for one below it.
func (k SearchKey) Any(is func(SearchKey) bool) bool {
	return is(k) || slices.ContainsFunc(k.Keys, func(below SearchKey) bool { return below.Any(is) })
}

// Has reports whether the tree has a key with that operator.
func (k SearchKey) Has(op SearchOp) bool {
	return k.Any(func(k SearchKey) bool { return k.Op == op })
}

// Rewrite returns the tree with every key replaced by what f makes of it, from
// below. The tree itself stays as it is.
func (k SearchKey) Rewrite(f func(SearchKey) SearchKey) SearchKey {
	if len(k.Keys) > 0 {
		keys := make([]SearchKey, len(k.Keys))
		for i, below := range k.Keys {
			keys[i] = below.Rewrite(f)
		}
		k.Keys = keys
	}
	return f(k)
}

func (Search) args() {}

// ParseSearch is the grammar of SEARCH and UID SEARCH.
func ParseSearch(p *Parser) Args {
	var a Search
	p.lex.Space()
	a.Return = p.searchReturn()
	if p.lex.TryText("CHARSET ") {
		a.Charset = p.charset()
		p.lex.Space()
	}
	a.Key = p.searchKeys()
	return a
}

// searchReturn reads the options, if there are any, with the blank behind.
func (p *Parser) searchReturn() *SearchReturn {
	if !p.lex.TryText("RETURN ") {
		return nil
	}
	var r SearchReturn
	p.lex.List(0, func() { p.setOption(r.options(), string(p.lex.Keyword())) })
	if r == (SearchReturn{}) { // RFC 4731, 3.1
		r.All = true
	}
	p.lex.Space()
	return &r
}

// maxCharset is the longest name of a character set (RFC 2978, 2.3).
const maxCharset = 40

func (p *Parser) charset() string {
	name := p.lex.AString()
	p.noControls(name)
	if name == "" || len(name) > maxCharset {
		p.lex.Fail("Not a character set")
	}
	return name
}

// Sort is the arguments of SORT and UID SORT (RFC 5256; RFC 5267; RFC 5957).
// The character set is always named.
type Sort struct {
	Search
	Criteria []SortCriterion // one or more
}

// SortCriterion is what messages are sorted by.
type SortCriterion struct {
	Reverse bool
	Key     string // upper case
}

// sortKeys are those of RFC 5256, 5; RFC 5957; RFC 6203.
var sortKeys = makeSet("ARRIVAL", "CC", "DATE", "FROM", "SIZE", "SUBJECT", "TO", "DISPLAYFROM", "DISPLAYTO", "RELEVANCY")

// ParseSort is the grammar of SORT and UID SORT.
func ParseSort(p *Parser) Args {
	var a Sort
	p.lex.Space()
	a.Return = p.searchReturn()
	p.lex.List(1, func() { a.Criteria = append(a.Criteria, p.sortCriterion()) })
	p.lex.Space()
	a.Charset = p.charset()
	p.lex.Space()
	a.Key = p.searchKeys()
	return a
}

func (p *Parser) sortCriterion() (c SortCriterion) {
	word := p.lex.Keyword()
	if c.Reverse = string(word) == "REVERSE"; c.Reverse {
		p.lex.Space()
		word = p.lex.Keyword()
	}
	key, ok := sortKeys[string(word)]
	if !ok {
		p.lex.Fail("Unknown sort key")
	}
	c.Key = key
	return c
}

// Thread is the arguments of THREAD and UID THREAD (RFC 5256). The character
// set is always named, and Return is nil.
type Thread struct {
	Search
	Algorithm string // upper case
}

var threadAlgorithms = makeSet("ORDEREDSUBJECT", "REFERENCES", "REFS")

// ParseThread is the grammar of THREAD and UID THREAD.
func ParseThread(p *Parser) Args {
	var a Thread
	p.lex.Space()
	algorithm, ok := threadAlgorithms[string(p.lex.Keyword())]
	if !ok {
		p.lex.Fail("Unknown threading algorithm")
	}
	a.Algorithm = algorithm
	p.lex.Space()
	a.Charset = p.charset()
	p.lex.Space()
	a.Key = p.searchKeys()
	return a
}

// Encode writes what is returned, the character set and the keys.
func (a Search) Encode(e *wire.Encoder) {
	a.encodeReturn(e)
	if a.Charset != "" {
		encodeWords(e, "CHARSET")
		e.Space()
		e.AString(a.Charset)
	}
	e.Space()
	a.encodeKeys(e)
}

func (a Search) encodeReturn(e *wire.Encoder) {
	if a.Return != nil {
		encodeWords(e, "RETURN")
		e.Space()
		encodeOptions(e, a.Return.options(), nil)
	}
}

// Encode writes the arguments.
func (a Sort) Encode(e *wire.Encoder) {
	a.encodeReturn(e)
	e.Space()
	encodeList(e, a.Criteria, func(c SortCriterion) {
		if c.Reverse {
			e.Raw("REVERSE")
			e.Space()
		}
		e.Raw(c.Key)
	})
	a.encodeProgram(e)
}

// Encode writes the arguments.
func (a Thread) Encode(e *wire.Encoder) {
	encodeWords(e, a.Algorithm)
	a.encodeProgram(e)
}

// encodeProgram writes character set and keys as SORT and THREAD have them.
func (a Search) encodeProgram(e *wire.Encoder) {
	e.Space()
	e.AString(a.Charset)
	e.Space()
	a.encodeKeys(e)
}
