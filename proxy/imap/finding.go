package imap

import (
	"bytes"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/emersion/go-imap/v2"

	"mailguard/proxy/imap/command"
	"mailguard/proxy/imap/view"
	"mailguard/proxy/imap/wire"
)

// finding translates what a search finds for a client that does not see all of the
// folder. Its methods run in the pump, up to computed.
type finding struct {
	s      *session
	tag    string // the client's
	byUID  bool
	gather bool    // what is found is kept, and not told
	found  numbers // in the order of the answer
	err    error
}

// numbers are message numbers or UIDs of one kind.
type numbers []uint32

func (n numbers) lowest() uint32 { return slices.Min(n) }

// collect is what the pump calls; see call.
func (f *finding) collect(r *response) (mine bool) {
	if r.Kind != wire.Data || f.err != nil {
		return false
	}
	text := bytes.TrimRight(r.text(), "\r\n")
	switch {
	case f.gather && r.Is("ESEARCH"): // unasked, as IMAP4rev2 has it (RFC 9051, 6.4.4); only a mailbox that has become shared meets it
		f.err = replyTooManyHidden
	case f.gather && r.Is("SEARCH"):
		f.keep(string(text))
	case r.Is("SEARCH"), r.Is("SORT"), r.Is("THREAD"):
		f.err = f.tell(string(r.Word), f.translated(text))
	case r.Is("ESEARCH"):
		f.err = f.tell("ESEARCH", []byte(`(TAG "`+f.tag+`")`+f.extended(strings.Fields(string(text)))))
	default:
		return false
	}
	return true
}

// tell writes a response. Its text may be long: it is not copied.
func (f *finding) tell(word string, text []byte) error {
	blank := " "
	if len(text) == 0 {
		blank = ""
	}
	if _, err := f.s.out.WriteString("* " + word + blank); err != nil {
		return err
	}
	if _, err := f.s.out.Write(text); err != nil {
		return err
	}
	return f.s.writeLine("")
}

func (f *finding) keep(text string) {
	w := f.s.folder.view.Walk()
	for word := range strings.FieldsSeq(text) {
		if n, err := strconv.ParseUint(word, 10, 32); err == nil {
			if n, sees := f.one(&w, uint32(n)); sees {
				f.found = append(f.found, n)
			}
		}
	}
}

// one translates a number, or says that the message is hidden.
func (f *finding) one(w *view.Walk, n uint32) (uint32, bool) {
	if f.byUID {
		return n, !w.Hides(imap.UID(n))
	}
	seq, sees := w.ToClient(view.UpstreamSeq(n))
	return uint32(seq), sees
}

// translated translates every number of a text, and keeps what stands between
// them. Hidden messages are left out, with the blank before them.
func (f *finding) translated(text []byte) []byte {
	b := make([]byte, 0, len(text))
	w := f.s.folder.view.Walk()
	for i := 0; i < len(text); {
		upstream, digits := leadingNumber(text[i:])
		if digits == 0 {
			b = append(b, text[i])
			i++
			continue
		}
		n, sees := f.one(&w, upstream)
		switch {
		case !sees && len(b) > 0 && b[len(b)-1] == ' ':
			b = b[:len(b)-1]
		case !sees:
		case n == upstream:
			b = append(b, text[i:i+digits]...)
		default:
			b = strconv.AppendUint(b, uint64(n), 10)
		}
		i += digits
	}
	return bytes.Trim(b, " ")
}

// leadingNumber is the number at the beginning of a text and how many digits
// it has: 0 if none stands there. One that is too long for a message number
// is 0.
func leadingNumber(text []byte) (n uint32, digits int) {
	for digits < len(text) && text[digits] >= '0' && text[digits] <= '9' {
		digits++
	}
	if value := parseSize(text[:digits]); value <= math.MaxUint32 {
		n = uint32(value)
	}
	return n, digits
}

// extended translates the data of an ESEARCH (RFC 4731, 3.1). No hidden message is
// in it, and so none is in a range.
func (f *finding) extended(words []string) (text string) {
	if f.byUID {
		text = " UID"
	}
	for i := 0; i+1 < len(words); i++ {
		switch name := strings.ToUpper(words[i]); name {
		case "MIN", "MAX":
			i++
			text += " " + name + " " + string(f.translated([]byte(words[i])))
		case "ALL":
			i++
			text += " ALL " + joined(string(f.translated([]byte(words[i]))))
		case "COUNT":
			i++
			text += " COUNT " + words[i]
		}
	}
	return text
}

// joined is a set in which ranges that follow each other have become one. The
// order stays: in the answer to a SORT it says something (RFC 5267, 3).
func joined(set string) string {
	var b strings.Builder
	var start, stop int64
	write := func() {
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatInt(start, 10))
		if stop != start {
			b.WriteString(":" + strconv.FormatInt(stop, 10))
		}
	}
	for from, to := range elements(set) {
		if start <= stop && from == stop+1 && from <= to && start > 0 {
			stop = to
			continue
		}
		if start > 0 {
			write()
		}
		start, stop = from, to
	}
	write()
	return b.String()
}

// elements are those of a set, in its order: from one number to another, both
// included.
func elements(set string) iter.Seq2[int64, int64] {
	return func(yield func(from, to int64) bool) {
		for element := range strings.SplitSeq(set, ",") {
			first, last, isRange := strings.Cut(element, ":")
			from, to := parseSize([]byte(first)), parseSize([]byte(last))
			if !isRange {
				to = from
			}
			if from > 0 && !yield(from, to) {
				return
			}
		}
	}
}

// computed is what the client asked for, of all that was found.
func (f *finding) computed(wanted *command.SearchReturn) (text string) {
	found := slices.Sorted(slices.Values(f.found))
	if f.byUID {
		text = " UID"
	}
	if len(found) > 0 {
		if wanted.Min {
			text += " MIN " + number(found[0])
		}
		if wanted.Max {
			text += " MAX " + number(found[len(found)-1])
		}
		if wanted.All {
			text += " ALL " + listed(found)
		}
	}
	if wanted.Count {
		text += " COUNT " + strconv.Itoa(len(found))
	}
	return text
}
