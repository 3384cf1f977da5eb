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
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"mailguard/integration/imapconn"
)

var (
	support = User{Name: "support@example.com", Password: `a:b "c%d`}
	carla   = User{Name: "carla@personal.example.com", Password: "secret"}
)

// running is what the tests ask of both servers.
type running interface {
	IMAP() string
	POP3() string
	Deliver(user string, message []byte) error
	Messages(user string) ([]Message, error)
	Log() string
	Kill() error
	Close() error
}

var starters = map[string]func(context.Context, Options) (running, error){
	"Cyrus":   func(ctx context.Context, o Options) (running, error) { return orNil(StartCyrus(ctx, o)) },
	"Courier": func(ctx context.Context, o Options) (running, error) { return orNil(StartCourier(ctx, o)) },
}

func orNil[S running](s S, err error) (running, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

// need skips where the servers cannot be run, or fails where everything must
// run.
func need(t *testing.T) {
	t.Helper()
	err := Installed()
	if err != nil && (os.Getenv("CI") != "" || os.Getenv("MAILGUARD_REQUIRE_ALL") != "") {
		t.Fatal(err)
	}
	if err != nil {
		t.Skip(err)
	}
}

// eachServer runs a test with each of the two servers.
func eachServer(t *testing.T, test func(t *testing.T, s running)) {
	t.Helper()
	need(t)
	for name, start := range starters {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			s, err := start(ctx, Options{Users: []User{support, carla}})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if t.Failed() {
					t.Log(s.Log())
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
			test(t, s)
		})
	}
}

func deliver(t *testing.T, s running, user string, subjects ...string) {
	t.Helper()
	for _, subject := range subjects {
		if err := s.Deliver(user, fmt.Appendf(nil, "Subject: %s\n\nText\n", subject)); err != nil {
			t.Fatal(err)
		}
	}
}

func messages(t *testing.T, s running, user string) []Message {
	t.Helper()
	all, err := s.Messages(user)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func logIn(t *testing.T, s running, u User) *imapconn.Conn {
	t.Helper()
	conn, err := imapconn.Dial(t.Context(), s.IMAP(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.LogIn(u.Name, u.Password); err != nil {
		t.Fatal(err)
	}
	return conn
}

// do gives commands that have to be OK and returns what the last one brought.
func do(t *testing.T, conn *imapconn.Conn, commands ...string) string {
	t.Helper()
	var answers []string
	for _, command := range commands {
		untagged, tagged, err := conn.Do(command)
		if err != nil || !strings.HasPrefix(tagged, "OK") {
			t.Fatalf("%s: %s, %v\n%s", command, tagged, err, conn.Transcript())
		}
		answers = untagged
	}
	return strings.Join(answers, "\n")
}

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

// states are the UIDs, with a D behind those that are marked \Deleted.
func states(all []Message) string {
	var words []string
	for _, m := range all {
		word := strconv.Itoa(int(m.UID))
		if m.Deleted {
			word += "D"
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
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

func groupsOf(s running) []*process { return append([]*process{}, serverOf(s).processes...) }

func serverOf(s running) *server {
	if c, ok := s.(*Cyrus); ok {
		return c.server
	}
	return s.(*Courier).server
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

// inside counts the processes whose root directory it is, whatever group they
// are in.
func inside(dir string) int {
	count := 0
	links, _ := filepath.Glob("/proc/[0-9]*/root") // the pattern is a good one
	for _, link := range links {
		if root, err := os.Readlink(link); err == nil && strings.HasPrefix(root, dir) {
			count++
		}
	}
	return count
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

// TestDeathOfTheCaller runs this test binary again as a program that starts a
// server and is then killed: the server must not stay behind.
func TestDeathOfTheCaller(t *testing.T) {
	need(t)
	if name := os.Getenv("MAILGUARD_SERVERS_CHILD"); name != "" {
		dieWith(t, starters[name])
	}
	for name := range starters {
		t.Run(name, func(t *testing.T) {
			note := filepath.Join(t.TempDir(), "started")
			child := exec.Command(os.Args[0], "-test.run=^TestDeathOfTheCaller$")
			child.Env = append(os.Environ(), "MAILGUARD_SERVERS_CHILD="+name, "MAILGUARD_SERVERS_STARTED="+note)
			output, _ := child.CombinedOutput()
			started, err := os.ReadFile(note)
			if err != nil {
				t.Fatalf("%v\n%s", err, output)
			}
			dir, numbers, _ := strings.Cut(string(started), "\n")
			defer func() { _ = os.RemoveAll(dir) }()
			for number := range strings.FieldsSeq(numbers) {
				expectEnd(t, number)
			}
		})
	}
}

// dieWith starts a server, notes its directory and process groups, and ends
// this program without a word.
func dieWith(t *testing.T, start func(context.Context, Options) (running, error)) {
	s, err := start(context.Background(), Options{Users: []User{support}})
	if err != nil {
		t.Fatal(err)
	}
	note := []byte(serverOf(s).root.dir + "\n")
	for _, group := range groupsOf(s) {
		note = fmt.Appendf(note, "%d ", group.pid)
	}
	_ = os.WriteFile(os.Getenv("MAILGUARD_SERVERS_STARTED"), note, 0o600)
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
}

func expectEnd(t *testing.T, number string) {
	t.Helper()
	group, err := strconv.Atoi(number)
	if err != nil || group < 2 {
		t.Fatalf("process group %q", number)
	}
	for range 100 {
		if (&process{pid: group}).alive() == 0 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	_ = syscall.Kill(-group, syscall.SIGKILL)
	t.Errorf("process group %d outlived its caller", group)
}
