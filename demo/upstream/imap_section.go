package upstream

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime/quotedprintable"
	"slices"
	"strconv"
	"strings"
)

// section is what BODY[...] and its kin ask for (RFC 9051, 6.4.5).
type section struct {
	label     string // how the answer names it, such as BODY[TEXT]<5>
	path      []int
	what      string   // "", HEADER, TEXT, MIME, HEADER.FIELDS, HEADER.FIELDS.NOT
	fields    []string // of the last two
	partial   bool
	from, max int
	binary    bool // decoded (RFC 3516)
	sizeOnly  bool
	structure bool // no section: ENVELOPE, BODY or BODYSTRUCTURE
}

// parseSection reads the item from its bracket on: [...]<...>.
func parseSection(name, rest string) (sec section, ok bool) {
	inside, behind, ok := strings.Cut(rest[1:], "]")
	if !ok {
		return sec, false
	}
	sec.label = name + "[" + strings.ToUpper(inside) + "]"
	if !sec.readPartial(behind) || !sec.readInside(inside) {
		return sec, false
	}
	sec.binary = strings.HasPrefix(name, "BINARY")
	sec.sizeOnly = name == "BINARY.SIZE"
	return sec, !sec.binary || sec.what == ""
}

func (sec *section) readPartial(behind string) bool {
	if behind == "" {
		return true
	}
	from, count, ok := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(behind, "<"), ">"), ".")
	var err1, err2 error
	sec.from, err1 = strconv.Atoi(from)
	sec.max, err2 = strconv.Atoi(count)
	sec.partial = true
	sec.label += "<" + from + ">"
	return ok && err1 == nil && err2 == nil && sec.from >= 0 && sec.max >= 0 && len(behind) == len(from)+len(count)+3
}

func (sec *section) readInside(inside string) bool {
	for inside != "" && inside[0] >= '0' && inside[0] <= '9' {
		number, rest, more := strings.Cut(inside, ".")
		n, err := strconv.Atoi(number)
		if err != nil || n == 0 || more && rest == "" {
			return false
		}
		sec.path = append(sec.path, n)
		inside = rest
	}
	what, list, listed := strings.Cut(inside, " ")
	sec.what = strings.ToUpper(what)
	if !listed {
		return slices.Contains([]string{"", "HEADER", "TEXT"}, sec.what) || sec.what == "MIME" && len(sec.path) > 0
	}
	if sec.what != "HEADER.FIELDS" && sec.what != "HEADER.FIELDS.NOT" || !strings.HasPrefix(list, "(") || !strings.HasSuffix(list, ")") {
		return false
	}
	for _, name := range strings.Fields(list[1 : len(list)-1]) {
		sec.fields = append(sec.fields, strings.Trim(name, `"`))
	}
	return len(sec.fields) > 0
}

// of is what the section holds of a message, and whether it was decoded for
// that. It is not to be changed.
func (sec *section) of(t *text) (content []byte, decoded bool) {
	content, decoded = sec.whole(t)
	if !sec.partial {
		return content, decoded
	}
	from := min(sec.from, len(content))
	return content[from:min(len(content), from+sec.max)], decoded
}

// whole is the section without its partial. BINARY[] shows a message as it is
// stored; Dovecot would decode its parts and change their headers.
func (sec *section) whole(t *text) (content []byte, decoded bool) {
	if len(sec.path) == 0 {
		return sec.pick(t.raw[:t.header], t.raw[t.header:], t.raw), false
	}
	p := t.structure().find(sec.path)
	switch {
	case p == nil:
		return nil, false
	case sec.binary:
		return p.decoded()
	case sec.what == "":
		return p.body, false
	case sec.what == "MIME":
		return p.header, false
	case p.inner != nil:
		return sec.pick(p.inner.header, p.inner.body, p.body), false
	}
	return nil, false
}

// pick chooses from a message.
func (sec *section) pick(header, body, all []byte) []byte {
	switch sec.what {
	case "":
		return all
	case "HEADER":
		return header
	case "TEXT":
		return body
	}
	return someFields(header, sec.fields, sec.what == "HEADER.FIELDS")
}

// someFields are the fields that are listed, or that are not.
func someFields(header []byte, names []string, listed bool) []byte {
	var some []byte
	for f := range fields(header) {
		if slices.ContainsFunc(names, f.is) == listed {
			some = append(some, f.raw...)
		}
	}
	return append(some, "\r\n"...)
}

// decoded undoes the part's transfer encoding, where it has one. What cannot be
// decoded stays.
func (p *part) decoded() (content []byte, was bool) {
	encoding, _ := headerValue(p.header, "Content-Transfer-Encoding")
	var r io.Reader
	switch strings.ToLower(encoding) {
	case "base64":
		r = base64.NewDecoder(base64.StdEncoding, bytes.NewReader(p.body))
	case "quoted-printable":
		r = quotedprintable.NewReader(bytes.NewReader(p.body))
	default:
		return p.body, false
	}
	content, err := io.ReadAll(r)
	if err != nil {
		return p.body, false
	}
	return content, true
}
