package command

import (
	"errors"
	"strings"
	"time"

	"mailguard/proxy/imap/wire"
)

// searchForm is what stands behind the name of a key.
type searchForm int

const (
	formNone searchForm = iota
	formText
	formDate
	formNumber
	formSeconds
	formKeyword
	formObjectID
	formHeader
	formUID
	formModSeq
	formKey // another key
	formOr
)

type searchName struct {
	op   SearchOp
	form searchForm
}

// searchForms is the table of keys: RFC 9051, 6.4.4; RFC 3501 (NEW, OLD,
// RECENT); RFC 5032 (OLDER, YOUNGER); RFC 6203 (FUZZY); RFC 7162 (MODSEQ); RFC
// 8474 (EMAILID, THREADID); RFC 8514 (SAVE...).
var searchForms = makeSearchForms(map[searchForm]string{
	formNone: `ALL ANSWERED DELETED DRAFT FLAGGED NEW OLD RECENT SEEN UNANSWERED UNDELETED UNDRAFT UNFLAGGED UNSEEN
		SAVEDATESUPPORTED`,
	formText:     "BCC BODY CC FROM SUBJECT TEXT TO",
	formDate:     "BEFORE ON SENTBEFORE SENTON SENTSINCE SINCE SAVEDBEFORE SAVEDON SAVEDSINCE",
	formNumber:   "LARGER SMALLER",
	formSeconds:  "OLDER YOUNGER",
	formKeyword:  "KEYWORD UNKEYWORD",
	formObjectID: "EMAILID THREADID",
	formHeader:   "HEADER",
	formUID:      "UID",
	formModSeq:   "MODSEQ",
	formKey:      "NOT FUZZY",
	formOr:       "OR",
})

func makeSearchForms(lists map[searchForm]string) map[string]searchName {
	m := make(map[string]searchName)
	for form, list := range lists {
		for name := range strings.FieldsSeq(list) {
			m[name] = searchName{SearchOp(name), form}
		}
	}
	return m
}

// maxSearchKeys is how many keys a search may have.
const maxSearchKeys = 1_000

// searchKeys reads keys up to the end of the line; all must hold.
func (p *Parser) searchKeys() SearchKey {
	keys := []SearchKey{p.searchKey()}
	for p.lex.Try(' ') {
		keys = append(keys, p.searchKey())
	}
	return AndKey(keys...)
}

func (p *Parser) searchKey() SearchKey {
	if p.keys++; p.keys > maxSearchKeys {
		p.lex.Fail("Too many search keys")
	}
	switch c := p.lex.Peek(); {
	case c == '(':
		return p.searchGroup()
	case isDigit(c), c == '*', c == '$':
		return SearchKey{Op: OpSeq, Set: p.lex.NumSet(false, p.searchRes)}
	default:
		return p.namedKey()
	}
}

// searchGroup reads keys in brackets. One alone needs none.
func (p *Parser) searchGroup() SearchKey {
	var keys []SearchKey
	p.lex.List(1, func() { keys = append(keys, p.searchKey()) })
	if len(keys) == 1 {
		return keys[0]
	}
	return AndKey(keys...)
}

func (p *Parser) namedKey() SearchKey {
	name, ok := searchForms[string(p.lex.Keyword())]
	if !ok {
		p.lex.Fail("Unknown search key")
		return SearchKey{}
	}
	k := SearchKey{Op: name.op}
	if name.form != formNone {
		p.lex.Space()
	}
	switch name.form {
	case formText:
		k.Text = p.lex.AString()
	case formDate:
		k.Text = p.date()
	case formNumber:
		k.N = p.lex.Number()
	case formSeconds:
		k.N = uint64(p.positive())
	case formKeyword:
		k.Flag = p.keyword()
	case formObjectID:
		k.Text = p.objectID()
	case formHeader:
		k.Field = p.fieldName()
		p.lex.Space()
		k.Text = p.lex.AString()
	case formUID:
		k.Set = p.lex.NumSet(true, p.searchRes)
	case formModSeq:
		p.modSeqKey(&k)
	case formKey, formOr:
		k.Keys = p.keysBelow(name.form)
	}
	return k
}

func (p *Parser) positive() uint32 {
	n := p.lex.Number32()
	if n == 0 {
		p.lex.Fail("A number is 0")
	}
	return n
}

// keysBelow reads the key of NOT and FUZZY, or the keys of OR.
func (p *Parser) keysBelow(form searchForm) []SearchKey {
	p.lex.Enter()
	defer p.lex.Leave()
	if form == formKey {
		return []SearchKey{p.searchKey()}
	}
	return p.orKeys()
}

// orKeys reads the keys of OR. Clients look for one of many by OR a OR b OR c
// d: that is one list, not a deep tree.
func (p *Parser) orKeys() []SearchKey {
	var keys []SearchKey
	for more := true; more; more = p.lex.TryText("OR ") {
		keys = append(keys, p.searchKey())
		p.lex.Space()
	}
	last := p.searchKey()
	if last.Op == OpOr {
		return append(keys, last.Keys...)
	}
	return append(keys, last)
}

// dateLayout is date-text (RFC 9051, 9).
const dateLayout = "2-Jan-2006"

// date reads a date, with or without quotes.
func (p *Parser) date() string {
	var text string
	if p.lex.Peek() == '"' {
		text = p.lex.Quoted()
	} else {
		text = p.lex.Atom()
	}
	t, err := time.ParseInLocation(dateLayout, text, time.UTC)
	if err != nil {
		p.lex.Fail("Not a date")
		return ""
	}
	return t.Format(dateLayout)
}

// maxObjectID is the longest id of an object (RFC 8474, 7).
const maxObjectID = 255

func (p *Parser) objectID() string {
	id := p.lex.AString()
	if id == "" || len(id) > maxObjectID || strings.ContainsFunc(id, notObjectID) {
		p.lex.Fail("Not the id of an object")
	}
	return id
}

func notObjectID(r rune) bool {
	letter := r|0x20 >= 'a' && r|0x20 <= 'z'
	return !letter && (r < '0' || r > '9') && r != '-' && r != '_'
}

// errNoKey is a mistake of our own.
var errNoKey = errors.New("a search has a key that is none")

// entryTypes are those of RFC 7162, 3.1.5.
var entryTypes = makeSet("ALL", "PRIV", "SHARED")

// modSeqKey reads MODSEQ [entry type] number.
func (p *Parser) modSeqKey(k *SearchKey) {
	if p.lex.Peek() == '"' {
		k.Field = p.lex.Quoted()
		p.noControls(k.Field)
		if !strings.HasPrefix(k.Field, "/flags/") {
			p.lex.Fail("Not the name of a flag's entry")
		}
		p.lex.Space()
		kind, ok := entryTypes[string(p.lex.Keyword())]
		if !ok {
			p.lex.Fail("Unknown type of an entry")
		}
		k.Text = kind
		p.lex.Space()
	}
	k.N = p.lex.Number()
}

// encodeKeys writes the keys of the root, without brackets.
func (a Search) encodeKeys(e *wire.Encoder) {
	switch {
	case a.Key.Op != OpAnd:
		a.Key.encode(e)
	case len(a.Key.Keys) == 0:
		e.Raw(string(OpAll))
	default:
		encodeItems(e, a.Key.Keys, func(k SearchKey) { k.encode(e) })
	}
}

func (k SearchKey) encode(e *wire.Encoder) {
	switch k.Op {
	case OpAnd:
		k.encodeAnd(e)
	case OpOr:
		k.encodeOr(e)
	case OpSeq:
		encodeSet(e, k.Set, false)
	default:
		k.encodeNamed(e)
	}
}

// encodeAnd writes a group. Nothing at all holds for every message.
func (k SearchKey) encodeAnd(e *wire.Encoder) {
	switch len(k.Keys) {
	case 0:
		e.Raw(string(OpAll))
	case 1:
		k.Keys[0].encode(e)
	default:
		encodeList(e, k.Keys, func(below SearchKey) { below.encode(e) })
	}
}

// encodeOr writes OR a OR b c. Nothing at all holds for no message.
func (k SearchKey) encodeOr(e *wire.Encoder) {
	if len(k.Keys) == 0 {
		NotKey(SearchKey{Op: OpAll}).encode(e)
		return
	}
	last := len(k.Keys) - 1
	for _, below := range k.Keys[:last] {
		e.Raw("OR")
		e.Space()
		below.encode(e)
		e.Space()
	}
	k.Keys[last].encode(e)
}

func (k SearchKey) encodeNamed(e *wire.Encoder) {
	name, ok := searchForms[string(k.Op)]
	if !ok {
		e.Fail(errNoKey)
		return
	}
	e.Raw(string(k.Op))
	if name.form != formNone {
		e.Space()
	}
	switch name.form {
	case formText:
		e.AString(k.Text)
	case formDate, formObjectID:
		e.Raw(k.Text)
	case formNumber, formSeconds:
		e.Number(k.N)
	case formKeyword:
		e.Raw(string(k.Flag))
	case formHeader:
		e.AString(k.Field)
		e.Space()
		e.AString(k.Text)
	case formUID:
		encodeSet(e, k.Set, true)
	case formModSeq:
		k.encodeModSeq(e)
	case formKey:
		k.encodeBelow(e)
	}
}

func (k SearchKey) encodeModSeq(e *wire.Encoder) {
	if k.Field != "" {
		e.String(k.Field)
		e.Space()
		e.Raw(strings.ToLower(k.Text))
		e.Space()
	}
	e.Number(k.N)
}

// encodeBelow writes the key of NOT and FUZZY.
func (k SearchKey) encodeBelow(e *wire.Encoder) {
	if len(k.Keys) != 1 {
		e.Fail(errNoKey)
		return
	}
	k.Keys[0].encode(e)
}
