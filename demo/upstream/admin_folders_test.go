package upstream

import (
	"slices"
	"testing"
	"time"
)

// byForce has a session that has Work open, with messages 1 to 3.
func byForce(t *testing.T) (*Server, *client) {
	t.Helper()
	s, address := newServer(t, func(s *Server) {
		for i := range 3 {
			if _, err := s.Append(user, "Work", letter(i+1), letterDate); err != nil {
				t.Fatal(err)
			}
		}
	})
	c := logIn(t, address, user)
	c.do("SELECT Work")
	return s, c
}

func uidsOf(s *Server, folder string) (uids []uint32) {
	for _, m := range s.Messages(user, folder) {
		uids = append(uids, m.UID)
	}
	return uids
}

func TestExpunge(t *testing.T) {
	s, c := byForce(t)
	if got := s.Expunge(user, "Work", 3, 1, 99); !slices.Equal(got, []uint32{1, 3}) {
		t.Errorf("expunged %v", got)
	}
	if got := s.Expunge(user, "nowhere", 1); got != nil {
		t.Errorf("expunged %v from no folder", got)
	}
	want(t, c.do("NOOP"), "* 3 EXPUNGE", "* 1 EXPUNGE", "* 1 RECENT", "OK")
	if gone := s.Removed(); len(gone) != 2 || gone[0].Folder != "Work" || gone[0].User != "" {
		t.Errorf("removed %v", gone)
	}
	s.Forget()
	if len(s.Removed()) > 0 || len(s.Received()) > 0 {
		t.Error("it has not forgotten")
	}
}

// Whoever has the folder open is told that it is no longer there.
func TestFoldersByForce(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Server) error
		left   []string
	}{
		{"deleted", func(s *Server) error { return s.DeleteFolder(user, "Work") }, []string{"INBOX"}},
		{"renamed", func(s *Server) error { return s.RenameFolder(user, "Work", "Office") }, []string{"INBOX", "Office"}},
		{"renumbered", func(s *Server) error { _, err := s.ChangeUIDValidity(user, "Work"); return err }, []string{"INBOX", "Work"}},
		{"made again", func(s *Server) error {
			if err := s.DeleteFolder(user, "Work"); err != nil {
				return err
			}
			return s.CreateFolder(user, "Work")
		}, []string{"INBOX", "Work"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, c := byForce(t)
			if err := test.change(s); err != nil {
				t.Fatal(err)
			}
			if got := s.Folders(user); !slices.Equal(got, test.left) {
				t.Errorf("there are %q", got)
			}
			c.send("a99 NOOP\r\n")
			want(t, []string{c.response(), c.response()}, "* BYE", "")
		})
	}
}

func TestFoldersThatCannot(t *testing.T) {
	s, _ := byForce(t)
	_, renumbered := s.ChangeUIDValidity(user, "nowhere")
	_, asked := s.UIDValidity(user, "nowhere")
	for name, err := range map[string]error{
		"create what is there": s.CreateFolder(user, "Work"), "delete nothing": s.DeleteFolder(user, "nowhere"), "delete the INBOX": s.DeleteFolder(user, "INBOX"),
		"rename nothing": s.RenameFolder(user, "nowhere", "x"), "rename the INBOX": s.RenameFolder(user, "INBOX", "x"),
		"rename to what is there": s.RenameFolder(user, "Work", "INBOX"), "renumber nothing": renumbered, "UIDVALIDITY of nothing": asked,
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// A change of the UIDVALIDITY changes what POP3 calls the messages, too, and
// saves what a session marked before.
func TestChangeUIDValidity(t *testing.T) {
	s, _ := newServer(t, nil)
	s.Expunge(user, "INBOX", 1)
	before, ids := s.Messages(user, "INBOX"), s.UniqueIDs(user)
	old, err := s.UIDValidity(user, "INBOX")
	if err != nil {
		t.Fatal(err)
	}
	c := pop3(t, s)
	for _, command := range []string{"USER " + user, "PASS secret", "DELE 1"} {
		c.send(command + "\r\n")
		c.response()
	}
	now, err := s.ChangeUIDValidity(user, "INBOX")
	if err != nil || now <= old {
		t.Errorf("UIDVALIDITY is %d, was %d: %v", now, old, err)
	}
	c.send("QUIT\r\n")
	c.response()
	after := s.Messages(user, "INBOX")
	if len(after) != len(before) || !slices.Equal(uidsOf(s, "INBOX"), []uint32{1, 2, 3, 4}) {
		t.Fatalf("UIDs %v", uidsOf(s, "INBOX"))
	}
	for i := range after {
		if string(after[i].Text) != string(before[i].Text) || !after[i].Date.Equal(before[i].Date) {
			t.Errorf("message %d is another", i+1)
		}
	}
	for _, id := range s.UniqueIDs(user) {
		if slices.Contains(ids, id) {
			t.Errorf("the unique-id %s is an old one", id)
		}
	}
}

func TestRemoveUser(t *testing.T) {
	s, address := newServer(t, nil)
	s.RemoveUser(user)
	c := dial(t, address)
	c.response()
	want(t, c.do("LOGIN "+user+" secret"), "NO [AUTHENTICATIONFAILED]")
}

// BenchmarkAdmin is what a model test does past the sessions in each step.
func BenchmarkAdmin(b *testing.B) {
	s := New()
	message := letter(1)
	for b.Loop() {
		s.AddUser(user, "secret")
		uid, err := s.Append(user, "INBOX", message, time.Time{})
		if err == nil {
			err = s.SetFlags(user, "INBOX", uid, `\Seen`)
		}
		if err != nil || len(s.Expunge(user, "INBOX", uid)) != 1 {
			b.Fatal(err)
		}
		s.RemoveUser(user)
		s.Forget()
	}
}
