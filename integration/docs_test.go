package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mailguard/demo/dovecot"
)

// guideBlock returns the first fenced block of a language in the guide.
func guideBlock(t *testing.T, language string) string {
	t.Helper()
	text, err := os.ReadFile("../docs/guides/dovecot.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?ms)^```" + language + "\n(.*?)^```$").FindSubmatch(text)
	if m == nil {
		t.Fatalf("the guide has no block of %s", language)
	}
	return string(m[1])
}

// Dovecot reads what the guide tells to write.
func TestGuideIsWhatDovecotReads(t *testing.T) {
	need(t, dovecot.Installed())
	file := filepath.Join(t.TempDir(), "dovecot.conf")
	if err := os.WriteFile(file, []byte("protocols = pop3\n"+guideBlock(t, "dovecot")), 0o600); err != nil {
		t.Fatal(err)
	}
	for setting, want := range map[string]string{
		"service/pop3-login/inet_listener/pop3/address": "127.0.0.1",
		"service/pop3-login/inet_listener/pop3/port":    "10110",
		"service/pop3-login/inet_listener/pop3s/port":   "0",
		"login_trusted_networks":                        "127.0.0.1",
	} {
		out, err := exec.Command("doveconf", "-c", file, "-h", setting).CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != want {
			t.Errorf("%s is %q (%v), want %q", setting, got, err, want)
		}
	}
}

// The guide, as it stands, with ports that are free here: a member logs in
// behind TLS, Dovecot, which refuses passwords in clear from elsewhere, sees
// where the member comes from, and observe mode lets the deletion pass.
func TestGuideWorks(t *testing.T) {
	trust := regexp.MustCompile(`(?m)^login_trusted_networks = .*$`).FindString(guideBlock(t, "dovecot"))
	d := startDovecot(t, func(o *dovecot.Options) { o.Extra = "disable_plaintext_auth = yes\n" + trust })
	deliver(t, d, mailbox, "one", "two")
	g := newGuard(t, d.POP3(), options{})
	text := guideBlock(t, "yaml")
	for from, to := range map[string]string{
		"/var/lib/mailguard": g.dir,
		":995":               g.pop3s,
		":110":               g.pop3,
		"127.0.0.1:10110":    d.POP3(),
		"tls/fullchain.pem":  filepath.Join(g.dir, certificateOf(t, g, "cert")),
		"tls/privkey.pem":    filepath.Join(g.dir, certificateOf(t, g, "key")),
	} {
		quoted := regexp.MustCompile(`([" ])` + regexp.QuoteMeta(from) + `([",}\s])`)
		if !quoted.MatchString(text) {
			t.Fatalf("the guide's configuration does not have %s", from)
		}
		text = quoted.ReplaceAllString(text, "${1}"+to+"${2}")
	}
	if err := os.WriteFile(g.config(), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, status := g.run("check"); status != 0 || strings.Count(out, "\n") != 1 {
		t.Errorf("check ended with status %d:\n%s", status, out)
	}
	g.start()
	s, err := g.logInFrom("127.0.0.2", mailbox+"#alice")
	if err != nil {
		t.Fatal(err)
	}
	defer s.conn.Close()
	for _, command := range []string{"DELE 1", "QUIT"} {
		if _, err := s.command(command); err != nil {
			t.Fatal(err)
		}
	}
	if n := stored(t, d, mailbox); n != 1 {
		t.Errorf("observe mode left %d of 2 messages, want 1", n)
	}
	if log := d.Log(); !strings.Contains(log, "rip=127.0.0.2") {
		t.Errorf("Dovecot does not know where the member comes from:\n%s", tail(log))
	}
	if out, status := g.run("mailboxes"); status != 0 || !strings.Contains(out, "alice") {
		t.Errorf("mailboxes ended with status %d:\n%s", status, out)
	}
}

// certificateOf names the file of the test's own certificate, or its key.
func certificateOf(t *testing.T, g *guard, key string) string {
	t.Helper()
	text, err := os.ReadFile(g.config())
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(key + `: "([^"]+)"`).FindSubmatch(text)
	if m == nil {
		t.Fatalf("no %s in the test's configuration", key)
	}
	return filepath.Base(string(m[1]))
}
