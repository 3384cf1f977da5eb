package integration

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"mailguard/account"
	"mailguard/demo/dovecot"
	"mailguard/proxy"
)

// guideAccount returns a fenced block of the guide's chapter about the service
// account.
func guideAccount(t *testing.T, language string) string {
	t.Helper()
	text, err := os.ReadFile("../docs/guides/dovecot.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?ms)^```" + language + " account\n(.*?)^```$").FindSubmatch(text)
	if m == nil {
		t.Fatalf("the chapter has no block of %s", language)
	}
	return string(m[1])
}

// makeMaster runs what the chapter tells to type, but for whose the files are,
// and returns the two files.
func makeMaster(t *testing.T, allowed string) (password, masters string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "master-") // open to Dovecot's user, as t.TempDir is not
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	password, masters = filepath.Join(dir, "master"), filepath.Join(dir, "masters")
	var lines []string
	for line := range strings.Lines(guideAccount(t, "sh")) {
		if !strings.HasPrefix(line, "install ") {
			lines = append(lines, line)
		}
	}
	script := strings.NewReplacer("/etc/mailguard/secrets/master", password, "/etc/dovecot/mailguard-master", masters, "127.0.0.1", allowed).Replace(strings.Join(lines, ""))
	if out, err := exec.Command("sh", "-ec", script).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, mode := range map[string]os.FileMode{dir: 0o755, masters: 0o644} {
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
	return password, masters
}

// The chapter, as it stands: the guard opens a mailbox, and none that there is
// not; from another address the password does nothing.
func TestGuideForTheServiceAccount(t *testing.T) {
	need(t, dovecot.Installed())
	for allowed, lets := range map[string]bool{"127.0.0.1": true, "192.0.2.1": false} {
		password, masters := makeMaster(t, allowed)
		block := strings.Replace(guideAccount(t, "dovecot"), "/etc/dovecot/mailguard-master", masters, 1)
		d := startDovecot(t, func(o *dovecot.Options) { o.Extra = block })
		a := &account.Account{
			Upstream: "dovecot", Timeout: 20 * time.Second,
			Dialer:  proxy.Dialer{Address: d.IMAP(), Mode: proxy.TLSNone},
			Keyring: account.NewKeyring(account.Secrets{Username: "{mailbox}*mailguard", PasswordFile: password}),
		}
		s, err := a.Login(t.Context(), mailbox)
		if (err == nil) != lets {
			t.Errorf("from 127.0.0.1, allowed %s: %v", allowed, err)
		}
		if err == nil {
			if _, err := s.Open(t.Context(), "INBOX"); err != nil {
				t.Error(err)
			}
			_ = s.Close()
		}
		if _, err := a.Login(t.Context(), "nobody@example.com"); !errors.Is(err, account.ErrLogin) {
			t.Errorf("a mailbox that there is not: %v", err)
		}
	}
}
