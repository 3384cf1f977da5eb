package wire

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"
	"pgregory.net/rapid"
)

func TestParseSets(t *testing.T) {
	for in, want := range map[string]string{
		"1": "1", "*": "*", "1:*": "1:*", "*:1": "1:*", "*:*": "*", "4:2": "2:4", "2:2": "2",
		"1,2,3": "1:3", "3,1": "1,3", "1:5,3:9": "1:9", "1,1,1": "1", "5:*,7,*": "5:*", "5,*": "5,*",
		"4294967295": "4294967295", "4294967295:1": "1:4294967295", "4294967295,*": "4294967295,*", "4294967295:*": "4294967295:*",
		"1:4294967295": "1:4294967295",
	} {
		uids, err := ParseUIDSet([]byte(in))
		seqs, errSeq := ParseSeqSet([]byte(in))
		if err != nil || errSeq != nil || uids.String() != want || seqs.String() != want {
			t.Errorf("%q: got %q, %v, and %q, %v; want %q", in, uids, err, seqs, errSeq, want)
		}
	}
}

func TestParseSetsRefuses(t *testing.T) {
	for _, in := range []string{
		"", "0", "0:*", "1:0", "01", "1:02", ",", "1,", ",1", "1,,2", ":", "1:", ":1", "1:2:3", "+1", "-1", " 1", "1 ", "1, 2",
		"**", "*1", "1*", "a", "0x1", "4294967296", "99999999999", "18446744073709551617", "$", "$,1", "1,$", "\xd9\xa1", "1.5",
	} {
		var syntax *SyntaxError
		if set, err := ParseUIDSet([]byte(in)); !errors.As(err, &syntax) || syntax.Close || set != nil {
			t.Errorf("%q: %v, %v", in, set, err)
		}
		if set, err := ParseSeqSet([]byte(in)); !errors.As(err, &syntax) || set != nil {
			t.Errorf("%q: %v, %v", in, set, err)
		}
	}
	if _, err := ParseUIDSet([]byte(strings.Repeat("1,", MaxSetElements-1) + "1")); err != nil {
		t.Error(err)
	}
	if set, err := ParseUIDSet([]byte(strings.Repeat("1,", MaxSetElements) + "1")); err == nil {
		t.Errorf("%d elements", len(set))
	}
}

func TestSearchRes(t *testing.T) {
	for _, uid := range []bool{true, false} {
		if set, err := ParseNumSet([]byte("$"), uid, true); err != nil || !imap.IsSearchRes(set) {
			t.Error(set, err)
		}
		if set, err := ParseNumSet([]byte("$"), uid, false); err == nil {
			t.Error(set)
		}
	}
	set, err := ParseNumSet([]byte("1"), false, true)
	if _, ok := set.(imap.SeqSet); !ok || err != nil {
		t.Error(set, err)
	}
}

// member says whether a message is in the set that a text names, by the letter
// of RFC 9051, 9: last is the largest number, for which "*" stands.
func member(text string, n, last uint32) bool {
	for element := range strings.SplitSeq(text, ",") {
		first, second, isRange := strings.Cut(element, ":")
		if !isRange {
			second = first
		}
		a, b := value(first, last), value(second, last)
		if min(a, b) <= n && n <= max(a, b) {
			return true
		}
	}
	return false
}

func value(s string, last uint32) (n uint32) {
	if s == "*" {
		return last
	}
	_, _ = fmt.Sscan(s, &n)
	return n
}

// A set that was read and written again names the same messages, whatever the
// last one is, and its elements are in order and apart.
func TestSetsMeanTheSame(t *testing.T) {
	number := rapid.OneOf(rapid.Just("*"), rapid.Map(rapid.Uint32Range(1, 20), func(n uint32) string { return fmt.Sprint(n) }))
	element := rapid.OneOf(number, rapid.Custom(func(t *rapid.T) string { return number.Draw(t, "a") + ":" + number.Draw(t, "b") }))
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(element, 1, 8).Draw(t, "set"), ",")
		set, err := ParseUIDSet([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		for last := uint32(1); last <= 22; last++ {
			for n := uint32(1); n <= last; n++ {
				if member(text, n, last) != member(set.String(), n, last) {
					t.Fatalf("%q became %q: %d of %d", text, set, n, last)
				}
			}
		}
		for i := 1; i < len(set); i++ {
			if set[i-1].Stop+1 >= set[i].Start && set[i].Start != 0 {
				t.Fatalf("%q became %q", text, set)
			}
		}
	})
}

func TestChunkUIDSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var set imap.UIDSet
		for i, n := range rapid.SliceOfNDistinct(rapid.Uint32Range(1, 1<<31), 0, 40, rapid.ID).Draw(t, "numbers") {
			set.AddRange(imap.UID(n), imap.UID(n+uint32(i%3)))
		}
		most := rapid.IntRange(1, 100).Draw(t, "octets")
		chunks := ChunkUIDSet(set, most)
		if !slices.Equal(slices.Concat(chunks...), set) {
			t.Fatalf("%v is not %v", chunks, set)
		}
		for i, c := range chunks {
			if len(c) == 0 || len(c) > 1 && len(c.String()) > most {
				t.Fatalf("%q has more than %d octets", c, most)
			}
			if i > 0 && len(chunks[i-1].String())+1+rangeOctets(uint32(c[0].Start), uint32(c[0].Stop)) <= most {
				t.Fatalf("%q and %q could have been one", chunks[i-1], c)
			}
		}
	})
	if c := ChunkUIDSet(imap.SearchRes(), 1); len(c) != 1 || !imap.IsSearchRes(c[0]) {
		t.Error(c)
	}
	if c := ChunkUIDSet(imap.UIDSet{{Start: 5}}, 3); len(c) != 1 || c[0].String() != "5:*" {
		t.Error(c)
	}
}

func BenchmarkParseUIDSet(b *testing.B) {
	text := setOfOctets(10_000)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseUIDSet(text); err != nil {
			b.Fatal(err)
		}
	}
}

// setOfOctets is a set in descending order, the worst for one that is built
// element by element.
func setOfOctets(n int) []byte {
	var b strings.Builder
	for uid := 2_000_000; b.Len() < n; uid -= 3 {
		fmt.Fprintf(&b, "%d,", uid)
	}
	return []byte(strings.TrimSuffix(b.String(), ","))
}
