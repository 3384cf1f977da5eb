package integration

import (
	"bufio"
	"crypto/tls"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"mailguard/demo/dovecot"
)

// guideIMAP returns the fenced block of a language in the guide's chapter about
// IMAP.
func guideIMAP(t *testing.T, language string) string {
	t.Helper()
	text, err := os.ReadFile("../docs/guides/dovecot.md")
	if err != nil {
		t.Fatal(err)
	}
	_, chapter, _ := strings.Cut(string(text), "\n## 6. IMAP as well\n")
	m := regexp.MustCompile("(?ms)^```" + language + "\n(.*?)^```$").FindStringSubmatch(chapter)
	if m == nil {
		t.Fatalf("the chapter has no block of %s", language)
	}
	return m[1]
}

// Dovecot reads what the chapter tells to write.
func TestGuideForIMAPIsWhatDovecotReads(t *testing.T) {
	need(t, dovecot.Installed())
	file := filepath.Join(t.TempDir(), "dovecot.conf")
	if err := os.WriteFile(file, []byte("protocols = imap\n"+guideIMAP(t, "dovecot")), 0o600); err != nil {
		t.Fatal(err)
	}
	for setting, want := range map[string]string{
		"service/imap-login/inet_listener/imap/address": "127.0.0.1",
		"service/imap-login/inet_listener/imap/port":    "10143",
		"service/imap-login/inet_listener/imaps/port":   "0",
		"login_trusted_networks":                        "127.0.0.1",
	} {
		out, err := exec.Command("doveconf", "-c", file, "-h", setting).CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != want {
			t.Errorf("%s is %q (%v), want %q", setting, got, err, want)
		}
	}
}

// The chapter, as it stands, with ports that are free here: check has nothing to
// warn of but the flags, a member logs in, Dovecot sees where from, and observe
// mode lets an expunge pass and records it. Without it, as the chapter ends, the
// message is gone for one and held for the others.
func TestGuideForIMAPWorks(t *testing.T) {
	trust := regexp.MustCompile(`(?m)^login_trusted_networks = .*$`).FindString(guideIMAP(t, "dovecot"))
	d := startDovecot(t, func(o *dovecot.Options) { o.Extra = "disable_plaintext_auth = yes\n" + trust })
	deliver(t, d, mailbox, "one", "two")
	g := newGuard(t, d.POP3(), options{imap: d.IMAP()})
	text := guideIMAP(t, "yaml")
	for from, to := range map[string]string{
		"/var/lib/mailguard": g.dir,
		":995":               g.pop3s, ":110": g.pop3, ":993": g.behind.imaps, ":143": g.behind.imap,
		"127.0.0.1:10110":   d.POP3(),
		"127.0.0.1:10143":   d.IMAP(),
		"tls/fullchain.pem": filepath.Join(g.dir, certificateOf(t, g, "cert")),
		"tls/privkey.pem":   filepath.Join(g.dir, certificateOf(t, g, "key")),
	} {
		quoted := regexp.MustCompile(`([" ])` + regexp.QuoteMeta(from) + `([",}\s])`)
		if !quoted.MatchString(text) {
			t.Fatalf("the chapter's configuration does not have %s", from)
		}
		text = quoted.ReplaceAllString(text, "${1}"+to+"${2}")
	}
	if err := os.WriteFile(g.config(), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, status := g.run("check"); status != 0 || strings.Count(out, "warning:") != 1 || !strings.Contains(out, "cannot read flags") {
		t.Errorf("check ended with status %d:\n%s", status, out)
	}
	g.start()
	out := sayIMAP(t, g, "127.0.0.2", `ID ("x-originating-ip" "192.0.2.9")`, "LOGIN "+mailbox+"#alice "+password, "SELECT INBOX",
		`STORE 1 +FLAGS (\Deleted)`, "EXPUNGE", "LOGOUT")
	if !strings.Contains(out, "* 1 EXPUNGE") {
		t.Errorf("observe mode does not let an expunge pass:\n%s", out)
	}
	if n := stored(t, d, mailbox); n != 1 {
		t.Errorf("observe mode left %d of 2 messages, want 1", n)
	}
	if log := d.Log(); !strings.Contains(log, "rip=127.0.0.2") || strings.Contains(log, "192.0.2.9") {
		t.Errorf("Dovecot does not know where the member comes from:\n%s", tail(log))
	}
	if out, status := g.run("mailboxes"); status != 0 || !regexp.MustCompile(`alice .* imap `).MatchString(out) {
		t.Errorf("mailboxes ended with status %d:\n%s", status, out)
	}
	if log := g.log.String(); !regexp.MustCompile(`"op":"imap.expunge".*"outcome":"observe"`).MatchString(log) {
		t.Errorf("the log does not have what would have been:\n%s", tail(log))
	}
	if err := g.stop(); err != nil {
		t.Fatal(err)
	}
	enforcing := strings.Replace(text, "    mode: observe\n", "", 1)
	if enforcing == text {
		t.Fatal("the chapter's mailbox is not in observe mode")
	}
	if err := os.WriteFile(g.config(), []byte(enforcing), 0o600); err != nil {
		t.Fatal(err)
	}
	g.start()
	enforcedAsInTheGuide(t, g)
	if n := stored(t, d, mailbox); n != 1 {
		t.Errorf("a deferral left %d of 1 message", n)
	}
}

// enforcedAsInTheGuide deletes the one message as alice.
func enforcedAsInTheGuide(t *testing.T, g *guard) {
	t.Helper()
	out := sayIMAP(t, g, "127.0.0.2", "LOGIN "+mailbox+"#alice "+password, "SELECT INBOX", `STORE 1 +FLAGS (\Deleted)`, "EXPUNGE", "SELECT INBOX", "LOGOUT")
	if !strings.Contains(out, "* 1 EXPUNGE") || !strings.Contains(out, "* 0 EXISTS") {
		t.Errorf("alice is not told that it is gone:\n%s", out)
	}
	if out := sayIMAP(t, g, "127.0.0.2", "LOGIN "+mailbox+"#bob "+password, "SELECT INBOX", "LOGOUT"); !strings.Contains(out, "* 1 EXISTS") {
		t.Errorf("bob does not see it any more:\n%s", out)
	}
	if out, status := g.run("held", "list"); status != 0 || !strings.Contains(out, " alice ") || !strings.Contains(out, "waits ") {
		t.Errorf("held list ended with status %d:\n%s", status, out)
	}
}

// sayIMAP runs commands in a session from an address and returns all that was
// answered. A command that is not answered OK fails the test.
func sayIMAP(t *testing.T, g *guard, from string, commands ...string) string {
	t.Helper()
	dialer := tls.Dialer{
		NetDialer: &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}},
		Config:    &tls.Config{RootCAs: g.roots, ServerName: "localhost"},
	}
	conn, err := dialer.DialContext(t.Context(), "tcp", g.imaps)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(sessionTimeout))
	s := &session{conn: conn, r: bufio.NewReader(conn)}
	var all strings.Builder
	for _, command := range append([]string{""}, commands...) {
		end := "* OK " // the greeting
		if command != "" {
			end = "a OK "
			if _, err := conn.Write([]byte("a " + command + "\r\n")); err != nil {
				t.Fatal(err)
			}
		}
		for {
			line, err := s.line()
			all.WriteString(line + "\n")
			if strings.HasPrefix(line, end) {
				break
			}
			if err != nil || strings.HasPrefix(line, "a ") {
				t.Fatalf("%q: %v\n%s", command, err, all.String())
			}
		}
	}
	return all.String()
}
