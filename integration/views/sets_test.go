package views

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// span is one element of a set as a client spells it. 0 is "*".
type span struct {
	first, last uint32
	one         bool
}

func (p span) String() string {
	spell := func(n uint32) string {
		if n == 0 {
			return "*"
		}
		return utoa(n)
	}
	if p.one {
		return spell(p.first)
	}
	return spell(p.first) + ":" + spell(p.last)
}

// set is a set of message numbers or UIDs.
type set []span

func (s set) String() string {
	words := make([]string, len(s))
	for i, p := range s {
		words[i] = p.String()
	}
	return strings.Join(words, ",")
}

// drawSet draws one with numbers up to most.
func drawSet(t *rapid.T, most uint32, star bool) set {
	low := uint32(1)
	if star {
		low = 0
	}
	end := rapid.Uint32Range(low, most)
	var s set
	for range rapid.IntRange(1, 3).Draw(t, "elements") {
		p := span{first: end.Draw(t, "first"), one: rapid.Bool().Draw(t, "one")}
		if p.last = p.first; !p.one {
			p.last = end.Draw(t, "last")
		}
		s = append(s, p)
	}
	return s
}

// has reports whether a number is in it; last is what "*" stands for.
func (s set) has(n, last uint32) bool {
	return slices.ContainsFunc(s, func(p span) bool {
		a, b := p.first, p.last
		if p.one {
			b = a
		}
		if a == 0 {
			a = last
		}
		if b == 0 {
			b = last
		}
		return min(a, b) <= n && n <= max(a, b)
	})
}

// expand lists a set that a server wrote, in its order.
func expand(text string) (list []uint32, err error) {
	for part := range strings.SplitSeq(text, ",") {
		first, last, isRange := strings.Cut(part, ":")
		if !isRange {
			last = first
		}
		a, err1 := strconv.ParseUint(first, 10, 32)
		b, err2 := strconv.ParseUint(last, 10, 32)
		if err1 != nil || err2 != nil || max(a, b)-min(a, b) > 100_000 || a == 0 || b == 0 {
			return nil, fmt.Errorf("%q is no set", text)
		}
		for n := min(a, b); n <= max(a, b); n++ {
			list = append(list, uint32(n))
		}
	}
	return list, nil
}

func TestSets(t *testing.T) {
	for _, c := range []struct {
		set  set
		text string
		in   []uint32 // of 1 to 5
	}{
		{set{{2, 4, false}}, "2:4", []uint32{2, 3, 4}},
		{set{{4, 2, false}}, "4:2", []uint32{2, 3, 4}},
		{set{{0, 0, true}}, "*", []uint32{5}},
		{set{{9, 0, false}}, "9:*", []uint32{5}},
		{set{{1, 1, true}, {0, 4, false}}, "1,*:4", []uint32{1, 4, 5}},
	} {
		var in []uint32
		for n := uint32(1); n <= 5; n++ {
			if c.set.has(n, 5) {
				in = append(in, n)
			}
		}
		if c.set.String() != c.text || !slices.Equal(in, c.in) {
			t.Errorf("%s has %v, want %s with %v", c.set, in, c.text, c.in)
		}
	}
	if list, err := expand("7,3:1"); err != nil || !slices.Equal(list, []uint32{7, 1, 2, 3}) {
		t.Errorf("got %v, %v", list, err)
	}
}
