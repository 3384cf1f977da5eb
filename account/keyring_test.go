package account

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mailguard/demo/upstream"
	"mailguard/member"
	"mailguard/proxy/credentials"
)

func TestKeyring(t *testing.T) {
	file := secretFile(t, "hunter2\r\n")
	for name, test := range map[string]struct {
		secrets Secrets
		mailbox member.Mailbox
		want    credentials.Credentials
	}{
		"master user": {
			Secrets{Username: "{mailbox}*mailguard", PasswordFile: file}, box,
			credentials.Credentials{Mechanism: "PLAIN", Login: member.Login{Name: "support@example.com*mailguard"}, Secret: "hunter2"},
		},
		"authorization": {
			Secrets{Username: "mailguard", Authorization: "{domain}!{user}", PasswordFile: file}, box,
			credentials.Credentials{Mechanism: "PLAIN", Login: member.Login{Name: "mailguard", Authzid: "example.com!support"}, Secret: "hunter2"},
		},
		"filled in once": {
			Secrets{Username: "{mailbox}", PasswordFile: file}, "{domain}@example.com",
			credentials.Credentials{Mechanism: "PLAIN", Login: member.Login{Name: "{domain}@example.com"}, Secret: "hunter2"},
		},
		"no domain": {
			Secrets{Username: "{user}", PasswordFile: file}, "support",
			credentials.Credentials{Mechanism: "PLAIN", Login: member.Login{Name: "support"}, Secret: "hunter2"},
		},
		"token": {
			Secrets{OAuth: true, Username: "{mailbox}", TokenFile: file}, box,
			credentials.Credentials{Mechanism: "XOAUTH2", Login: member.Login{Name: "support@example.com"}, Secret: "hunter2"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := NewKeyring(test.secrets).Credentials(t.Context(), test.mailbox)
			if err != nil || got != test.want {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func TestKeyringFails(t *testing.T) {
	for name, test := range map[string]struct {
		secrets Secrets
		mailbox member.Mailbox
		says    string
	}{
		"no file":    {Secrets{Username: "{mailbox}", PasswordFile: "/nonexistent/hunter2"}, box, "`password_file`"},
		"a folder":   {Secrets{Username: "{mailbox}", PasswordFile: t.TempDir()}, box, "cannot be read"},
		"empty":      {Secrets{Username: "{mailbox}", PasswordFile: secretFile(t, "\n")}, box, "empty"},
		"large":      {Secrets{Username: "{mailbox}", PasswordFile: secretFile(t, strings.Repeat("hunter2", 10_000))}, box, "64 KiB"},
		"two lines":  {Secrets{Username: "{mailbox}", PasswordFile: secretFile(t, "hunter2\nhunter2")}, box, "control characters"},
		"no domain":  {Secrets{Username: "{user}@{domain}", PasswordFile: secretFile(t, "hunter2")}, "support", "no domain"},
		"no command": {Secrets{OAuth: true, Username: "{mailbox}"}, box, "command"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewKeyring(test.secrets).Credentials(t.Context(), test.mailbox)
			wantError(t, err, test.says)
		})
	}
}

// A password that is changed is taken at the next login.
func TestSecretsAreReadEachTime(t *testing.T) {
	file := secretFile(t, "wrong")
	s := newStage(t, nil)
	s.account.Keyring = NewKeyring(Secrets{Username: "{mailbox}", PasswordFile: file})
	if _, err := s.account.Login(t.Context(), box); !errors.Is(err, ErrLogin) {
		t.Error(err)
	}
	if err := os.WriteFile(file, []byte(password), 0o600); err != nil {
		t.Fatal(err)
	}
	login(t, s.account)
}

// counting is a command that counts how often it is run, and its keyring.
func counting(t *testing.T, token string) (k *Keyring, runs func() int) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "runs")
	k = NewKeyring(Secrets{OAuth: true, Username: "{mailbox}", TokenCommand: []string{"/bin/sh", "-c", `echo run >> "$0"; echo "  $1"`, log, token}})
	return k, func() int {
		text, err := os.ReadFile(log)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Error(err)
		}
		return strings.Count(string(text), "run")
	}
}

func TestTokenCommand(t *testing.T) {
	k, runs := counting(t, "hunter2")
	now := time.Now()
	k.tokens.now = func() time.Time { return now }
	get := func(want int) {
		t.Helper()
		c, err := k.Credentials(t.Context(), box)
		if err != nil || c.Secret != "hunter2" || c.Mechanism != credentials.XOAUTH2 || runs() != want {
			t.Errorf("%v; it was run %d times, want %d", err, runs(), want)
		}
	}
	get(1)
	get(1)
	now = now.Add(tokenLasts - time.Second)
	get(1)
	now = now.Add(time.Second)
	get(2)
	k.Refused(credentials.Credentials{Secret: "another"})
	get(2)
	k.Refused(credentials.Credentials{Secret: "hunter2"})
	get(3)
}

// Those who want a token at the same time wait for one.
func TestTokenCommandRunsOnce(t *testing.T) {
	k, runs := counting(t, "hunter2")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := k.Credentials(t.Context(), box); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if runs() != 1 {
		t.Errorf("it was run %d times", runs())
	}
}

func TestTokenCommandFails(t *testing.T) {
	for name, test := range map[string]struct{ script, says string }{
		"status":   {"echo hunter2; echo hunter2 >&2; exit 3", "exit status 3"},
		"silent":   {"echo hunter2 >&2", "no token"},
		"too much": {"while :; do echo hunter2; done", "64 KiB"},
	} {
		t.Run(name, func(t *testing.T) {
			k := NewKeyring(Secrets{OAuth: true, Username: "{mailbox}", TokenCommand: []string{"/bin/sh", "-c", test.script}})
			_, err := k.Credentials(t.Context(), box)
			wantError(t, err, "`token_command`", test.says)
		})
	}
	k := NewKeyring(Secrets{OAuth: true, Username: "{mailbox}", TokenCommand: []string{"/nonexistent/hunter2"}})
	_, err := k.Credentials(t.Context(), box)
	wantError(t, err, "cannot be run")
}

// A command that does not end is ended with the context, and so is who waits
// for it.
func TestTokenCommandEndsWithTheContext(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "started")
	if out, err := exec.Command("mkfifo", fifo).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	k := NewKeyring(Secrets{OAuth: true, Username: "{mailbox}", TokenCommand: []string{"/bin/sh", "-c", `: > "$0"; exec sleep 1000`, fifo}})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	errs := make(chan error, 2)
	for range 2 {
		go func() { _, err := k.Credentials(ctx, box); errs <- err }()
	}
	if _, err := os.ReadFile(fifo); err != nil { // waits for the command to open it
		t.Fatal(err)
	}
	cancel()
	for range 2 {
		if err := <-errs; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
}

// A server that takes tokens: one that it refuses is not kept.
func TestXOAUTH2(t *testing.T) {
	for _, without := range []string{"", "SASL-IR"} {
		t.Run("without "+without, func(t *testing.T) {
			s := newStage(t, func(s *upstream.Server) { s.IMAP.Without = []string{without} })
			var runs func() int
			s.account.Keyring, runs = counting(t, password)
			login(t, s.account)
			if c, _ := open(t, s.account, "INBOX"); runs() != 1 || c.Close() != nil {
				t.Errorf("the command was run %d times", runs())
			}
			s.account.Keyring, runs = counting(t, "hunter2")
			for i := range 2 {
				_, err := s.account.Login(t.Context(), box)
				wantError(t, err, "XOAUTH2")
				if !errors.Is(err, ErrLogin) || runs() != i+1 {
					t.Errorf("%v; the command was run %d times", err, runs())
				}
			}
		})
	}
	s := newStage(t, func(s *upstream.Server) { s.IMAP.Without = []string{"AUTH=XOAUTH2"} })
	s.account.Keyring, _ = counting(t, "hunter2")
	_, err := s.account.Login(t.Context(), box)
	wantError(t, err, "does not offer the mechanism XOAUTH2")
	if sent := fmt.Sprint(s.Received()); strings.Contains(sent, "AUTHENTICATE") {
		t.Error(sent)
	}
}
