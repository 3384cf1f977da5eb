//go:build thunderbird

package integration

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"mailguard/integration/thunderbird"
)

func TestTB(t *testing.T) {
	p := atDovecot(t)
	deliver(t, p.dovecot, mailbox, "one", "two", "three")
	a := p.account(mailbox, true)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	start := time.Now()
	b, err := thunderbird.Start(ctx, filepath.Join(t.TempDir(), "alice"), thunderbird.Account{Host: a.Host, Port: a.Port, User: a.User, Password: a.Password, CAFile: a.CAFile, Model: thunderbird.Trash})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Kill()
	t.Log(b.Version, time.Since(start))
	step := func(what string, err error) {
		t.Helper()
		f, err2 := b.List("Inbox")
		c, err3 := b.Complaints()
		t.Log(what, err, time.Since(start), f, err2, c, err3)
	}
	step("refresh", b.Refresh("Inbox"))
	step("delete", b.Delete("Inbox", "two"))
	time.Sleep(2 * time.Second)
	step("refresh", b.Refresh("Inbox"))
	step("compact", b.Compact("Inbox"))
	t.Log(p.dovecot.Messages(mailbox))
	t.Log(b.Quit(ctx), time.Since(start))
}
