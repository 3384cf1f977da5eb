package integration

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// injections are octets behind STARTTLS that come before the handshake, where
// anybody on the way can write them. A server that keeps them runs them inside
// TLS as if the client had sent them.
var injections = []struct {
	name   string
	before string // in one packet with STARTTLS
	after  string // once the OK is there
	works  bool   // the handshake and a command behind it
}{
	{"nothing", "", "", true},
	{"a command in the same packet", "b NOOP\r\n", "", false},
	{"a login in the same packet", "b LOGIN w000@example.com " + password + "\r\nc SELECT INBOX\r\n", "", false},
	{"half a command in the same packet", "b NO", "", false},
	{"an empty line in the same packet", "\r\n", "", false},
	{"one octet in the same packet", " ", "", false},
	{"STARTTLS again", "b STARTTLS\r\n", "", false},
	{"a command behind the OK", "", "b NOOP\r\n", false},
	{"half a command behind the OK", "", "b NO", false},
}

// injectInto tries them on a server's listener for clear text.
func injectInto(t *testing.T, address string, config *tls.Config) {
	for _, in := range injections {
		t.Run(in.name, func(t *testing.T) {
			answers, err := injected(t, address, in.before, in.after, config)
			if in.works && !strings.Contains(answers, "z OK") {
				t.Errorf("STARTTLS does not work: %v; %q", err, answers)
			}
			if !in.works && (err == nil || strings.Contains(answers, "OK")) {
				t.Errorf("after an injection the session goes on: %v; %q", err, answers)
			}
		})
	}
}

// injected sends STARTTLS and the injection, shakes hands and says NOOP. It
// returns what was said inside TLS.
func injected(t *testing.T, address, before, after string, config *tls.Config) (string, error) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(sessionTimeout))
	r := bufio.NewReader(conn)
	if _, err := r.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "a STARTTLS\r\n"+before); err != nil {
		t.Fatal(err)
	}
	if _, err := r.ReadString('\n'); err != nil {
		return "", err
	}
	if _, err := io.WriteString(conn, after); err != nil {
		return "", err
	}
	secure := tls.Client(conn, config)
	ctx, cancel := context.WithTimeout(context.Background(), sessionTimeout)
	defer cancel()
	if err := secure.HandshakeContext(ctx); err != nil {
		return "", err
	}
	if _, err := io.WriteString(secure, "z NOOP\r\ny LOGOUT\r\n"); err != nil {
		return "", err
	}
	answers, err := io.ReadAll(secure)
	return string(answers), err
}

// Dovecot holds to it since 2.3.15; so the test itself is known to work.
func TestInjectionIntoDovecot(t *testing.T) {
	s := build(t, 1)
	injectInto(t, s.IMAP(), &tls.Config{RootCAs: s.roots, ServerName: "localhost"})
}

func TestInjectionBeforeTLS(t *testing.T) {
	_, g := guardStage(t, "policy: {mode: enforce}")
	clear := g.imap
	injectInto(t, clear, &tls.Config{RootCAs: g.roots, ServerName: "localhost"})
}
