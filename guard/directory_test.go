package guard

import (
	"fmt"
	"testing"

	"mailguard/member"
)

func TestFirstMatchWins(t *testing.T) {
	for _, c := range []struct {
		name    string
		entries []string
		mailbox member.Mailbox
		want    int // index of the entry, -1 for none
	}{
		{"nothing listed", nil, "a@example.com", -1},
		{"exact", []string{"b@example.com", "a@example.com"}, "a@example.com", 1},
		{"exact twice", []string{"a@example.com", "a@example.com"}, "a@example.com", 0},
		{"pattern before exact", []string{"*@example.com", "a@example.com"}, "a@example.com", 0},
		{"exact before pattern", []string{"a@example.com", "*@example.com"}, "a@example.com", 0},
		{"pattern, exact of another", []string{"a@example.com", "*@example.com"}, "b@example.com", 1},
		{"pattern before pattern", []string{"a*", "*@example.com"}, "a@example.com", 0},
		{"pattern that fits before one that does not", []string{"b*", "*@example.com"}, "a@example.com", 1},
		{"everything", []string{"*"}, "a@example.com", 0},
		{"everything, no name", []string{"*"}, "", 0},
		{"star for nothing", []string{"a*@example.com"}, "a@example.com", 0},
		{"star in the middle", []string{"a*@example.com"}, "abc@example.com", 0},
		{"the end differs", []string{"a*@example.com"}, "abc@example.com.org", -1},
		{"the beginning differs", []string{"a*@example.com"}, "xa@example.com", -1},
		{"ends may not overlap", []string{"aba*ba"}, "aba", -1},
		{"several stars", []string{"*sales*@*.example.com"}, "eu-sales-1@mail.example.com", 0},
		{"several stars for nothing", []string{"*sales*@*.example.com"}, "sales@.example.com", 0},
		{"several stars, out of order", []string{"*b*a*"}, "ab", -1},
		{"stars side by side", []string{"a**b"}, "axb", 0},
		{"the middle may not take the end", []string{"*a*a"}, "a", -1},
		{"the middle comes early and the end late", []string{"*ab*ab"}, "xabyabzab", 0},
		{"no other wildcard", []string{"a?@example.com", "[a]@example.com"}, "ab@example.com", -1},
		{"letter case was settled before", []string{"A@example.com"}, "a@example.com", -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var entries []Entry
			for i, match := range c.entries {
				entries = append(entries, Entry{match, Settings{Mode: Mode(fmt.Sprint(i))}})
			}
			want := Settings{Shared: SharedAuto}.Mode
			if c.want >= 0 {
				want = Mode(fmt.Sprint(c.want))
			}
			got := NewDirectory(entries).Lookup(c.mailbox)
			if got.Mode != want || (c.want < 0) != (got.Shared == SharedAuto) {
				t.Errorf("found %+v, want entry %d", got, c.want)
			}
		})
	}
}

// A lookup may not get slower with the number of names.
func BenchmarkLookup(b *testing.B) {
	for _, size := range []int{10, 100_000} {
		entries := make([]Entry, size, size+2)
		for i := range entries {
			entries[i].Match = fmt.Sprintf("mailbox%d@example.com", i)
		}
		d := NewDirectory(append(entries, Entry{Match: "*@example.org"}, Entry{Match: "sales*@*"}))
		for name, mailbox := range map[string]member.Mailbox{"last": member.Mailbox(entries[size-1].Match), "none": "x@example.net"} {
			b.Run(fmt.Sprintf("%d/%s", size, name), func(b *testing.B) {
				for b.Loop() {
					d.Lookup(mailbox)
				}
			})
		}
	}
}
