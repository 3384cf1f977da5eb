package config

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// exampleFolder returns a folder with the files that the example names, and
// the example's text.
func exampleFolder(t *testing.T) (dir, text string) {
	t.Helper()
	example, err := os.ReadFile("testdata/example/mailguard.yaml")
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	cert, key := newCertificate(t, today.AddDate(0, -1, 0), today.AddDate(0, 1, 0))
	for name, content := range map[string]string{
		"tls/fullchain.pem": cert, "tls/privkey.pem": key,
		"tls/members-ca.pem": cert, "tls/upstream-ca.pem": cert,
		"secrets/master": "hunter2", "secrets/support": "hunter2",
	} {
		writeFile(t, filepath.Join(dir, name), content, 0o600)
	}
	return dir, string(example)
}

// loadText loads a text as the file mailguard.yaml of a folder.
func loadText(t *testing.T, dir, text string) *Config {
	t.Helper()
	name := filepath.Join(dir, "mailguard.yaml")
	writeFile(t, name, text, 0o644)
	cfg, problems := load(name, testEnvironment())
	if len(problems) > 0 {
		t.Fatalf("problems:\n%v", problems)
	}
	for _, w := range cfg.Warnings {
		t.Errorf("warning: %v", w)
	}
	return cfg
}

// noted returns what is unavailable as "what it is about @ the line's text",
// which does not change with the comments around it.
func noted(t *testing.T, cfg *Config, text string) []string {
	t.Helper()
	lines := strings.Split(text, "\n")
	var all []string
	for _, p := range cfg.Unavailable {
		about := strings.Split(p.Text, "`")[1]
		rest := lines[p.Line-1][p.Column-1:]
		all = append(all, fmt.Sprintf("%s @ %s", about, rest[:min(len(rest), 14)]))
	}
	return all
}

func TestExample(t *testing.T) {
	dir, text := exampleFolder(t)
	cfg := loadText(t, dir, text)
	same(t, noted(t, cfg, text), []string{
		"identity: certificate @ certificate, n",
		"admin.address @ address: \"127.",
		"admin.token_file @ token_file: se",
	})
	if got := len(cfg.Mailboxes); got != 2 {
		t.Errorf("%d mailboxes, want 2", got)
	}
}

// commented matches the example's lines that are only commented out. Prose
// begins with a capital, or is the one remark about `tls: none`.
var commented = regexp.MustCompile(`(?m)^( *)# ((?:- \{)?[a-z_0-9]+: .*)$`)

func TestExampleWithEverythingActive(t *testing.T) {
	dir, text := exampleFolder(t)
	active := 0
	text = commented.ReplaceAllStringFunc(text, func(line string) string {
		if strings.Contains(line, "is accepted on loopback") {
			return line
		}
		active++
		return commented.ReplaceAllString(line, "$1$2")
	})
	if active != 18 {
		t.Errorf("%d lines of the example were commented out, want 18: adapt this test", active)
	}
	text = strings.Replace(text, "/var/lib/mailguard", dir, 1)
	cfg := loadText(t, dir, text)
	same(t, noted(t, cfg, text), []string{
		"include @ include: conf.",
		"listeners[4].proxy_protocol @ proxy_protocol",
		"tls.acme @ acme: {email: ",
		"tls.client_ca @ client_ca: tls",
		"identity: certificate @ certificate, n",
		"mailboxes[0].secret_file @ secret_file: s",
		"policy.preset @ preset: team-i",
		"policy.breaker @ breaker: {mess",
		"admin.address @ address: \"127.",
		"admin.token_file @ token_file: se",
	})
}
