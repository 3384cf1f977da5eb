package upstream

import (
	"slices"
	"strconv"
	"strings"
)

// fetch is one FETCH command.
type fetch struct {
	s     *imapSession
	short []string  // in front, as Dovecot does
	long  []section // in the order in which they were asked for
	marks bool      // sets \Seen
	gone  bool      // a message was no longer there
}

var macros = map[string][]string{ // RFC 9051, 6.4.5
	"ALL":  {"FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE"},
	"FAST": {"FLAGS", "INTERNALDATE", "RFC822.SIZE"},
	"FULL": {"FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY"},
}

// cmdFetch is FETCH and UID FETCH.
func (s *imapSession) cmdFetch(c *command) string {
	if len(c.args) != 2 {
		return c.bad("Invalid arguments")
	}
	f := &fetch{s: s}
	if c.uid {
		f.short = []string{"UID"}
	}
	if unknown := f.items(c.args[1]); unknown != "" {
		return c.bad("Unknown parameter " + unknown)
	}
	numbers, problem := s.pick(c)
	if problem != "" {
		return problem
	}
	if slices.Contains(f.short, "FLAGS") {
		s.tellKeywords()
	}
	for _, n := range numbers {
		f.one(n)
		if s.over {
			return ""
		}
	}
	if f.gone {
		return "OK [EXPUNGEISSUED] Some messages were already expunged."
	}
	return "OK Fetch completed."
}

// items reads what is asked for. It returns what it does not know, in parentheses.
func (f *fetch) items(a arg) string {
	words := []arg{a}
	if a.kind == list {
		words = a.list
	} else if macro := macros[strings.ToUpper(a.text)]; macro != nil {
		words = nil
		for _, item := range macro {
			words = append(words, arg{text: item})
		}
	}
	for _, word := range words {
		if !word.word() || !f.item(word.text) {
			return strings.ToUpper("(" + word.text + ")")
		}
	}
	if len(words) == 0 {
		return "()"
	}
	return ""
}

var (
	shortItems     = []string{"FLAGS", "UID", "INTERNALDATE", "RFC822.SIZE"}
	structureItems = []string{"ENVELOPE", "BODY", "BODYSTRUCTURE"}
)

// item reads one item.
func (f *fetch) item(text string) bool {
	name := strings.ToUpper(text)
	if slices.Contains(shortItems, name) {
		if !slices.Contains(f.short, name) {
			f.short = append(f.short, name)
		}
		return true
	}
	if slices.Contains(structureItems, name) {
		return f.section(section{label: name, structure: true}, false)
	}
	switch name {
	case "RFC822":
		return f.section(section{label: name}, true)
	case "RFC822.HEADER":
		return f.section(section{label: name, what: "HEADER"}, false)
	case "RFC822.TEXT":
		return f.section(section{label: name, what: "TEXT"}, true)
	}
	i := strings.IndexByte(text, '[')
	if i < 0 {
		return false
	}
	name, peek := strings.CutSuffix(name[:i], ".PEEK")
	known := name == "BODY" || f.s.can("BINARY") && (name == "BINARY" || name == "BINARY.SIZE" && !peek)
	sec, ok := parseSection(name, text[i:])
	return known && ok && f.section(sec, !peek && !sec.sizeOnly)
}

func (f *fetch) section(sec section, marks bool) bool {
	f.long = append(f.long, sec)
	f.marks = f.marks || marks
	return true
}

// one tells of one message, by its index.
func (f *fetch) one(n int) {
	e := &f.s.open.entries[n]
	m, gone := e.m, e.m.gone.Load()
	f.gone = f.gone || gone && f.needsText()
	marked := f.marks && f.mark(e) // gone or not
	w := f.s.w
	b := append(w.AvailableBuffer(), "* "...)
	b = append(strconv.AppendInt(b, int64(n)+1, 10), " FETCH ("...)
	for i, item := range f.short {
		if i > 0 {
			b = append(b, ' ')
		}
		b = f.appendShort(b, item, m, gone)
	}
	separate := len(f.short) > 0
	if marked && !slices.Contains(f.short, "FLAGS") {
		if separate {
			b = append(b, ' ')
		}
		b, separate = f.appendShort(b, "FLAGS", m, gone), true
	}
	_, _ = w.Write(b)
	for i := range f.long {
		if separate {
			_ = w.WriteByte(' ')
		}
		f.writeLong(&f.long[i], m, gone)
		separate = true
	}
	_, _ = w.WriteString(")\r\n")
}

// needsText reports whether something is asked for that a message takes along
// when it goes.
func (f *fetch) needsText() bool {
	return len(f.long) > 0 || slices.ContainsFunc(f.short, func(item string) bool { return item != "FLAGS" && item != "UID" })
}

// mark sets \Seen, and counts it as told: the answer tells it.
func (f *fetch) mark(e *entry) bool {
	v := f.s.open
	old := e.m.flags.Load()
	if v.readOnly || old.has(seen) || !strings.Contains(v.rights, "s") {
		return false
	}
	v.folder.store([]*message{e.m}, change{mode: '+', system: seen}, v.rights)
	if e.told == old {
		e.told = e.m.flags.Load()
	}
	return true
}

// appendShort writes a short item. Of a message that is gone Dovecot still
// knows flags and UID.
func (f *fetch) appendShort(b []byte, item string, m *message, gone bool) []byte {
	switch item {
	case "FLAGS":
		return append(m.flags.Load().append(append(b, "FLAGS ("...), f.s.open.isRecent(m)), ')')
	case "UID":
		return strconv.AppendUint(append(b, "UID "...), uint64(m.uid), 10)
	}
	b = append(append(b, item...), ' ')
	switch {
	case gone:
		return append(b, lost[item]...)
	case item == "INTERNALDATE":
		return append(m.date.AppendFormat(append(b, '"'), "02-Jan-2006 15:04:05 -0700"), '"')
	}
	return strconv.AppendInt(b, m.size(), 10)
}

// lost is what Dovecot tells of a message that another session removed.
var lost = map[string]string{
	"INTERNALDATE":  `"01-Jan-1970 00:00:00 +0000"`,
	"RFC822.SIZE":   "0",
	"ENVELOPE":      "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)",
	"BODY":          `("text" "plain" NIL NIL NIL "7bit" 0 0)`,
	"BODYSTRUCTURE": `("text" "plain" NIL NIL NIL "7bit" 0 0 NIL NIL NIL NIL)`,
}

// writeLong writes an item that may be long. A literal comes straight from the
// message.
func (f *fetch) writeLong(sec *section, m *message, gone bool) {
	w := f.s.w
	_, _ = w.WriteString(sec.label)
	_ = w.WriteByte(' ')
	switch {
	case gone && sec.structure:
		_, _ = w.WriteString(lost[sec.label])
	case gone && sec.sizeOnly:
		_ = w.WriteByte('0')
	case gone:
		_, _ = w.WriteString("NIL")
	case sec.structure:
		_, _ = w.WriteString(structure(sec.label, m.text))
	default:
		content, decoded := sec.of(m.text)
		f.writeLiteral(sec, content, decoded)
	}
}

// structure is ENVELOPE, BODY or BODYSTRUCTURE.
func structure(item string, t *text) string {
	if item == "ENVELOPE" {
		return envelope(t.raw[:t.header])
	}
	var b strings.Builder
	t.structure().write(&b, item == "BODYSTRUCTURE")
	return b.String()
}

func (f *fetch) writeLiteral(sec *section, content []byte, decoded bool) {
	w := f.s.w
	b := w.AvailableBuffer()
	if sec.sizeOnly {
		_, _ = w.Write(strconv.AppendInt(b, int64(len(content)), 10))
		return
	}
	if decoded { // RFC 3516, 4.2: literal8
		b = append(b, '~')
	}
	b = strconv.AppendInt(append(b, '{'), int64(len(content)), 10)
	_, _ = w.Write(append(b, "}\r\n"...))
	_, _ = w.Write(content)
}
