package guard

import (
	"database/sql"
	"slices"
	"time"

	"mailguard/member"
	"mailguard/message"
	"mailguard/policy"
)

var inbox = OpenedFolder{Name: "INBOX", UIDValidity: 7}

func imapVisitor(mailbox member.Mailbox, who member.Name) Visitor {
	return Visitor{Identity: member.Identity{Mailbox: mailbox, Member: who}, Protocol: member.IMAP}
}

// folder opens a folder a second from now, until the test ends.
func (s *scene) folder(who member.Name, stance Stance, o OpenedFolder, changed func()) *Folder {
	s.t.Helper()
	s.clock.pass(time.Second)
	f, err := s.OpenFolder(s.t.Context(), imapVisitor(s.box, who), stance, o, changed)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(f.Close)
	return f
}

func (s *scene) inbox(who member.Name) *Folder {
	s.t.Helper()
	return s.folder(who, Protect, inbox, nil)
}

// okay is the flag under which `ifOkay` lets a message go.
const okay = "$Okay"

// ifOkay allows what carries a flag and refuses the rest.
func ifOkay() []policy.Rule {
	return []policy.Rule{
		{Name: "okay", When: `"$Okay" in message.flags`, Then: policy.Allow},
		{Name: "not", When: "true", Then: policy.Refuse},
	}
}

// looked is what a FETCH shows of messages: they carry these flags.
func looked(list []message.UID, flags ...string) []message.Seen {
	var all []message.Seen
	for _, uid := range list {
		all = append(all, message.Seen{UID: uid, Size: 100, Flags: flags})
	}
	return all
}

func uidsFrom(list ...message.UID) []message.UID { return list }

var expunge = Deletion{Op: policy.IMAPExpunge}

// decide decides, which must not fail.
func (s *scene) decide(f *Folder, d Deletion, seen ...message.Seen) []FolderRuling {
	s.t.Helper()
	rulings, err := f.Decide(s.t.Context(), d, seen)
	if err != nil || len(rulings) != len(seen) {
		s.t.Fatalf("%d rulings about %d messages, %v", len(rulings), len(seen), err)
	}
	return rulings
}

// commit commits, which must not fail.
func (s *scene) commit(f *Folder, rulings []FolderRuling) []message.UID {
	s.t.Helper()
	remove, err := f.Commit(s.t.Context(), rulings)
	if err != nil {
		s.t.Fatal(err)
	}
	return remove
}

func (s *scene) mark(f *Folder, add, remove []message.UID) {
	s.t.Helper()
	if err := f.Mark(s.t.Context(), add, remove); err != nil {
		s.t.Fatal(err)
	}
}

func (s *scene) settle(f *Folder, gone, there []message.UID) {
	s.t.Helper()
	if err := f.Settle(s.t.Context(), gone, there); err != nil {
		s.t.Fatal(err)
	}
}

func (s *scene) wantMarks(when string, f *Folder, want ...message.UID) {
	s.t.Helper()
	if got := f.Marks(); !slices.Equal(got, want) {
		s.t.Errorf("%s: marks %v, want %v", when, got, want)
	}
	again := s.folder(f.visitor.Member, Protect, f.opened, nil)
	if got := again.Marks(); !slices.Equal(got, want) {
		s.t.Errorf("%s: the ledger has marks %v, want %v", when, got, want)
	}
}

func (s *scene) wantChanges(when string, f *Folder, marked, unmarked []message.UID) {
	s.t.Helper()
	if on, off := f.Changes(); !slices.Equal(on, marked) || !slices.Equal(off, unmarked) {
		s.t.Errorf("%s: marked %v, unmarked %v; want %v, %v", when, on, off, marked, unmarked)
	}
}

// outcomes are the outcomes of rulings.
func outcomes(rulings []FolderRuling) []policy.Outcome {
	var all []policy.Outcome
	for _, r := range rulings {
		all = append(all, r.Outcome)
	}
	return all
}

// exec changes the ledger's file, past the ledger.
func (s *scene) exec(query string) {
	s.t.Helper()
	db, err := sql.Open("sqlite", "file:"+s.path+"?_pragma=busy_timeout(5000)")
	if err != nil {
		s.t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(s.t.Context(), query); err != nil {
		s.t.Fatal(err)
	}
}
