package imapconn

import "bytes"

// assembler makes responses of the bytes that a server sends. It does not hold
// the content of literals: in their places "{0}" is left.
type assembler struct {
	text  []byte // of the response, up to now
	piece int    // where the last line in it begins
	skip  int64  // octets of a literal still to come
	took  func(response string)
	heard func(line string) // told of each line
}

func (a *assembler) feed(raw []byte) {
	for len(raw) > 0 {
		if a.skip > 0 {
			n := min(a.skip, int64(len(raw)))
			a.skip, raw = a.skip-n, raw[n:]
			continue
		}
		end := bytes.IndexByte(raw, '\n') + 1
		if end == 0 {
			a.text = append(a.text, raw...)
			return
		}
		a.text, raw = append(a.text, raw[:end]...), raw[end:]
		a.endOfLine()
	}
}

func (a *assembler) endOfLine() {
	line := a.text[a.piece:]
	a.heard(string(line))
	if size, ok := literalAtEnd(line); ok && !isText(a.text) {
		a.skip = size
		a.text = append(a.text[:bytes.LastIndexByte(a.text, '{')], "{0}\r\n"...)
		a.piece = len(a.text)
		return
	}
	response := string(a.text)
	a.text, a.piece = a.text[:0], 0
	a.took(response)
}

// within says that a response has begun and not ended.
func (a *assembler) within() bool { return len(a.text) > 0 }
