package integration

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"mailguard/demo/dovecot"
)

// deadline is when a test that takes longer than others has failed.
func deadline(t *testing.T) time.Time {
	t.Helper()
	const patience = 2 * time.Minute
	return time.Now().Add(patience)
}

// check and serve name all mistakes at once, with their places.
func TestMistakesInTheConfiguration(t *testing.T) {
	g := newGuard(t, "127.0.0.1:1", options{
		members: "[alice, alice]",
		policy:  "policy:\n  mode: enforced\n  rules:\n    - {name: x, when: mailbox.shard, then: defer}",
	})
	for _, command := range []string{"check", "serve"} {
		out, status := g.run(command)
		if status != 2 {
			t.Errorf("%s: exit status %d", command, status)
		}
		place := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(g.config()) + `:\d+:\d+: \S`)
		if n := len(place.FindAllString(out, -1)); n < 3 {
			t.Errorf("%s names %d mistakes with their places, want 3:\n%s", command, n, out)
		}
	}
}

// A part of a file that this version does not have yet is named, and not
// served without.
func TestWhatIsNotAvailableIsNotServed(t *testing.T) {
	g := newGuard(t, "127.0.0.1:1", options{extra: "identity: [login, certificate]"})
	out, status := g.run("serve")
	if status != 2 || !strings.Contains(out, "certificate") || !regexp.MustCompile(`:\d+:\d+: `).MatchString(out) {
		t.Errorf("serve: status %d\n%s", status, out)
	}
	out, status = g.run("check", "--offline")
	if status != 0 || !strings.Contains(out, "not available") {
		t.Errorf("check: status %d\n%s", status, out)
	}
}

func TestCheckNamesAnUpstreamThatDoesNotAnswer(t *testing.T) {
	g := newGuard(t, freeAddress(t), options{})
	out, status := g.run("check")
	if status != 0 || !strings.Contains(out, "cannot be reached") {
		t.Errorf("status %d\n%s", status, out)
	}
}

// The command line asks the running server, and the ledger when none runs.
func TestHeldWithAndWithoutAServer(t *testing.T) {
	d := startDovecot(t, nil)
	g := startGuard(t, d.POP3(), options{})
	deliver(t, d, mailbox, "one")
	s := g.must(mailbox + "#alice")
	for _, command := range []string{"DELE 1", "QUIT"} {
		if _, err := s.command(command); err != nil {
			t.Fatal(err)
		}
	}
	running := listHeld(t, g)
	if err := g.stop(); err != nil {
		t.Fatal(err)
	}
	if stopped := listHeld(t, g); stopped != running {
		t.Errorf("without a server:\n%s\nwith one:\n%s", stopped, running)
	}
	out, status := g.run("held", "show", "4711")
	if status != 1 || !strings.Contains(out, "no such message") {
		t.Errorf("held show of an unknown number: status %d, %s", status, out)
	}
}

func listHeld(t *testing.T, g *guard) string {
	t.Helper()
	out, status := g.run("held", "list", "--member", "alice", "--output", "json")
	if status != 0 || !strings.Contains(out, `"rule": "builtin-shared`) || !strings.Contains(out, "waits for") {
		t.Errorf("held list: status %d\n%s", status, out)
	}
	if other, status := g.run("held", "list", "--member", "bob", "--output", "json"); status != 0 || strings.TrimSpace(other) != "[]" {
		t.Errorf("held list of bob: status %d\n%s", status, other)
	}
	if shown, status := g.run("held", "show", "1"); status != 0 || !strings.Contains(shown, "alice by pop3") {
		t.Errorf("held show: status %d\n%s", status, shown)
	}
	return out
}

// What an administrator says about held messages counts with a server and
// without one. Flags choose, and somebody is asked before anything is done.
func TestHeldIsDecidedAbout(t *testing.T) {
	d := startDovecot(t, nil)
	g := startGuard(t, d.POP3(), options{})
	deliver(t, d, mailbox, "one", "two")
	s := g.must(mailbox + "#alice")
	for _, command := range []string{"DELE 1", "DELE 2", "QUIT"} {
		if _, err := s.command(command); err != nil {
			t.Fatal(err)
		}
	}
	want := func(status int, text string, args ...string) {
		t.Helper()
		if out, got := g.run(args...); got != status || !strings.Contains(out, text) {
			t.Errorf("%v: status %d\n%s\nwant %d and %q", args, got, out, status, text)
		}
	}
	want(1, "nothing was done", "held", "restore", "--mailbox", mailbox) // nobody answers
	want(1, "not both", "held", "approve", "1", "--mailbox", mailbox)
	want(1, "which messages?", "held", "purge", "--reason", "x")
	want(1, "not a message's number", "pin", "x")
	want(1, "service account", "held", "restore", "1", "--as-copy")
	want(0, "1: restored", "held", "restore", "1", "--member", "alice")
	if err := g.stop(); err != nil {
		t.Fatal(err)
	}
	want(0, "2: restored", "held", "restore", "--folder", "inbox", "--yes", "--pin")
	want(1, `"refused"`, "pin", "1", "4711", "--output", "json")
	want(0, "[]", "held", "list", "--output", "json")
	want(0, `"kind": "pinned"`, "audit", "--kind", "pinned", "--output", "json")
	want(1, "--since", "audit", "--since", "yesterday")
}

// The demo, in front of a real Dovecot.
func TestDemo(t *testing.T) {
	need(t, dovecot.Installed())
	out, err := exec.Command(binary, "demo", "--once").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"a real Dovecot", "Bob gets all 3", "waits for carol", "the mail server has 0"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the demo does not say %q:\n%s", want, out)
		}
	}
}

func TestAnUnknownCommandFails(t *testing.T) {
	g := newGuard(t, "127.0.0.1:1", options{})
	if out, status := g.run("held", "foo"); status != 1 || !strings.Contains(out, "unknown command") {
		t.Errorf("status %d\n%s", status, out)
	}
	if out, status := g.run("held", "list"); status != 1 || !strings.Contains(out, "there is no ledger at "+g.dir) {
		t.Errorf("held list before the first start: status %d\n%s", status, out)
	}
}

func TestCheckWarnsOfFlagsThatAreNotRead(t *testing.T) {
	g := newGuard(t, "", options{upstreams: `  - {name: main, domains: ["*"], pop3: {address: "127.0.0.1:1", tls: none}, imap: {address: "127.0.0.1:2", tls: none}}`})
	if out, status := g.run("check", "--offline"); status != 0 || !strings.Contains(out, "message.flags") {
		t.Errorf("status %d\n%s", status, out)
	}
}
