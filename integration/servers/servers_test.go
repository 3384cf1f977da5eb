//go:build linux

package servers

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"mailguard/integration/imapconn"
)

// The judge sees what IMAP does: what is marked, what is gone, what is left.
func TestMessages(t *testing.T) {
	eachServer(t, func(t *testing.T, s running) {
		if all := messages(t, s, support.Name); len(all) != 0 {
			t.Errorf("before the first delivery: %v", all)
		}
		deliver(t, s, support.Name, "one", "two", "three")
		if all := messages(t, s, support.Name); len(all) != 3 {
			t.Errorf("three were delivered: %v", all)
		}
		conn := logIn(t, s, support)
		if text := do(t, conn, "SELECT INBOX", "FETCH 2 BODY[HEADER]"); !strings.Contains(text, "Subject: two") {
			t.Errorf("the second message: %q", text)
		}
		do(t, conn, `STORE 1 +FLAGS (\Flagged \Seen)`, `STORE 2 +FLAGS (\Deleted)`)
		if got := states(messages(t, s, support.Name)); got != "1 2D 3" {
			t.Errorf("the second is marked: %s", got)
		}
		do(t, conn, "EXPUNGE", `STORE 2 +FLAGS (\Deleted $Custom)`, "NOOP")
		all := messages(t, s, support.Name)
		if got := states(all); got != "1 3D" {
			t.Errorf("the second is gone and the third is marked: %s", got)
		}
		text, err := os.ReadFile(all[1].Path)
		if err != nil || !strings.HasPrefix(string(text), "Subject: three") {
			t.Errorf("the file of the third: %q, %v", text, err)
		}
		do(t, conn, "CLOSE")
		if got := states(messages(t, s, support.Name)); got != "1" {
			t.Errorf("only the first is left: %s", got)
		}
		if all := messages(t, s, carla.Name); len(all) != 0 {
			t.Errorf("the other mailbox: %v", all)
		}
	})
}

// What another session expunges is gone for the judge while this one still has
// the folder open.
func TestMessagesWithFolderOpen(t *testing.T) {
	eachServer(t, func(t *testing.T, s running) {
		deliver(t, s, support.Name, "one", "two")
		reader, remover := logIn(t, s, support), logIn(t, s, support)
		do(t, reader, "SELECT INBOX", "FETCH 1:* (UID FLAGS)")
		do(t, remover, "SELECT INBOX", `STORE 1 +FLAGS (\Deleted)`, "EXPUNGE")
		if got := states(messages(t, s, support.Name)); got != "2" {
			t.Errorf("the first is gone: %s", got)
		}
		do(t, reader, "NOOP")
	})
}

func TestPOP3(t *testing.T) {
	eachServer(t, func(t *testing.T, s running) {
		deliver(t, s, carla.Name, "one", "two")
		conn, err := net.Dial("tcp", s.POP3())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		r := bufio.NewReader(conn)
		for _, command := range []string{"", "USER " + carla.Name, "PASS " + carla.Password, "DELE 1", "QUIT"} {
			if command != "" {
				_, _ = fmt.Fprintf(conn, "%s\r\n", command)
			}
			if line, err := r.ReadString('\n'); err != nil || !strings.HasPrefix(line, "+OK") {
				t.Fatalf("%s: %q, %v", command, line, err)
			}
		}
		// Courier removes behind its answer to QUIT, before it ends the connection.
		if _, err := io.ReadAll(r); err != nil {
			t.Error(err)
		}
		if all := messages(t, s, carla.Name); len(all) != 1 {
			t.Errorf("one is left: %v", all)
		}
	})
}

// A session in IDLE hears of a delivery: Cyrus' idled and Courier's gam_server
// run, too.
func TestIdle(t *testing.T) {
	eachServer(t, func(t *testing.T, s running) {
		conn := logIn(t, s, support)
		do(t, conn, "SELECT INBOX")
		if err := conn.Send("i IDLE\r\n"); err != nil {
			t.Fatal(err)
		}
		begun, err := conn.Response()
		if err != nil || !strings.HasPrefix(begun, "+") {
			t.Fatalf("IDLE: %q, %v", begun, err)
		}
		deliver(t, s, support.Name, "one")
		since := time.Now()
		for said := ""; said != "* 1 EXISTS"; {
			if said, err = conn.Response(); err != nil {
				t.Fatal(err)
			}
		}
		t.Logf("news within %v", time.Since(since))
	})
}

// Whoever may annotate a folder can have Cyrus empty it: a guard must not let
// that through. By its Date a message is old enough.
func TestExpire(t *testing.T) {
	need(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := StartCyrus(ctx, Options{Users: []User{support}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if err := s.Deliver(support.Name, []byte("Subject: old\nDate: Mon, 01 Jan 2024 10:00:00 +0000\n\nText\n")); err != nil {
		t.Fatal(err)
	}
	if err := s.Expire(); err != nil {
		t.Fatal(err)
	}
	if all := messages(t, s, support.Name); len(all) != 1 {
		t.Errorf("nothing was to expire: %v", all)
	}
	do(t, logIn(t, s, support), `SETMETADATA INBOX (/shared/vendor/cmu/cyrus-imapd/expire "1")`)
	if err := s.Expire(); err != nil {
		t.Fatal(err)
	}
	if all := messages(t, s, support.Name); len(all) != 0 {
		t.Errorf("the message was to expire: %v", all)
	}
}

func TestLogInWithWrongPassword(t *testing.T) {
	eachServer(t, func(t *testing.T, s running) {
		conn, err := imapconn.Dial(t.Context(), s.IMAP(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		if err := conn.LogIn(support.Name, carla.Password); err == nil {
			t.Error("somebody else's password is taken")
		}
		if err := s.Deliver("nobody@example.com", nil); err == nil {
			t.Error("a delivery to nobody should fail")
		}
	})
}

func TestKill(t *testing.T) {
	eachServer(t, func(t *testing.T, s running) {
		deliver(t, s, support.Name, "one")
		conn := logIn(t, s, support)
		groups := groupsOf(s)
		if err := s.Kill(); err != nil {
			t.Fatal(err)
		}
		for _, group := range groups {
			if left := group.alive(); left > 0 {
				t.Errorf("%d processes are left of group %d", left, group.pid)
			}
		}
		if _, _, err := conn.Do("NOOP"); err == nil {
			t.Error("a session outlived the server")
		}
		if c, err := net.Dial("tcp", s.IMAP()); err == nil {
			t.Errorf("%s still answers", c.RemoteAddr())
		}
		if all := messages(t, s, support.Name); len(all) != 1 {
			t.Errorf("a message was lost: %v", all)
		}
	})
}

func TestCloseLeavesNothing(t *testing.T) {
	eachServer(t, func(t *testing.T, s running) {
		dir := serverOf(s).root.dir
		logIn(t, s, support)
		if inside(dir) == 0 {
			t.Error("no process is in the root directory")
		}
		for range 2 { // the second time there is nothing to do
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
		if left := inside(dir); left > 0 {
			t.Errorf("%d processes are left in %s", left, dir)
		}
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left: %v", dir, err)
		}
	})
}

func TestRefusedOptions(t *testing.T) {
	tests := map[string]Options{
		"nobody":         {},
		"no domain":      {Users: []User{{"support", "x"}}},
		"a path as name": {Users: []User{{"../x@example.com", "x"}}},
		"a capital":      {Users: []User{{"Support@example.com", "x"}}},
		"a line end":     {Users: []User{{"support@example.com\n", "x"}}},
		"no password":    {Users: []User{{"support@example.com", ""}}},
	}
	for name, options := range tests {
		t.Run(name, func(t *testing.T) {
			if err := options.check(); err == nil {
				t.Error("should be refused")
			}
		})
	}
}
