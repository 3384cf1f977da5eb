package integration

import (
	"encoding/base64"
	"strings"
	"testing"

	"mailguard/proxy/proxytest"
)

// A token is passed on under the name that the upstream knows, and where the
// upstream says why it refuses one, the client hears it and answers.
func TestTokens(t *testing.T) {
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	why := encode(`{"status":"401"}`)
	upstream := proxytest.Listen(t,
		proxytest.Script{
			"< +OK ready", "> CAPA", "< +OK", "< UIDL", "< SASL PLAIN XOAUTH2 OAUTHBEARER", "< .",
			"> AUTH XOAUTH2 " + encode("user="+private+"\x01auth=Bearer good\x01\x01"), "< +OK in", "> QUIT", "< +OK bye",
		},
		proxytest.Script{
			"< +OK ready", "> AUTH OAUTHBEARER " + encode("n,a="+private+",\x01auth=Bearer good\x01\x01"), "< +OK in", "> QUIT", "< +OK bye",
		},
		proxytest.Script{
			"< +OK ready", "> AUTH XOAUTH2 " + encode("user="+private+"\x01auth=Bearer bad\x01\x01"), "< + " + why, "> ", "< -ERR [AUTH] no", "> QUIT", "< +OK bye",
		},
	)
	g := startGuard(t, upstream, options{})
	for what, lines := range [][]string{
		{"AUTH XOAUTH2 " + encode("user="+private+"#alice\x01auth=Bearer good\x01\x01"), "QUIT"},
		{"AUTH OAUTHBEARER", encode("n,a=" + private + ",\x01host=mail.example.com\x01port=995\x01auth=Bearer good\x01\x01"), "QUIT"},
	} {
		if answer := g.converse(t, lines); !strings.HasPrefix(answer, "+OK") {
			t.Errorf("login %d: got %q", what, answer)
		}
	}
	refused := "AUTH XOAUTH2 " + encode("user="+private+"\x01auth=Bearer bad\x01\x01")
	s, err := g.dial("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	defer s.conn.Close()
	if _, err := s.conn.Write([]byte(refused + "\r\n")); err != nil {
		t.Fatal(err)
	}
	if line, err := s.line(); err != nil || line != "+ "+why {
		t.Errorf("the reason: %q, %v", line, err)
	}
	if _, err := s.command(""); err == nil || !strings.HasPrefix(err.Error(), "-ERR [AUTH]") {
		t.Errorf("the refusal: %v", err)
	}
	if log := g.log.String(); strings.Contains(log, "Bearer") || strings.Contains(log, "good") {
		t.Error("a token is in the log")
	}
}
