package integration

import (
	"context"
	"crypto/tls"
	"fmt"
	"testing"

	"mailguard/integration/imapconn"
)

// guardStage puts a guard in front of a stage. Each attempt's mailbox is shared,
// its neighbour's is not.
func guardStage(t *testing.T, policy string) (*stage, *guard) {
	t.Helper()
	if !speaksIMAP {
		t.Skip("this mailguard does not speak IMAP yet")
	}
	s := build(t, len(wallAttempts))
	return s, startGuard(t, s.POP3(), options{
		upstreams: fmt.Sprintf(`  - name: main
    domains: ["*"]
    imap: {address: %q, tls: none}
    pop3: {address: %q, tls: none}
    namespaces: [{prefix: "shared/{user}/", mailbox: "{user}@example.com"}]`, s.IMAP(), s.POP3()),
		// The list of mailboxes ends where the policy begins.
		policy: `  - {match: "w*@example.com", shared: true, members: [alice, bob]}
  - {match: "n*@example.com", shared: false}
` + policy,
		extra: "limits: {connections: 2000}",
	})
}

// through attacks a guard.
func through(g *guard) *target {
	implicit, clear := imapOf(g)
	return &target{
		dial: func() (*imapconn.Conn, error) {
			return imapconn.Dial(context.Background(), implicit, &tls.Config{RootCAs: g.roots, ServerName: "localhost"})
		},
		clear:    func() (*imapconn.Conn, error) { return imapconn.Dial(context.Background(), clear, nil) },
		login:    func(mailbox, member string) string { return mailbox + "#" + member },
		patience: sessionTimeout,
	}
}

// speaksIMAP goes when the guard has IMAP listeners.
const speaksIMAP = false

// imapOf is where a guard speaks IMAP: over TLS, and with STARTTLS.
func imapOf(*guard) (implicit, clear string) { return "", "" }
