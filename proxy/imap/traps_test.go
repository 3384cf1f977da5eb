package imap

import (
	"strings"
	"testing"
	"time"

	"mailguard/proxy"
	"mailguard/proxy/proxytest"
)

// What `mailguard check` says about a server, from what it announces before the
// login.
func TestTraps(t *testing.T) {
	for _, c := range []struct {
		name, capabilities string
		want               []string // a piece of each trap, in order
	}{
		{"Dovecot, that tells little before the login", "IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE LITERAL+ AUTH=PLAIN AUTH=LOGIN", nil},
		{"Cyrus", "IMAP4rev1 LITERAL+ ID ENABLE AUTH=PLAIN SASL-IR ACL QUOTA NAMESPACE UIDPLUS MOVE UNSELECT CHILDREN", nil},
		{"Courier", "IMAP4rev1 UIDPLUS CHILDREN NAMESPACE SORT QUOTA IDLE ACL AUTH=PLAIN", nil},
		{"no UIDPLUS", "IMAP4rev1 NAMESPACE", []string{"an EXPUNGE or a move that policy allows is deferred"}},
		{"no UIDPLUS, and MOVE", "IMAP4rev1 CHILDREN MOVE", []string{"moving is possible"}},
		{"no password in clear", "IMAP4rev1 STARTTLS LOGINDISABLED", []string{"write `tls: starttls`"}},
		{"LOGIN is disabled and PLAIN is not", "IMAP4rev1 LOGINDISABLED AUTH=PLAIN", nil},
		{"SCRAM", "IMAP4rev1 AUTH=PLAIN AUTH=SCRAM-SHA-256", nil},
		{"SCRAM with channel binding", "IMAP4rev1 AUTH=PLAIN AUTH=SCRAM-SHA-256 AUTH=SCRAM-SHA-256-PLUS", []string{"channel binding"}},
		{"in small letters", "imap4rev1 namespace logindisabled auth=scram-sha-1-plus", []string{"LOGINDISABLED", "-PLUS", "UIDPLUS"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := trapUpstream(t, "< * OK [CAPABILITY "+c.capabilities+"] ready", "> l1 LOGOUT", "< * BYE", "close")
			got, err := u.Traps(t.Context())
			if err != nil || len(got) != len(c.want) {
				t.Fatalf("got %q, %v; want %q", got, err, c.want)
			}
			for i, want := range c.want {
				if !strings.Contains(got[i], want) {
					t.Errorf("got %q, want %q in it", got[i], want)
				}
			}
		})
	}
}

// Behind TLS there is another way out than without.
func TestTrapBehindTLS(t *testing.T) {
	caps := parseCapabilities("IMAP4rev1 LOGINDISABLED")
	if got := caps.loginTrap(proxy.TLSStart); got == "" || strings.Contains(got, "starttls") {
		t.Errorf("got %q", got)
	}
}

// A server that does not greet as it should is an error, not a list of traps.
func TestTrapsOfNoServer(t *testing.T) {
	for name, script := range map[string]proxytest.Script{
		"PREAUTH":         {"< * PREAUTH welcome", "eof"},
		"BYE":             {"< * BYE too many connections", "eof"},
		"POP3":            {"< +OK ready", "eof"},
		"lost":            {"close"},
		"no capabilities": {"< * OK ready", "> l1 CAPABILITY", "< l1 BAD what", "eof"},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := trapUpstream(t, script...).Traps(t.Context()); err == nil {
				t.Errorf("got %q and no error", got)
			}
		})
	}
}

// trapUpstream is an upstream in clear that plays a script.
func trapUpstream(t *testing.T, script ...string) *Upstream {
	address := proxytest.Listen(t, script)
	return &Upstream{Name: "main", Timeout: 5 * time.Second, Dialer: proxy.Dialer{Address: address, Mode: proxy.TLSNone, Timeout: 5 * time.Second}}
}
