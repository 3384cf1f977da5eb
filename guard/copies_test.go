package guard

import (
	"fmt"
	"testing"
	"time"

	"mailguard/ledger"
	"mailguard/member"
	"mailguard/message"
	"mailguard/policy"
)

var trash = OpenedFolder{Name: "Trash", Use: "trash", UIDValidity: 3}

// UIDs 1 to 3 of the inbox are copied to UIDs 11 to 13 of Trash; then something
// happens, and UID 1 is expunged.
func TestCopyAndExpungeIsAMove(t *testing.T) {
	inTrash := func(s *scene) *Folder { return s.folder("bob", Protect, trash, nil) }
	for _, c := range []struct {
		name string
		then func(s *scene, f *Folder) *Folder // who expunges; nil: who copied
		move bool
	}{
		{"at once", nil, true},
		{"after ten minutes", func(s *scene, _ *Folder) *Folder { s.clock.pass(copyCounts); return nil }, true},
		{"later", func(s *scene, _ *Folder) *Folder { s.clock.pass(copyCounts + 1e6); return nil }, false},
		{"in another session", func(s *scene, _ *Folder) *Folder { return s.inbox("alice") }, true},
		{"by another member", func(s *scene, _ *Folder) *Folder { return s.inbox("bob") }, false},
		{"of another folder", func(s *scene, _ *Folder) *Folder {
			return s.folder("alice", Protect, OpenedFolder{Name: "Sent", UIDValidity: 7}, nil)
		}, false},
		{"of the folder made anew", func(s *scene, _ *Folder) *Folder {
			return s.folder("alice", Protect, OpenedFolder{Name: "INBOX", UIDValidity: 8}, nil)
		}, false},
		{"the copy is being removed", func(s *scene, _ *Folder) *Folder {
			f := inTrash(s)
			s.commit(f, s.decide(f, expunge, looked(uidsFrom(11), okay)...))
			return nil
		}, false},
		{"the removal of the copy was refused", func(s *scene, _ *Folder) *Folder {
			f := inTrash(s)
			s.commit(f, s.decide(f, expunge, looked(uidsFrom(11))...))
			return nil
		}, true},
		{"the copy is gone", func(s *scene, _ *Folder) *Folder { s.settle(inTrash(s), uidsFrom(11), nil); return nil }, false},
		{"another copy is gone", func(s *scene, _ *Folder) *Folder { s.settle(inTrash(s), uidsFrom(12), uidsFrom(11)); return nil }, true},
		{"the folder was renamed", func(s *scene, _ *Folder) *Folder {
			if err := s.FolderRenamed(s.t.Context(), box, "Trash", "Bin"); err != nil {
				s.t.Error(err)
			}
			return nil
		}, false},
		{"a folder below it was renamed", func(s *scene, _ *Folder) *Folder {
			if err := s.FolderRenamed(s.t.Context(), box, "Trash/old", "Bin"); err != nil {
				s.t.Error(err)
			}
			return nil
		}, true},
		{"the folder may be deleted", func(s *scene, _ *Folder) *Folder {
			s.use(always(policy.Allow, ""))
			if _, err := s.DecideFolder(s.t.Context(), imapVisitor(box, "bob"), Protect, trash, Deletion{Op: policy.IMAPDeleteFolder}); err != nil {
				s.t.Error(err)
			}
			return nil
		}, false},
		{"copied again elsewhere, and that copy is gone", func(s *scene, f *Folder) *Folder {
			f.Copied(uidsFrom(1), "Archive", "archive", 4, uidsFrom(1))
			s.settle(s.folder("bob", Protect, OpenedFolder{Name: "Archive", UIDValidity: 4}, nil), uidsFrom(1), nil)
			return nil
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t, ifOkay()...)
			f := s.inbox("alice")
			f.Copied(uidsFrom(1, 2, 3), "Trash", "trash", 3, uidsFrom(11, 12, 13))
			by := f
			if c.then != nil {
				if other := c.then(s, f); other != nil {
					by = other
				}
			}
			facts := s.decide(by, expunge, looked(uidsFrom(1))...)[0].Facts
			got := [3]string{string(facts.Op), facts.Destination, facts.DestinationUse}
			want := [3]string{"imap.expunge", "", ""}
			if c.move {
				want = [3]string{"imap.move", "Trash", "trash"}
			}
			if got != want {
				t.Errorf("decided as %q, want %q", got, want)
			}
		})
	}
}

func TestCopiesWithoutPairs(t *testing.T) {
	s := newScene(t, ifOkay()...)
	f := s.inbox("alice")
	f.Copied(uidsFrom(1, 2), "Trash", "trash", 3, uidsFrom(11))
	f.Copied(uidsFrom(3), "Trash", "trash", 3, nil)
	f.Copied(uidsFrom(4), "Trash", "trash", 3, uidsFrom(14))
	want := []policy.Op{policy.IMAPExpunge, policy.IMAPExpunge, policy.IMAPExpunge, policy.IMAPMove}
	for i, r := range s.decide(f, expunge, looked(uidsFrom(1, 2, 3, 4))...) {
		if r.Facts.Op != want[i] {
			t.Errorf("message %d is decided as %s", i+1, r.Facts.Op)
		}
	}
	for _, r := range s.decide(f, Deletion{Op: policy.IMAPMove, Destination: "Archive"}, looked(uidsFrom(4))...) {
		if r.Facts.Destination != "Archive" {
			t.Errorf("a move is decided as one to %q", r.Facts.Destination)
		}
	}
}

// However many copies are made, as many are remembered as fit, and both ways of
// finding them hold the same.
func TestCopiesAreBounded(t *testing.T) {
	const size = 8
	c := newCopies(size)
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	place := func(mailbox int, folder string, uid int) copyPlace {
		name := fmt.Sprintf("box%d@example.com", mailbox)
		return copyPlace{member.Mailbox(name), ledger.FolderKey{Name: folder, UIDValidity: 1}, message.UID(uid)}
	}
	for i := range 10 * size {
		c.add(copySource{place(i%3, "INBOX", i%20), "alice"}, copyMade{to: place(i%3, "Trash", i%13), at: now})
		if i%7 == 0 {
			c.forget(place(i%3, "", 0).mailbox, ledger.FolderKey{Name: "Trash", UIDValidity: 1}, uidsFrom(message.UID(i%13)))
		}
		if c.made.Len() > size || len(c.sources) != c.made.Len() {
			t.Fatalf("%d copies, %d sources", c.made.Len(), len(c.sources))
		}
		for to, from := range c.sources {
			if made, ok := c.made.Peek(from); !ok || made.to != to {
				t.Fatalf("%v leads to %v", to, made)
			}
		}
	}
	c.forgetFolder("box0@example.com", "Trash")
	for to := range c.sources {
		if to.mailbox == "box0@example.com" {
			t.Errorf("%v is remembered", to)
		}
	}
}
