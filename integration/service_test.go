package integration

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"mailguard/demo/dovecot"
)

// With nobody logged in the service account releases what an administrator has
// approved, and nothing else; and it gives a message back as a copy.
func TestServiceAccountReleases(t *testing.T) {
	need(t, dovecot.Installed())
	secret, masters := makeMaster(t, "127.0.0.1")
	block := strings.Replace(guideAccount(t, "dovecot"), "/etc/dovecot/mailguard-master", masters, 1)
	d := startDovecot(t, func(o *dovecot.Options) { o.Extra = block })
	g := startGuard(t, d.POP3(), options{imap: d.IMAP(), members: "[bob, carol]", upstreams: fmt.Sprintf(
		"  - {name: main, domains: [\"*\"], pop3: {address: %q, tls: none}, imap: {address: %q, tls: none}, service_account: {username: \"{mailbox}*mailguard\", password_file: %q}}",
		d.POP3(), d.IMAP(), secret)})
	waitForListener(t, g.behind.imaps)
	bob := act{"bob", "imap"}
	deliver(t, d, mailbox, "one", "two", "three")
	bob.deletes(t, g)
	for _, order := range [][]string{{"held", "approve", "2"}, {"held", "restore", "3", "--as-copy"}} {
		if out, status := g.run(order...); status != 0 {
			t.Fatalf("%v: status %d: %s", order, status, out)
		}
	}
	if got := stored(t, d, mailbox); got != 4 {
		t.Errorf("%d messages with the copy, want 4", got)
	}
	if err := g.stop(); err != nil { // it looks at the ledger when it starts
		t.Fatal(err)
	}
	g.start()
	for range 100 {
		if stored(t, d, mailbox) == 3 {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	waitForListener(t, g.behind.imaps)
	if got := stored(t, d, mailbox); got != 3 {
		t.Errorf("%d messages are left, want 3", got)
	}
	out, status := g.run("held", "show", "2")
	if status != 0 || !strings.Contains(out, "released") {
		t.Errorf("status %d: %s", status, out)
	}
	if got := bob.counts(t, g); got != "* 1 EXISTS" {
		t.Errorf("bob sees %s, and should see the copy", got)
	}
}
