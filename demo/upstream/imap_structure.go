package upstream

import (
	"bytes"
	"fmt"
	"net/mail"
	"strings"
)

// nstring is RFC 9051, 9, nstring: NIL, quoted, or a literal. Folded text is
// unfolded; as Dovecot does, a literal holds it all the same.
func nstring(text string, there bool) string {
	switch {
	case !there:
		return "NIL"
	case strings.ContainsAny(text, "\r\n\x00\"\\") || strings.ContainsFunc(text, func(r rune) bool { return r > '~' }):
		text = unfold(text)
		return fmt.Sprintf("{%d}\r\n%s", len(text), text)
	}
	return quote(text)
}

// envelope is RFC 9051, 7.5.2, ENVELOPE.
func envelope(header []byte) string {
	values := make(map[string]string)
	for f := range fields(header) {
		name := strings.ToLower(f.name)
		if _, known := values[name]; !known {
			values[name] = f.folded()
		}
	}
	text := func(name string) string {
		value, there := values[name]
		return nstring(value, there)
	}
	from := addresses(values["from"])
	or := func(name string) string { // an absent Sender or Reply-To is the From
		if list := addresses(values[name]); list != "NIL" {
			return list
		}
		return from
	}
	return "(" + strings.Join([]string{
		text("date"), text("subject"), from, or("sender"), or("reply-to"),
		addresses(values["to"]), addresses(values["cc"]), addresses(values["bcc"]), text("in-reply-to"), text("message-id"),
	}, " ") + ")"
}

// addresses writes an address list, NIL where there is none.
func addresses(value string) string {
	var b strings.Builder
	p := &addressParser{text: unfold(value)}
	for p.text = strings.TrimLeft(p.text, " \t,"); p.text != ""; p.text = strings.TrimLeft(p.text, " \t,") {
		p.one(&b)
	}
	if b.Len() == 0 {
		return "NIL"
	}
	return "(" + b.String() + ")"
}

// firstLocal is the part before the @ of the first address in a list.
func firstLocal(value string) string {
	list, err := mail.ParseAddressList(value)
	if err != nil || len(list) == 0 {
		return ""
	}
	local, _, _ := strings.Cut(list[0].Address, "@")
	return local
}

// addressParser reads RFC 5322, 3.4, as far as ordinary mail goes.
type addressParser struct{ text string }

// one writes one address, or the begin or end of a group.
func (p *addressParser) one(b *strings.Builder) {
	var words, comment string
	var angle, inAngle bool
	var spec strings.Builder
	for p.text != "" {
		c := p.text[0]
		p.text = p.text[1:]
		switch {
		case c == '"':
			var word string
			word, p.text = unquote(p.text)
			if inAngle {
				spec.WriteString(word)
			} else {
				words += word
			}
		case c == '(':
			var text string
			if text, p.text, _ = strings.Cut(p.text, ")"); words != "" { // one in front is no name
				comment = text
			}
		case c == '<':
			angle, inAngle = true, true
		case c == '>':
			inAngle = false
		case inAngle:
			spec.WriteByte(c)
		case c == ':' && !angle:
			fmt.Fprintf(b, "(NIL NIL %s NIL)", quote(strings.TrimSpace(words)))
			return
		case c == ';':
			p.flush(b, words, comment, spec.String(), angle)
			b.WriteString("(NIL NIL NIL NIL)")
			return
		case c == ',':
			p.flush(b, words, comment, spec.String(), angle)
			return
		default:
			words += string(c)
		}
	}
	p.flush(b, words, comment, spec.String(), angle)
}

// flush writes the address that was read.
func (p *addressParser) flush(b *strings.Builder, words, comment, spec string, angle bool) {
	words = strings.TrimSpace(words)
	name, named := words, words != ""
	if !angle {
		name, named, spec = comment, comment != "", words
	}
	if spec == "" {
		return
	}
	at := strings.LastIndexByte(spec, '@')
	local, domain := spec, "MISSING_DOMAIN"
	if at >= 0 {
		local, domain = spec[:at], spec[at+1:]
	}
	fmt.Fprintf(b, "(%s NIL %s %s)", nstring(name, named), nstring(strings.TrimSpace(local), true), nstring(strings.TrimSpace(domain), true))
}

// write is BODYSTRUCTURE, or BODY where it is not extended (RFC 9051, 7.5.2).
func (p *part) write(b *strings.Builder, extended bool) {
	b.WriteByte('(')
	defer b.WriteByte(')')
	if p.kind == "multipart" && len(p.children) > 0 {
		for _, child := range p.children {
			child.write(b, extended)
		}
		b.WriteString(" " + quote(p.sub))
		if extended {
			b.WriteString(" " + paramList(p.params))
			b.WriteString(p.extension())
		}
		return
	}
	p.writeLeaf(b, extended)
}

func (p *part) writeLeaf(b *strings.Builder, extended bool) {
	params := p.params
	if p.kind == "text" && p.param("charset") == "" {
		params = append(params[:len(params):len(params)], [2]string{"charset", "us-ascii"})
	}
	id, hasID := headerValue(p.header, "Content-ID")
	description, described := headerValue(p.header, "Content-Description")
	encoding, encoded := headerValue(p.header, "Content-Transfer-Encoding")
	if !encoded {
		encoding = "7bit"
	}
	fmt.Fprintf(b, "%s %s %s %s %s %s %d", quote(p.kind), quote(p.sub), paramList(params),
		nstring(id, hasID), nstring(description, described), quote(encoding), len(p.body))
	if p.inner != nil {
		b.WriteString(" " + envelope(p.inner.header) + " ")
		p.inner.write(b, extended)
	}
	if p.kind == "text" || p.inner != nil {
		fmt.Fprintf(b, " %d", bytes.Count(p.body, []byte("\n")))
	}
	if extended {
		b.WriteString(" NIL" + p.extension()) // no MD5
	}
}

// extension is disposition, language and location.
func (p *part) extension() string {
	disposition := "NIL"
	if value, ok := headerValue(p.header, "Content-Disposition"); ok {
		kind, params := parseParams(value)
		disposition = "(" + quote(kind) + " " + paramList(params) + ")"
	}
	return " " + disposition + " NIL NIL"
}

func paramList(params [][2]string) string {
	if len(params) == 0 {
		return "NIL"
	}
	var words []string
	for _, p := range params {
		words = append(words, quote(p[0]), nstring(p[1], true))
	}
	return "(" + strings.Join(words, " ") + ")"
}
