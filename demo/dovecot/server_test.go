//go:build linux

package dovecot

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

var support = User{Name: "support@example.com", Password: "a:b c%d"}

// need skips where there is no Dovecot, or fails where everything must run.
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

func start(t *testing.T, options Options) *Server {
	t.Helper()
	need(t)
	s, err := Start(t.Context(), options)
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
	return s
}

// says runs a POP3 conversation; the odd lines are sent, the others expected.
func says(t *testing.T, address string, script ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := converse(ctx, address, script); err != nil {
		t.Fatal(err)
	}
}

func TestDeliverAndDelete(t *testing.T) {
	s := start(t, Options{Users: []User{support}, NoSync: true})
	for i := range 3 {
		message := fmt.Sprintf("Subject: %d\n\nText\n", i)
		if err := s.Deliver("Support@example.com", []byte(message)); err != nil {
			t.Fatal(err)
		}
	}
	says(t, s.POP3(), "+OK", "USER support@example.com", "+OK", "PASS a:b c%d", "+OK",
		"STAT", "+OK 3 ", "DELE 2", "+OK", "QUIT", "+OK")
	paths, err := s.Messages(support.Name)
	if err != nil || len(paths) != 2 {
		t.Fatalf("two messages should be left: %v, %v", paths, err)
	}
	last, err := os.ReadFile(paths[1])
	if err != nil || string(last) != "Subject: 2\n\nText\n" {
		t.Errorf("the last message is %q, %v", last, err)
	}
	if err := s.Deliver("nobody@example.com", nil); err == nil {
		t.Error("a delivery to nobody should fail")
	}
}

func TestRestartKeepsMailAndPorts(t *testing.T) {
	s := start(t, Options{Users: []User{support}})
	if err := s.Deliver(support.Name, []byte("Subject: a\n\n")); err != nil {
		t.Fatal(err)
	}
	address, before := s.POP3(), s.process
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	if left := before.alive(); left > 0 {
		t.Errorf("%d processes are left", left)
	}
	if conn, err := net.Dial("tcp", address); err == nil {
		t.Errorf("%s still answers", conn.RemoteAddr())
	}
	for range 2 { // the second time it is running
		if err := s.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		says(t, address, "+OK", "USER "+support.Name, "+OK", "PASS "+support.Password, "+OK", "STAT", "+OK 1 ")
	}
}

func TestMasterUserAndTrust(t *testing.T) {
	s := start(t, Options{
		Users:         []User{support},
		MasterUsers:   []User{{"alice", "secret"}},
		TrustLoopback: true,
	})
	says(t, s.POP3(), "+OK [XCLIENT]", "USER support@example.com*alice", "+OK", "PASS secret", "+OK", "QUIT", "+OK")
	says(t, s.POP3(), "+OK", "USER support@example.com", "+OK", "PASS secret", "-ERR")
	says(t, s.POP3(), "+OK", "USER alice", "+OK", "PASS secret", "-ERR")
}

func TestLockSession(t *testing.T) {
	s := start(t, Options{Users: []User{support}, LockSession: true, Extra: "service pop3 {\n  process_limit = 7\n}"})
	conf, err := os.ReadFile(filepath.Join(s.Dir(), "dovecot.conf"))
	if err != nil || !strings.Contains(string(conf), "pop3_lock_session = yes") || !strings.Contains(string(conf), "process_limit = 7") {
		t.Errorf("configuration, %v:\n%s", err, conf)
	}
}

func TestRefusedOptions(t *testing.T) {
	need(t)
	tests := map[string]Options{
		"a path as name":     {Users: []User{{"../x", "y"}}},
		"a name with a star": {Users: []User{{"a*b", "y"}}},
		"no password":        {Users: []User{{"a", ""}}},
		"a long directory":   {Dir: "/tmp/" + strings.Repeat("x", 80)},
		"a wrong setting":    {Extra: "no_such_setting = yes"},
		"no certificate":     {TLS: &Files{"/nonexistent", "/nonexistent"}},
	}
	for name, options := range tests {
		t.Run(name, func(t *testing.T) {
			s, err := Start(t.Context(), options)
			if err == nil {
				_ = s.Close()
				t.Fatal("should be refused")
			}
			t.Log(err)
		})
	}
}

// TestDeathOfTheCaller runs this test binary again as a program that starts
// Dovecot and is then killed: Dovecot must not stay behind.
func TestDeathOfTheCaller(t *testing.T) {
	need(t)
	if os.Getenv("MAILGUARD_DOVECOT_CHILD") == "1" {
		s, err := Start(context.Background(), Options{Users: []User{support}})
		if err != nil {
			t.Fatal(err)
		}
		_ = os.WriteFile(os.Getenv("MAILGUARD_DOVECOT_STARTED"), fmt.Appendf(nil, "%d %s", s.process.pid, s.Dir()), 0o600)
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	note := filepath.Join(t.TempDir(), "started")
	child := exec.Command(os.Args[0], "-test.run=^TestDeathOfTheCaller$")
	child.Env = append(os.Environ(), "MAILGUARD_DOVECOT_CHILD=1", "MAILGUARD_DOVECOT_STARTED="+note)
	output, _ := child.CombinedOutput()
	started, err := os.ReadFile(note)
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	number, dir, _ := strings.Cut(string(started), " ")
	group, err := strconv.Atoi(number)
	if err != nil || group < 2 {
		t.Fatalf("process group %q", number)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	for range 100 {
		if (&process{pid: group}).alive() == 0 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	_ = syscall.Kill(-group, syscall.SIGKILL)
	t.Error("Dovecot outlived its caller")
}
