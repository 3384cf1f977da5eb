package wire

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/emersion/go-imap/v2"
)

// MaxSetElements is how many numbers and ranges a set may have.
const MaxSetElements = 10_000

// star stands for "*" where sets are read: larger than every number.
const star = 1 << 32

var errSet = &SyntaxError{Text: "Not a set of messages"}

// numRange is an element of a set while it is read: from <= to.
type numRange struct{ from, to uint64 }

// ParseNumSet reads a set of UIDs or of sequence numbers. "$", the result of
// the last search (RFC 5182), is taken if searchRes is set, and is
// imap.SearchRes() in both.
func ParseNumSet(text []byte, uid, searchRes bool) (imap.NumSet, error) {
	switch {
	case searchRes && string(text) == "$":
		return imap.SearchRes(), nil
	case uid:
		return ParseUIDSet(text)
	default:
		return ParseSeqSet(text)
	}
}

// ParseSeqSet reads a set of sequence numbers (RFC 9051, 9: sequence-set). In
// the result "*" is 0, as go-imap has it. It is sorted and has no overlaps.
// Never call Nums on it: 1:4294967295 is a set, too.
func ParseSeqSet(text []byte) (imap.SeqSet, error) {
	var few [8]numRange
	ranges, err := parseRanges(room(few[:0], text), text)
	if err != nil {
		return nil, err
	}
	set := make(imap.SeqSet, len(ranges))
	for i, r := range ranges {
		set[i] = imap.SeqRange{Start: starless(r.from), Stop: starless(r.to)}
	}
	return set, nil
}

// ParseUIDSet reads a set of UIDs, as [ParseSeqSet] does.
func ParseUIDSet(text []byte) (imap.UIDSet, error) {
	var few [8]numRange
	ranges, err := parseRanges(room(few[:0], text), text)
	if err != nil {
		return nil, err
	}
	set := make(imap.UIDSet, len(ranges))
	for i, r := range ranges {
		set[i] = imap.UIDRange{Start: imap.UID(starless(r.from)), Stop: imap.UID(starless(r.to))}
	}
	return set, nil
}

func starless(n uint64) uint32 {
	return uint32(n) // star's lower half is 0
}

// room is few, or more where the set has more elements.
func room(few []numRange, text []byte) []numRange {
	if n := bytes.Count(text, []byte(",")) + 1; n > cap(few) {
		return make([]numRange, 0, min(n, MaxSetElements))
	}
	return few
}

// parseRanges reads the elements and makes the set normal.
func parseRanges(ranges []numRange, text []byte) ([]numRange, error) {
	for more := true; more; {
		var element []byte
		if len(ranges) == MaxSetElements {
			return nil, &SyntaxError{Text: "Too many messages named"}
		}
		element, text, more = bytes.Cut(text, []byte(","))
		first, second, isRange := bytes.Cut(element, []byte(":"))
		from, ok := parseSetNumber(first)
		to := from
		if ok && isRange {
			to, ok = parseSetNumber(second)
		}
		if !ok {
			return nil, errSet
		}
		ranges = append(ranges, numRange{min(from, to), max(from, to)})
	}
	return normal(ranges), nil
}

// parseSetNumber reads seq-number (RFC 9051, 9): 1 to 2^32-1, or "*".
func parseSetNumber(b []byte) (uint64, bool) {
	if string(b) == "*" {
		return star, true
	}
	n, ok := parseDecimal(b, 10)
	return n, ok && n > 0 && n < star
}

// normal sorts the elements and joins those that overlap or touch, by one
// sort: inserting one by one would take the square of their number.
func normal(ranges []numRange) []numRange {
	slices.SortFunc(ranges, func(a, b numRange) int { return cmp.Compare(a.from, b.from) })
	joined := ranges[:1]
	for _, r := range ranges[1:] {
		last := &joined[len(joined)-1]
		// "*" does not touch the largest number: it is any number.
		if r.from <= last.to || (r.from == last.to+1 && r.from != star) {
			last.to = max(last.to, r.to)
		} else {
			joined = append(joined, r)
		}
	}
	return joined
}

// ChunkUIDSet cuts a set into sets whose text has at most maxOctets octets. A
// single range is never cut: where maxOctets is too small for one, it stands
// alone. The chunks share the memory of the set.
func ChunkUIDSet(set imap.UIDSet, maxOctets int) []imap.UIDSet {
	if imap.IsSearchRes(set) {
		return []imap.UIDSet{set}
	}
	return chunk(set, maxOctets, func(r imap.UIDRange) int { return rangeOctets(uint32(r.Start), uint32(r.Stop)) })
}

// ChunkSeqSet is [ChunkUIDSet] for message numbers.
func ChunkSeqSet(set imap.SeqSet, maxOctets int) []imap.SeqSet {
	return chunk(set, maxOctets, func(r imap.SeqRange) int { return rangeOctets(r.Start, r.Stop) })
}

func chunk[S ~[]R, R any](set S, maxOctets int, octetsOf func(R) int) (chunks []S) {
	start, octets := 0, 0
	for i, r := range set {
		n := octetsOf(r)
		if i > start && octets+1+n > maxOctets {
			chunks = append(chunks, set[start:i:i])
			start, octets = i, 0
		}
		if i > start {
			n++ // the comma
		}
		octets += n
	}
	if start < len(set) {
		chunks = append(chunks, set[start:])
	}
	return chunks
}

func rangeOctets(start, stop uint32) int {
	if start == stop {
		return numberOctets(start)
	}
	return numberOctets(start) + 1 + numberOctets(stop)
}

// numberOctets is the number of octets of a number's text; "*", which is 0, has
// one as well.
func numberOctets(n uint32) int {
	octets := 1
	for ; n >= 10; n /= 10 {
		octets++
	}
	return octets
}
