package main

import (
	"testing"

	"mailguard/member"
	"mailguard/release"
)

// The first upstream that serves a mailbox says whether it has an account; where
// a mailbox is only observed nothing is released.
func TestAccountOf(t *testing.T) {
	first, second := &release.Account{Upstream: "first"}, &release.Account{Upstream: "second"}
	find := accountOf([]upstreamAccount{
		{[]string{"example.com"}, first}, {[]string{"example.org"}, nil}, {[]string{"*"}, second},
	}, func(m member.Mailbox) bool { return m == "observed@example.com" })
	for mailbox, want := range map[member.Mailbox]*release.Account{
		"support@example.com":  first,
		"observed@example.com": nil,
		"support@example.org":  nil,
		"support@example.net":  second,
	} {
		if got := find(mailbox); got != want {
			t.Errorf("%s: %v, want %v", mailbox, got, want)
		}
	}
}
