package ledger

import (
	"testing"
	"time"

	"mailguard/member"
	"mailguard/message"
	"mailguard/policy"
)

// popName is the unique-id that Cyrus has for a UID of the inbox.
func popName(uid message.UID) string {
	return string(message.Place{UIDValidity: inbox.UIDValidity, UID: uid}.UniqueIDs()[2])
}

// Whichever protocol comes first, the two rows become one that has what was done
// by both; what is hidden stays hidden for the protocol that it was hidden for.
func TestJoined(t *testing.T) {
	byPOP3 := func(f *fixture) message.ID {
		s := f.enter("alice", mail(popName(5), 100))
		s.fetch(s.IDs[0], fingerprint(1))
		s.dele(policy.Deferred, s.IDs[0])
		return s.IDs[0]
	}
	byIMAP := func(f *fixture) {
		f.recordIn("bob", inbox, FolderRecord{Fetches: []FolderFetch{{UID: 5, Size: 100, At: f.clock.Now(), Fingerprint: fingerprint(1)}}})
		f.expunge("bob", policy.Deferred, 5)
	}
	for name, play := range map[string]func(f *fixture) message.ID{
		"POP3 first": func(f *fixture) message.ID { id := byPOP3(f); byIMAP(f); return id },
		"IMAP first": func(f *fixture) message.ID { byIMAP(f); return byPOP3(f) },
		"IMAP first, and again": func(f *fixture) message.ID {
			byIMAP(f)
			id := byPOP3(f)
			f.expunge("carol", policy.Deferred, 5)
			return id
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			id := play(f)
			h := f.in(5)
			if h.Message.ID != id || h.Message.UniqueID != message.UniqueID(popName(5)) || !h.Facts().Joined || h.Message.HeldSince.IsZero() {
				t.Errorf("%+v; the row of POP3 is %d", h.Message, id)
			}
			if n := f.number("SELECT count(*) FROM messages"); n != 1 {
				t.Errorf("%d rows", n)
			}
			if len(h.Deletions) < 2 || len(h.Fetches) != 2 {
				t.Errorf("deleted %v, fetched %v", h.Deletions, h.Fetches)
			}
			if again := f.enter("alice", mail(popName(5), 100)); !again.Hidden[0] || again.IDs[0] != id {
				t.Error("alice sees it by POP3")
			}
			if other := f.enter("bob", mail(popName(5), 100)); other.Hidden[0] {
				t.Error("it is hidden from bob by POP3")
			}
			if got := f.openIn("bob", inbox).Hidden; len(got) != 1 {
				t.Errorf("hidden from bob: %v", got)
			}
			if got := f.openIn("alice", inbox).Hidden; len(got) != 0 {
				t.Errorf("hidden from alice by IMAP: %v", got)
			}
			if n := f.number("SELECT count(*) FROM decisions WHERE message_id = ?", id); n < 2 {
				t.Errorf("%d decisions of it", n)
			}
		})
	}
}

// In doubt two rows stay apart.
func TestNotJoined(t *testing.T) {
	for name, test := range map[string]struct {
		listed []message.Listed
		fetch  *message.Fingerprint // over POP3
		size   int64                // over IMAP
	}{
		"another size":        {[]message.Listed{mail(popName(5), 101)}, nil, 100},
		"no size over IMAP":   {[]message.Listed{mail(popName(5), 100)}, nil, 0},
		"another fingerprint": {[]message.Listed{mail(popName(5), 100)}, fingerprint(2), 100},
		"another UID":         {[]message.Listed{mail(popName(6), 100)}, nil, 100},
		"another UIDVALIDITY": {[]message.Listed{mail("8.5", 100)}, nil, 100},
		"two of that name":    {[]message.Listed{mail(popName(5), 100), mail(popName(5), 100)}, nil, 100},
		"no name":             {[]message.Listed{mail("UID5-7", 100)}, nil, 100},
	} {
		t.Run(name, func(t *testing.T) {
			for _, first := range []member.Protocol{member.POP3, member.IMAP} {
				f := newFixture(t)
				byPOP3 := func() {
					s := f.enter("alice", test.listed...)
					if test.fetch != nil {
						s.fetch(s.IDs[0], test.fetch)
					}
				}
				byIMAP := func() {
					f.recordIn("bob", inbox, FolderRecord{Fetches: []FolderFetch{{UID: 5, Size: test.size, At: f.clock.Now(), Fingerprint: fingerprint(1)}}})
				}
				if first == member.POP3 {
					byPOP3()
					byIMAP()
				} else {
					byIMAP()
					byPOP3()
				}
				if name == "another fingerprint" && first == member.IMAP { // it is known only after the listing
					continue
				}
				if n := f.number("SELECT count(*) FROM messages WHERE uid IS NOT NULL AND unique_id IS NOT NULL"); n != 0 {
					t.Errorf("joined, %s first", first)
				}
			}
		})
	}
}

// Another folder's UIDs are no unique-ids.
func TestNotJoinedElsewhere(t *testing.T) {
	f := newFixture(t)
	f.enter("alice", mail(popName(5), 100))
	f.recordIn("bob", FolderKey{"Archive", inbox.UIDValidity}, FolderRecord{Fetches: []FolderFetch{{UID: 5, Size: 100, At: f.clock.Now()}}})
	if n := f.number("SELECT count(*) FROM messages"); n != 2 {
		t.Errorf("%d rows", n)
	}
}

// A message that is joined is gone by either protocol, and what is known of it
// can be forgotten.
func TestJoinedIsGone(t *testing.T) {
	for name, leave := range map[string]func(f *fixture){
		"by POP3": func(f *fixture) { f.enter("alice") },
		"by IMAP": func(f *fixture) { f.settle(Settlement{Gone: []message.UID{5}}) },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.enter("alice", mail(popName(5), 100))
			f.expunge("bob", policy.Deferred, 5)
			leave(f)
			if h := f.in(5); h.Message.Gone.IsZero() || len(f.openIn("bob", inbox).Hidden) != 0 {
				t.Errorf("%+v", h.Message)
			}
			f.clock.pass(100 * 24 * time.Hour)
			if _, err := f.Forget(t.Context(), f.clock.Now()); err != nil {
				t.Fatal(err)
			}
			if n := f.number("SELECT count(*) FROM deletions"); n != 0 {
				t.Errorf("%d deletions are left", n)
			}
		})
	}
}

// An allowed removal by POP3 that did not happen, and that IMAP settles, leaves
// the message hidden from its member, and held.
func TestClaimOfPOP3SettledOverIMAP(t *testing.T) {
	f := newFixture(t)
	f.recordIn("bob", inbox, FolderRecord{Fetches: []FolderFetch{{UID: 5, Size: 100, At: f.clock.Now()}}})
	s := f.enter("alice", mail(popName(5), 100))
	s.dele(policy.Allowed, s.IDs[0])
	f.settle(Settlement{There: []message.UID{5}})
	if f.in(5).Message.Claimed.IsZero() {
		t.Error("withdrawn while it may be under way")
	}
	f.clock.pass(claimLasts + time.Minute)
	f.settle(Settlement{There: []message.UID{5}})
	if h := f.in(5); !h.Message.Claimed.IsZero() || h.Message.HeldSince.IsZero() || !f.enter("alice", mail(popName(5), 100)).Hidden[0] {
		t.Errorf("%+v", h.Message)
	}
}
