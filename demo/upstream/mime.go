package upstream

import (
	"bytes"
	"iter"
	"mime"
	"net/mail"
	"strings"
	"time"
)

// field is one header field with its folded lines and their ends.
type field struct {
	raw  []byte
	name string
}

// fields takes a header block apart.
func fields(header []byte) iter.Seq[field] {
	return func(yield func(field) bool) {
		for len(header) > 0 && !bytes.HasPrefix(header, []byte("\r\n")) {
			n := fieldLength(header)
			name, _, _ := bytes.Cut(header[:n], []byte(":"))
			if !yield(field{header[:n], string(bytes.TrimRight(name, " \t"))}) {
				return
			}
			header = header[n:]
		}
	}
}

// fieldLength is the length of the first field: a line that begins with a
// blank belongs to it (RFC 5322, 2.2.3).
func fieldLength(header []byte) int {
	for n := 0; ; {
		i := bytes.IndexByte(header[n:], '\n')
		if i < 0 {
			return len(header)
		}
		n += i + 1
		if n == len(header) || header[n] != ' ' && header[n] != '\t' {
			return n
		}
	}
}

func (f field) is(name string) bool { return strings.EqualFold(f.name, name) }

// folded is what stands behind the colon.
func (f field) folded() string {
	_, value, _ := bytes.Cut(f.raw, []byte(":"))
	return string(bytes.TrimSpace(value))
}

func (f field) value() string { return unfold(f.folded()) }

// unfold is RFC 5322, 2.2.3.
func unfold(text string) string { return strings.ReplaceAll(text, "\r\n", "") }

// decoded is the value with its encoded words read (RFC 2047).
func (f field) decoded() string {
	text, err := new(mime.WordDecoder).DecodeHeader(f.value())
	if err != nil {
		return f.value()
	}
	return text
}

// headerValue is the first field of that name.
func headerValue(header []byte, name string) (string, bool) {
	for f := range fields(header) {
		if f.is(name) {
			return f.value(), true
		}
	}
	return "", false
}

func sentDate(t *text) (time.Time, error) {
	value, _ := headerValue(t.raw[:t.header], "Date")
	return mail.ParseDate(value)
}

// sentDay is the date for a comparison of days. A message without one was sent
// long ago, as Dovecot sees it.
func sentDay(t *text) time.Time {
	date, err := sentDate(t)
	if err != nil {
		return time.Unix(0, 0).UTC()
	}
	return date
}

// part is one part of a message, or the whole of it.
type part struct {
	header, body []byte
	kind, sub    string      // text, plain
	params       [][2]string // of Content-Type
	children     []*part     // of multipart
	inner        *part       // of message/rfc822
}

// parsePart reads a part. Without a type of its own it is of that kind.
func parsePart(raw []byte, kind string) *part {
	n := headerLength(raw)
	p := &part{header: raw[:n], body: raw[n:]}
	value, ok := headerValue(p.header, "Content-Type")
	if !ok {
		value = kind
	}
	kind, p.params = parseParams(value)
	if p.kind, p.sub, ok = strings.Cut(kind, "/"); !ok {
		p.kind, p.sub, p.params = "text", "plain", nil
	}
	switch {
	case p.kind == "multipart":
		p.children = p.split()
	case p.kind == "message" && p.sub == "rfc822":
		p.inner = parsePart(p.body, "text/plain")
	}
	return p
}

// parseParams takes a value with its parameters apart (RFC 2045, 5.1).
func parseParams(value string) (first string, params [][2]string) {
	first, rest, _ := strings.Cut(value, ";")
	for rest != "" {
		name, after, ok := strings.Cut(rest, "=")
		if !ok {
			break
		}
		var text string
		if after = strings.TrimSpace(after); strings.HasPrefix(after, `"`) {
			text, after = unquote(after[1:])
		} else {
			i := strings.IndexByte(after+";", ';')
			text, after = strings.TrimSpace(after[:i]), after[i:]
		}
		params = append(params, [2]string{strings.ToLower(strings.TrimSpace(name)), text})
		_, rest, _ = strings.Cut(after, ";")
	}
	return strings.ToLower(strings.TrimSpace(first)), params
}

// unquote reads to the closing quote.
func unquote(text string) (content, rest string) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			return b.String(), text[i+1:]
		case c == '\\' && i+1 < len(text):
			i++
			b.WriteByte(text[i])
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), ""
}

func (p *part) param(name string) string {
	for _, param := range p.params {
		if param[0] == name {
			return param[1]
		}
	}
	return ""
}

// split finds the parts of a multipart body (RFC 2046, 5.1.1).
func (p *part) split() (parts []*part) {
	boundary := []byte("--" + p.param("boundary"))
	kind := "text/plain"
	if p.sub == "digest" {
		kind = "message/rfc822"
	}
	from := -1
	for at := 0; at < len(p.body); {
		end := bytes.IndexByte(p.body[at:], '\n')
		next := len(p.body)
		if end >= 0 {
			next = at + end + 1
		}
		line := bytes.TrimRight(p.body[at:next], "\r\n\t ")
		last := bytes.Equal(line, append(boundary[:len(boundary):len(boundary)], "--"...))
		if last || bytes.Equal(line, boundary) {
			if from >= 0 {
				parts = append(parts, parsePart(bytes.TrimSuffix(p.body[from:at], []byte("\r\n")), kind))
			}
			if from = next; last {
				return parts
			}
		}
		at = next
	}
	if from >= 0 {
		parts = append(parts, parsePart(p.body[from:], kind))
	}
	return parts
}

// find follows the numbers of a section (RFC 9051, 6.4.5.1). nil: none there.
func (p *part) find(path []int) *part {
	for i, n := range path {
		if p.inner != nil && i > 0 {
			p = p.inner
		}
		switch {
		case p.kind == "multipart" && n >= 1 && n <= len(p.children):
			p = p.children[n-1]
		case p.kind != "multipart" && n == 1 && (i == 0 || p.inner == nil && i == len(path)-1):
		default:
			return nil
		}
	}
	return p
}
