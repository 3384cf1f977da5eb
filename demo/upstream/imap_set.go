package upstream

import (
	"slices"
	"strconv"
	"strings"
)

// star is "*", the last message, which is no number: 4294967295 means itself.
const star = 0

// span is low:high, both included.
type span struct{ low, high uint32 }

func (s span) has(n uint32) bool { return s.low <= n && n <= s.high }

// set is a sequence set or a UID set as the client wrote it.
type set []span

// parseSet reads RFC 9051, 9, sequence-set, but "$".
func parseSet(text string) (set, bool) {
	var all set
	for part := range strings.SplitSeq(text, ",") {
		low, high, pair := strings.Cut(part, ":")
		if !pair {
			high = low
		}
		from, ok1 := parseNumber(low)
		to, ok2 := parseNumber(high)
		if !ok1 || !ok2 {
			return nil, false
		}
		all = append(all, span{from, to})
	}
	return all, true
}

func parseNumber(text string) (uint32, bool) {
	if text == "*" {
		return star, true
	}
	n, err := strconv.ParseUint(text, 10, 32)
	return uint32(n), err == nil && n > 0 && text[0] != '+'
}

// resolve puts the last number for "*" and gives the set in order, without
// overlaps.
func (s set) resolve(last uint32) []span {
	spans := make([]span, 0, len(s))
	for _, r := range s {
		if r.low == star {
			r.low = last
		}
		if r.high == star {
			r.high = last
		}
		spans = append(spans, span{min(r.low, r.high), max(r.low, r.high)})
	}
	slices.SortFunc(spans, func(a, b span) int { return int(int64(a.low) - int64(b.low)) })
	merged := spans[:0]
	for _, r := range spans {
		if n := len(merged); n > 0 && uint64(r.low) <= uint64(merged[n-1].high)+1 {
			merged[n-1].high = max(merged[n-1].high, r.high)
			continue
		}
		merged = append(merged, r)
	}
	return merged
}

// formatSet writes ascending numbers as a set.
func formatSet(numbers []uint32) string {
	var b []byte
	for i := 0; i < len(numbers); {
		j := i
		for j+1 < len(numbers) && numbers[j+1] == numbers[j]+1 {
			j++
		}
		if len(b) > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, uint64(numbers[i]), 10)
		if j > i {
			b = strconv.AppendUint(append(b, ':'), uint64(numbers[j]), 10)
		}
		i = j + 1
	}
	return string(b)
}
