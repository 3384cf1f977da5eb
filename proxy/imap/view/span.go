package view

import (
	"cmp"
	"slices"

	"github.com/emersion/go-imap/v2"
)

// span is a range of numbers or UIDs. from <= to.
type span struct{ from, to uint64 }

// star stands for "*": larger than every number. Its lower half is 0, which is
// how go-imap has it.
const star = 1 << 32

func (s span) size() uint64 { return s.to - s.from + 1 }

func size(spans []span) (n uint64) {
	for _, s := range spans {
		n += s.size()
	}
	return n
}

// toSpan reads a range whose ends may come in either order and where 0 stands
// for "*" (RFC 9051, 9: seq-range).
func toSpan(start, stop uint32) span {
	from, to := uint64(start), uint64(stop)
	if start == 0 {
		from = star
	}
	if stop == 0 {
		to = star
	}
	return span{min(from, to), max(from, to)}
}

// uidSpans are a set in order, without overlaps.
func uidSpans(set imap.UIDSet) []span {
	spans := make([]span, len(set))
	for i, r := range set {
		spans[i] = toSpan(uint32(r.Start), uint32(r.Stop))
	}
	return normal(spans)
}

// seqSpans are a set in order, without overlaps. A "*" of its own is last.
func seqSpans(set imap.SeqSet, last uint32) []span {
	spans := make([]span, len(set))
	for i, r := range set {
		spans[i] = toSpan(r.Start, r.Stop)
		if spans[i].from == star {
			spans[i] = span{uint64(last), uint64(last)}
		}
	}
	return normal(spans)
}

// normal sorts spans and joins those that overlap or touch. It changes them in
// place.
func normal(spans []span) []span {
	if len(spans) == 0 {
		return nil
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	joined := spans[:1]
	for _, s := range spans[1:] {
		if before := &joined[len(joined)-1]; s.from <= before.to+1 {
			before.to = max(before.to, s.to)
		} else {
			joined = append(joined, s)
		}
	}
	return joined
}
