package pop3

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"mailguard/demo/dovecot"
	"mailguard/member"
	"mailguard/message"
	"mailguard/proxy"
	"mailguard/proxy/credentials"
	"mailguard/proxy/proxytest"
)

// keys is a keyring with one key.
type keys struct {
	key     credentials.Credentials
	refused int
}

func (k *keys) Credentials(context.Context, member.Mailbox) (credentials.Credentials, error) {
	return k.key, nil
}

func (k *keys) Refused(credentials.Credentials) { k.refused++ }

// keyTo is the key to a mailbox by its own password.
func keyTo(name, secret string) *keys {
	return &keys{key: credentials.Credentials{Mechanism: credentials.Plain, Login: member.Login{Name: name}, Secret: secret}}
}

// account is a service account of the world's upstream.
func (w *world) account(k Keyring) *Account { return &Account{Upstream: w.server, Keyring: k} }

func enterAccount(t *testing.T, a *Account, box string) *AccountSession {
	t.Helper()
	s, err := a.Login(t.Context(), member.Mailbox(box))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestAccountRemoves(t *testing.T) {
	for name, change := range map[string]func(*setup){
		"pipelined": func(*setup) {}, "one by one": func(s *setup) { s.NoPipelining = true }, "by USER and PASS": func(s *setup) { s.NoSASL = true },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, change)
			box := w.box("pair@example.com", 100, 200, 300, 400)
			s := enterAccount(t, w.account(keyTo(box, password)), box)
			listing, err := s.List(t.Context())
			if err != nil || !slices.Equal(listing, []message.Listed{{UniqueID: "u1", Size: 100}, {UniqueID: "u2", Size: 200}, {UniqueID: "u3", Size: 300}, {UniqueID: "u4", Size: 400}}) {
				t.Fatalf("%v, %v", listing, err)
			}
			h := message.NewHasher()
			_, _ = h.Write(mail(3, 300))
			want, _ := h.Sum()
			if f, err := s.Fingerprint(t.Context(), 2); err != nil || f == nil || *f != want {
				t.Errorf("%v, %v", f, err)
			}
			failed, sent, err := s.Remove(t.Context(), []int{2, 0})
			if len(failed) > 0 || !sent || err != nil {
				t.Errorf("%v, %t, %v", failed, sent, err)
			}
			w.has(box, "u2", "u4")
			if _, err := s.List(t.Context()); err == nil {
				t.Error("it goes on after QUIT")
			}
			s.Close()
		})
	}
}

func TestAccountRemovesNothing(t *testing.T) {
	for name, do := range map[string]func(t *testing.T, w *world, s *AccountSession){
		"close": func(*testing.T, *world, *AccountSession) {},
		"not in the listing": func(t *testing.T, _ *world, s *AccountSession) {
			for _, indexes := range [][]int{{0, 3}, {-1}} {
				if _, sent, err := s.Remove(t.Context(), indexes); sent || err == nil {
					t.Errorf("%v: %t, %v", indexes, sent, err)
				}
				if _, err := s.Fingerprint(t.Context(), indexes[len(indexes)-1]); err == nil {
					t.Error("a fingerprint of nothing")
				}
			}
		},
		"lost before QUIT": func(t *testing.T, w *world, s *AccountSession) {
			w.hook("pair@example.com", once("DELE 2", action{close: closeBefore}))
			if _, sent, err := s.Remove(t.Context(), []int{0, 1}); sent || err == nil {
				t.Errorf("%t, %v", sent, err)
			}
		},
		"over": func(t *testing.T, _ *world, s *AccountSession) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if _, sent, err := s.Remove(ctx, []int{0, 1}); sent || !errors.Is(err, context.Canceled) {
				t.Errorf("%t, %v", sent, err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			box := w.box("pair@example.com", 100, 200, 300)
			s := enterAccount(t, w.account(keyTo(box, password)), box)
			if _, err := s.List(t.Context()); err != nil {
				t.Fatal(err)
			}
			do(t, w, s)
			s.Close()
			w.has(box, "u1", "u2", "u3")
		})
	}
}

// Before the listing no index means anything.
func TestAccountRemovesWhatIsListed(t *testing.T) {
	w := newWorld(t)
	box := w.box("pair@example.com", 100)
	s := enterAccount(t, w.account(keyTo(box, password)), box)
	if _, sent, err := s.Remove(t.Context(), []int{0}); sent || err == nil {
		t.Errorf("%t, %v", sent, err)
	}
}

func TestAccountRefused(t *testing.T) {
	w := newWorld(t, func(s *setup) { s.InUse = 1 })
	box := w.box("pair@example.com", 100)
	k := keyTo(box, password)
	if _, err := w.account(k).Login(t.Context(), member.Mailbox(box)); !errors.Is(err, ErrInUse) || k.refused != 0 {
		t.Errorf("%v, refused %d times", err, k.refused)
	}
	enterAccount(t, w.account(k), box).Close()
	k = keyTo(box, "hunter2")
	_, err := w.account(k).Login(t.Context(), member.Mailbox(box))
	if !errors.Is(err, ErrAccount) || k.refused != 1 || !strings.Contains(err.Error(), "upstream memory, mailbox "+box) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v, refused %d times", err, k.refused)
	}
}

// What a server writes at the login may be what it was sent.
func TestAccountLoginIsDiscreet(t *testing.T) {
	capa := []string{"< +OK hi", "> CAPA", "< +OK", "< TOP", "< UIDL", "< SASL PLAIN XOAUTH2", "< ."}
	const plain, token = "> AUTH PLAIN AHN1cHBvcnQAaHVudGVyMg==", "> AUTH XOAUTH2 dXNlcj1zdXBwb3J0AWF1dGg9QmVhcmVyIGh1bnRlcjIBAQ=="
	for name, test := range map[string]struct {
		mechanism string
		script    []string
		is        error
	}{
		"refused":         {credentials.Plain, []string{plain, "< -ERR [AUTH] hunter2 is wrong", "> QUIT"}, ErrAccount},
		"for now":         {credentials.Plain, []string{plain, "< -ERR [SYS/TEMP] hunter2", "> QUIT"}, nil},
		"nonsense":        {credentials.Plain, []string{plain, "< hunter2"}, errNonsense},
		"token refused":   {credentials.XOAUTH2, []string{token, "< + eyJzdGF0dXMiOiI0MDEifQ==", "eof"}, ErrAccount},
		"another mailbox": {"authorization", []string{"> AUTH PLAIN b3RoZXIAc3VwcG9ydABodW50ZXIy", "< -ERR no", "> QUIT"}, ErrAccount},
	} {
		t.Run(name, func(t *testing.T) {
			k := keyTo("support", "hunter2")
			if k.key.Mechanism = test.mechanism; test.mechanism == "authorization" {
				k.key.Mechanism, k.key.Login.Authzid = credentials.Plain, "other"
			}
			script := slices.DeleteFunc(slices.Concat(capa, test.script), func(s string) bool { return s == "> QUIT" })
			a := &Account{Keyring: k, Upstream: &Upstream{
				Name: "main", Timeout: 5 * time.Second,
				Dialer: proxy.Dialer{Address: proxytest.Listen(t, proxytest.Script(append(script, "close"))), Mode: proxy.TLSNone},
			}}
			_, err := a.Login(t.Context(), "support")
			if err == nil || strings.Contains(err.Error(), "hunter2") || test.is != nil && !errors.Is(err, test.is) {
				t.Error(err)
			}
			if errors.Is(err, ErrAccount) != (k.refused == 1) {
				t.Errorf("%v, refused %d times", err, k.refused)
			}
		})
	}
}

// A server that says nothing is left when the context ends.
func TestAccountContext(t *testing.T) {
	a := &Account{Keyring: keyTo("support", password), Upstream: &Upstream{
		Name: "main", Dialer: proxy.Dialer{Address: proxytest.Listen(t, proxytest.Script{"eof"}), Mode: proxy.TLSNone},
	}}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := a.Login(ctx, "support"); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestAccountWithoutUIDLAndTOP(t *testing.T) {
	w := newWorld(t, func(s *setup) { s.NoUIDL, s.NoTOP = true, true })
	box := w.box("pair@example.com", 100)
	s := enterAccount(t, w.account(keyTo(box, password)), box)
	if listing, err := s.List(t.Context()); err != nil || len(listing) != 1 || listing[0].UniqueID != "" {
		t.Errorf("%v, %v", listing, err)
	}
	if f, err := s.Fingerprint(t.Context(), 0); f != nil || err != nil {
		t.Errorf("%v, %v", f, err)
	}
}

// A real Dovecot, whose master user opens everybody's maildrop, one at a time.
func TestAccountOnDovecot(t *testing.T) {
	t.Parallel() // Dovecot waits ten seconds for a lock
	if err := dovecot.Installed(); err != nil {
		if os.Getenv("CI") != "" || os.Getenv("MAILGUARD_REQUIRE_ALL") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	const box = "support@example.com"
	d, err := dovecot.Start(t.Context(), dovecot.Options{
		NoSync: true, LockSession: true, Users: []dovecot.User{{Name: box, Password: "members"}}, MasterUsers: []dovecot.User{{Name: "mailguard", Password: password}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for i := range 3 {
		if err := d.Deliver(box, fmt.Appendf(nil, "Subject: %d\n\ntext\n", i)); err != nil {
			t.Fatal(err)
		}
	}
	u := &Upstream{Name: "dovecot", Timeout: 20 * time.Second, Dialer: proxy.Dialer{Address: d.POP3(), Mode: proxy.TLSNone}}
	member := enterAccount(t, &Account{Upstream: u, Keyring: keyTo(box, "members")}, box)
	master := &Account{Upstream: u, Keyring: keyTo(box+"*mailguard", password)}
	if _, err := master.Login(t.Context(), box); !errors.Is(err, ErrInUse) {
		t.Errorf("while a member has it open: %v", err)
	}
	member.Close()
	var s *AccountSession
	for s == nil { // the lock goes a moment after the goodbye
		if s, err = master.Login(t.Context(), box); err != nil && !errors.Is(err, ErrInUse) {
			t.Fatal(err)
		}
	}
	listing, err := s.List(t.Context())
	if err != nil || len(listing) != 3 {
		t.Fatalf("%v, %v", listing, err)
	}
	if f, err := s.Fingerprint(t.Context(), 1); f == nil || err != nil {
		t.Errorf("%v, %v", f, err)
	}
	if failed, sent, err := s.Remove(t.Context(), []int{1}); len(failed) > 0 || !sent || err != nil {
		t.Errorf("%v, %t, %v", failed, sent, err)
	}
	if left, err := d.Messages(box); err != nil || len(left) != 2 {
		t.Errorf("%v, %v", left, err)
	}
}
