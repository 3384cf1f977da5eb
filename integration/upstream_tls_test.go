package integration

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mailguard/demo/dovecot"
	"mailguard/proxy/proxytest"
	"mailguard/tlsconf"
)

// The guard speaks to the mail server by STLS or by implicit TLS, and only to
// one whose certificate it can verify: otherwise nobody is let in, and no
// password is sent.
func TestTLSToTheUpstream(t *testing.T) {
	dir := t.TempDir()
	cert, key, ca := proxytest.WriteCert(t, dir)
	strange := strangeAuthority(t)
	d := startDovecot(t, func(o *dovecot.Options) { o.TLS = &dovecot.Files{Cert: cert, Key: key} })
	plain, implicit := port(t, d.POP3()), port(t, d.POP3S())
	for _, c := range []struct {
		what, endpoint, ca string
		works              bool
	}{
		{"STLS", fmt.Sprintf(`{address: "localhost:%s", tls: starttls}`, plain), ca, true},
		{"implicit", fmt.Sprintf(`{address: "localhost:%s", tls: implicit}`, implicit), ca, true},
		{"STLS, another authority", fmt.Sprintf(`{address: "localhost:%s", tls: starttls}`, plain), strange, false},
		{"implicit, another authority", fmt.Sprintf(`{address: "localhost:%s", tls: implicit}`, implicit), strange, false},
		{"STLS, another name", fmt.Sprintf(`{address: "localhost:%s", tls: starttls, server_name: mail.example.net}`, plain), ca, false},
		{"implicit where there is no TLS", fmt.Sprintf(`{address: "localhost:%s", tls: implicit}`, plain), ca, false},
	} {
		t.Run(c.what, func(t *testing.T) {
			logins := strings.Count(d.Log(), "Login: user=<"+mailbox)
			g := startGuard(t, "", options{
				upstreams: fmt.Sprintf("  - {name: main, domains: [\"*\"], ca: %q, pop3: %s}", c.ca, c.endpoint),
				extra:     "limits: {upstream_time: 3s}",
			})
			s, err := g.logIn(mailbox + "#alice")
			if c.works && err != nil {
				t.Fatal(err)
			}
			if c.works {
				s.conn.Close()
				return
			}
			wantTemporary(t, "login", err)
			if n := strings.Count(d.Log(), "Login: user=<"+mailbox); n != logins {
				t.Error("the password was sent to a server that could not be verified")
			}
		})
	}
}

// strangeAuthority is the file of an authority that has signed nothing here.
func strangeAuthority(t *testing.T) string {
	t.Helper()
	cert, _, err := tlsconf.SelfSigned([]string{"localhost"}, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "strange.pem")
	if err := os.WriteFile(file, cert, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func port(t *testing.T, address string) string {
	t.Helper()
	_, p, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
