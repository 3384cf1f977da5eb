package imap

import (
	"iter"
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
	text := strings.TrimRight(string(r.text()), "\r\n")
	switch {
	case f.gather && r.Is("SEARCH"):
		f.keep(text)
	case r.Is("SEARCH"), r.Is("SORT"), r.Is("THREAD"):
		f.err = f.tell(string(r.Word), f.translated(text))
	case r.Is("ESEARCH"):
		f.err = f.tell("ESEARCH", `(TAG "`+f.tag+`")`+f.extended(strings.Fields(text)))
	default:
		return false
	}
	return true
}

func (f *finding) tell(word, text string) error {
	return f.s.writeLine(strings.TrimRight("* "+word+" "+text, " "))
}

func (f *finding) keep(text string) {
	for word := range strings.FieldsSeq(text) {
		if n, err := strconv.ParseUint(word, 10, 32); err == nil {
			if n, sees := f.one(uint32(n)); sees {
				f.found = append(f.found, n)
			}
		}
	}
}

// one translates a number, or says that the message is hidden.
func (f *finding) one(n uint32) (uint32, bool) {
	v := &f.s.folder.view
	if f.byUID {
		return n, !v.Hides(imap.UID(n))
	}
	seq, sees := v.ToClient(view.UpstreamSeq(n))
	return uint32(seq), sees
}

// translated translates every number of a text, and keeps what stands between
// them. Hidden messages are left out, with the blank before them.
func (f *finding) translated(text string) string {
	b := make([]byte, 0, len(text))
	for i := 0; i < len(text); {
		end := i
		for end < len(text) && text[end] >= '0' && text[end] <= '9' {
			end++
		}
		n, err := strconv.ParseUint(text[i:end], 10, 32)
		if err != nil {
			b = append(b, text[i])
			i++
			continue
		}
		i = end
		if n, sees := f.one(uint32(n)); sees {
			b = strconv.AppendUint(b, uint64(n), 10)
		} else if len(b) > 0 && b[len(b)-1] == ' ' {
			b = b[:len(b)-1]
		}
	}
	return strings.TrimLeft(string(b), " ")
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
			text += " " + name + " " + f.translated(words[i])
		case "ALL":
			i++
			text += " ALL " + joined(f.translated(words[i]))
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
