package account

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mailguard/demo/upstream"
	"mailguard/member"
	"mailguard/message"
	"mailguard/proxy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	box      = member.Mailbox("support@example.com")
	password = "correct horse"
)

// secretFile writes a file with a secret.
func secretFile(tb testing.TB, secret string) string {
	tb.Helper()
	name := filepath.Join(tb.TempDir(), "secret")
	if err := os.WriteFile(name, []byte(secret), 0o600); err != nil {
		tb.Fatal(err)
	}
	return name
}

// stage is a server in memory with the one mailbox, and its service account.
type stage struct {
	*upstream.Server

	account *Account
}

func newStage(tb testing.TB, change func(*upstream.Server)) *stage {
	tb.Helper()
	s := upstream.New()
	s.AddUser(string(box), password)
	if change != nil {
		change(s)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	served := make(chan struct{})
	go func() { defer close(served); _ = s.ServeIMAP(l) }()
	tb.Cleanup(func() { _ = s.Close(); <-served })
	return &stage{s, accountAt(tb, l.Addr().String())}
}

// accountAt is a service account that logs in as the mailbox itself.
func accountAt(tb testing.TB, address string) *Account {
	tb.Helper()
	return &Account{
		Upstream: "main",
		Dialer:   proxy.Dialer{Address: address, Mode: proxy.TLSNone, Timeout: 10 * time.Second},
		Keyring:  NewKeyring(Secrets{Username: "{mailbox}", PasswordFile: secretFile(tb, password+"\n")}),
		Timeout:  20 * time.Second,
	}
}

// login logs in; the session ends with the test.
func login(tb testing.TB, a *Account) *Session {
	tb.Helper()
	s, err := a.Login(tb.Context(), box)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

// open logs in and opens a folder.
func open(tb testing.TB, a *Account, folder string) (*Session, message.Opened) {
	tb.Helper()
	s := login(tb, a)
	opened, err := s.Open(tb.Context(), folder)
	if err != nil {
		tb.Fatal(err)
	}
	return s, opened
}

// fill puts messages into a folder, with UIDs from 1 on in a new one.
func (s *stage) fill(tb testing.TB, folder string, n int) (uids []message.UID) {
	tb.Helper()
	for i := range n {
		uid, err := s.Append(string(box), folder, fmt.Appendf(nil, "Subject: %d\r\n\r\nText\r\n", i), time.Time{})
		if err != nil {
			tb.Fatal(err)
		}
		uids = append(uids, message.UID(uid))
	}
	return uids
}

// there lists the UIDs in a folder.
func (s *stage) there(folder string) (uids []message.UID) {
	for _, m := range s.Messages(string(box), folder) {
		uids = append(uids, message.UID(m.UID))
	}
	return uids
}

// uidsOf are the UIDs of what was found.
func uidsOf(found []message.Found) (uids []message.UID) {
	for _, f := range found {
		uids = append(uids, f.UID)
	}
	return uids
}

// A Session is what a release needs.
var _ interface {
	Open(ctx context.Context, folder string) (message.Opened, error)
	Look(ctx context.Context, uids []message.UID, headers bool) ([]message.Found, error)
	Remove(ctx context.Context, uids []message.UID) error
	Unmark(ctx context.Context, uids []message.UID) error
	Copy(ctx context.Context, uid message.UID) (message.UID, error)
	Quota(ctx context.Context) (int, error)
	Close() error
} = (*Session)(nil)
