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
	s := build(t, len(wallAttempts))
	return s, startGuard(t, s.POP3(), options{
		imap: s.IMAP(),
		upstreams: fmt.Sprintf(`  - name: main
    domains: ["*"]
    imap: {address: %q, tls: none}
    pop3: {address: %q, tls: none}
    namespaces: [{prefix: "shared/{user}/", mailbox: "{user}@example.com"}]`, s.IMAP(), s.POP3()),
		// The list of mailboxes ends where the policy begins. Carol never comes: else
		// what two attackers have deleted would go, since everyone was done with it.
		policy: `  - {match: "w*@example.com", shared: true, members: [alice, bob, carol]}
  - {match: "n*@example.com", shared: false}
` + policy,
		extra: "limits: {connections: 2000}",
	})
}

// through attacks a guard.
func through(g *guard) *target {
	return &target{
		dial: func() (*imapconn.Conn, error) {
			return imapconn.Dial(context.Background(), g.imaps, &tls.Config{RootCAs: g.roots, ServerName: "localhost"})
		},
		clear:    func() (*imapconn.Conn, error) { return imapconn.Dial(context.Background(), g.imap, nil) },
		login:    func(mailbox, member string) string { return mailbox + "#" + member },
		patience: sessionTimeout,
	}
}
