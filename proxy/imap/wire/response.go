package wire

import "bytes"

// Kind is what a response is, as far as its first words tell (RFC 9051, 7).
type Kind uint8

// The kinds of responses.
const (
	Malformed    Kind = iota
	Continuation      // "+": the server waits for more of a command
	Tagged            // the end of a command
	Status            // "* OK", NO, BAD, BYE, PREAUTH: text for people, with a response code perhaps
	Numbered          // "* 5 FETCH", EXISTS, EXPUNGE, RECENT
	Data              // all other untagged responses
)

// Head is how a response begins.
type Head struct {
	Kind   Kind
	Tag    []byte // of a tagged one
	Number uint32 // of a numbered one
	Word   []byte // what it is, as the server spelt it: "FETCH", "OK", "LIST"
	Rest   int    // where in the line the text behind the word (and a blank) begins
}

// Is compares the word, in any case.
func (h Head) Is(word string) bool { return equalFold(h.Word, word) }

// ParseHead reads the beginning of a response's first segment.
func ParseHead(line []byte) Head {
	body := trimCRLF(line)
	if len(body) == 0 || body[0] == ' ' {
		return Head{}
	}
	if body[0] == '+' && (len(body) == 1 || body[1] == ' ') {
		return Head{Kind: Continuation, Rest: min(2, len(body))}
	}
	first, next := word(body, 0)
	second, rest := word(body, next)
	if len(second) == 0 {
		return Head{}
	}
	if len(first) != 1 || first[0] != '*' {
		return Head{Kind: Tagged, Tag: first, Word: second, Rest: rest}
	}
	if n, ok := number(second); ok {
		third, rest := word(body, rest)
		if len(third) == 0 {
			return Head{}
		}
		return Head{Kind: Numbered, Number: n, Word: third, Rest: rest}
	}
	if isStatusWord(second) {
		return Head{Kind: Status, Word: second, Rest: rest}
	}
	return Head{Kind: Data, Word: second, Rest: rest}
}

// word returns the word at i, and where the next one begins.
func word(b []byte, i int) (w []byte, next int) {
	rest := b[i:]
	end := bytes.IndexByte(rest, ' ')
	if end < 0 {
		return rest, len(b)
	}
	return rest[:end], i + end + 1
}

func number(w []byte) (uint32, bool) {
	if len(w) == 0 || len(w) > 10 {
		return 0, false
	}
	var n uint64
	for _, c := range w {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return uint32(n), n <= 0xffffffff
}

// isStatus reports whether a response is text for people (RFC 9051, 7.1), a
// tagged one or a continuation: none of these has literals, and a "{5}" at the
// end of a sentence announces nothing.
func isStatus(line []byte) bool {
	if !bytes.HasPrefix(line, []byte("* ")) {
		return true
	}
	if len(line) > 2 && '0' <= line[2] && line[2] <= '9' { // most of them: of a message
		return false
	}
	w, _ := word(trimCRLF(line), 2)
	return isStatusWord(w)
}

func isStatusWord(w []byte) bool {
	for _, s := range [...]string{"OK", "NO", "BAD", "BYE", "PREAUTH"} {
		if equalFold(w, s) {
			return true
		}
	}
	return false
}

// equalFold compares ASCII in any case; upper is in upper case.
func equalFold(b []byte, upper string) bool {
	if len(b) != len(upper) {
		return false
	}
	for i, c := range b {
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		if c != upper[i] {
			return false
		}
	}
	return true
}

func trimCRLF(line []byte) []byte {
	n := len(line)
	if n > 0 && line[n-1] == '\n' {
		n--
	}
	if n > 0 && line[n-1] == '\r' {
		n--
	}
	return line[:n]
}

// Code returns a response code and what stands in it behind its name, from the
// text behind OK, NO, BAD or BYE: "[UIDNEXT 5] Next" gives "UIDNEXT" and "5".
// rest is the text behind the code, and the whole text where there is none.
func Code(text []byte) (name, argument, rest []byte) {
	text = trimCRLF(text)
	if len(text) == 0 || text[0] != '[' {
		return nil, nil, text
	}
	end := codeEnd(text)
	if end < 0 {
		return nil, nil, text
	}
	name, next := word(text[1:end], 0)
	return name, text[1+next : end], bytes.TrimPrefix(text[end+1:], []byte(" "))
}

// codeEnd finds the bracket that ends a code. One within quotes does not.
func codeEnd(text []byte) int {
	quoted := false
	for i := 1; i < len(text); i++ {
		switch {
		case quoted && text[i] == '\\':
			i++
		case text[i] == '"':
			quoted = !quoted
		case text[i] == ']' && !quoted:
			return i
		}
	}
	return -1
}
