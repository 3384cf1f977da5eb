//go:build linux

package account

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"mailguard/demo/dovecot"
	"mailguard/message"
)

// startDovecot runs a Dovecot with the mailbox and a master user. It skips where
// there is none, and fails where everything must run.
func startDovecot(t *testing.T, extra string) *dovecot.Server {
	t.Helper()
	err := dovecot.Installed()
	switch {
	case err == nil:
	case os.Getenv("CI") != "" || os.Getenv("MAILGUARD_REQUIRE_ALL") != "":
		t.Fatal(err)
	default:
		t.Skip(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	d, err := dovecot.Start(ctx, dovecot.Options{
		NoSync: true, LockSession: true, Extra: extra,
		Users:       []dovecot.User{{Name: string(box), Password: "members"}},
		MasterUsers: []dovecot.User{{Name: "mailguard", Password: password}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(d.Log())
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// master is how the service account logs in to Dovecot, in both ways.
func master(t *testing.T) map[string]*Keyring {
	file := secretFile(t, password)
	return map[string]*Keyring{
		"login name":    NewKeyring(Secrets{Username: "{mailbox}*mailguard", PasswordFile: file}),
		"authorization": NewKeyring(Secrets{Username: "mailguard", Authorization: "{mailbox}", PasswordFile: file}),
	}
}

// memberOf is a member's client that has a folder open.
func memberOf(t *testing.T, d *dovecot.Server, folder string) *imapclient.Client {
	t.Helper()
	c, err := imapclient.DialInsecure(d.IMAP(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.Login(string(box), "members").Wait(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Select(folder, nil).Wait(); err != nil {
		t.Fatal(err)
	}
	return c
}

// put appends a message as a member.
func put(t *testing.T, c *imapclient.Client, folder string, text []byte, date time.Time, flags ...imap.Flag) {
	t.Helper()
	cmd := c.Append(folder, int64(len(text)), &imap.AppendOptions{Flags: flags, Time: date})
	_, err := cmd.Write(text)
	if err = errors.Join(err, cmd.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
}

func TestDovecot(t *testing.T) {
	d := startDovecot(t, "protocol imap {\n  mail_plugins = $mail_plugins quota imap_quota\n}\nplugin {\n  quota = maildir:User quota\n  quota_rule = *:storage=40M\n}")
	for name, keyring := range master(t) {
		t.Run(name, func(t *testing.T) {
			a := accountAt(t, d.IMAP())
			a.Keyring = keyring
			folder, called := "Büro/"+name, "Büro."+name // its delimiter is a dot
			alice := memberOf(t, d, "INBOX")
			if err := alice.Create(called, nil).Wait(); err != nil {
				t.Fatal(err)
			}
			date := time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 7200))
			put(t, alice, called, eightBit(10<<20), date, imap.FlagSeen, "custom", imap.FlagDeleted)
			for i := range 4 {
				put(t, alice, called, fmt.Appendf(nil, "Subject: %d\r\n\r\ntext\r\n", i), date)
			}
			onDovecot(t, a, memberOf(t, d, called), folder)
		})
	}
	a := accountAt(t, d.IMAP())
	a.Keyring = NewKeyring(Secrets{Username: "{mailbox}*mailguard", PasswordFile: secretFile(t, "hunter2")})
	_, err := a.Login(t.Context(), box)
	wantError(t, err, "AUTHENTICATIONFAILED")
	if !errors.Is(err, ErrLogin) {
		t.Error("it is no ErrLogin")
	}
}

// onDovecot holds a session to a folder with a large message, which is marked,
// and four small ones; bob has it open, too.
func onDovecot(t *testing.T, a *Account, bob *imapclient.Client, folder string) {
	s, opened := open(t, a, folder)
	all := []message.UID{1, 2, 3, 4, 5, 6, 7}
	if opened.UIDNext != 6 {
		t.Errorf("opened %+v", opened)
	}
	if _, err := s.Open(t.Context(), "None"); !errors.Is(err, message.ErrNoFolder) {
		t.Error(err)
	}
	if _, err := s.Open(t.Context(), folder); err != nil {
		t.Fatal(err)
	}
	if used, err := s.Quota(t.Context()); used < 20 || used > 90 || err != nil {
		t.Errorf("quota used %d, %v", used, err)
	}
	found, err := s.Look(t.Context(), all, true)
	if err != nil || !slices.Equal(uidsOf(found), all[:5]) || !found[0].Deleted || found[1].Deleted || found[1].Fingerprint == nil {
		t.Fatalf("%+v, %v", found, err)
	}
	copied, err := s.Copy(t.Context(), 1)
	if err != nil || copied != 6 {
		t.Fatalf("copied to %d, %v", copied, err)
	}
	if err := bob.Store(imap.UIDSetNum(5), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagDeleted}}, nil).Close(); err != nil {
		t.Fatal(err)
	}
	if err := bob.UIDExpunge(imap.UIDSetNum(5)).Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(t.Context(), []message.UID{2, 3, 5, 99}); err != nil {
		t.Fatal(err)
	}
	found, err = s.Look(t.Context(), all, true)
	if err != nil || !slices.Equal(uidsOf(found), []message.UID{1, 4, 6}) || !found[0].Deleted || found[1].Deleted || found[2].Deleted {
		t.Fatalf("%+v, %v", found, err)
	}
	if found[2].Size != found[0].Size || *found[2].Fingerprint != *found[0].Fingerprint || !found[2].InternalDate.Equal(found[0].InternalDate) ||
		!slices.Contains(found[2].Flags, "custom") || !slices.Contains(found[2].Flags, `\Seen`) {
		t.Errorf("the copy %+v\nof %+v", found[2], found[0])
	}
	if !bytes.Equal(body(t, bob, 6), eightBit(10<<20)) {
		t.Error("the copy has other octets")
	}
	if err := s.Unmark(t.Context(), []message.UID{1}); err != nil {
		t.Error(err)
	}
	if found, err = s.Look(t.Context(), all, false); err != nil || len(found) != 3 || found[0].Deleted {
		t.Errorf("%+v, %v", found, err)
	}
}

// body reads a message as a member.
func body(t *testing.T, c *imapclient.Client, uid imap.UID) []byte {
	t.Helper()
	if err := c.Noop().Wait(); err != nil {
		t.Fatal(err)
	}
	cmd := c.Fetch(imap.UIDSetNum(uid), &imap.FetchOptions{UID: true, BodySection: []*imap.FetchItemBodySection{{Peek: true}}})
	defer cmd.Close()
	var text []byte
	for m := cmd.Next(); m != nil; m = cmd.Next() {
		for item := m.Next(); item != nil; item = m.Next() {
			if b, ok := item.(imapclient.FetchItemDataBodySection); ok && b.Literal != nil {
				var err error
				if text, err = io.ReadAll(b.Literal); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	return text
}
