package account

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"mailguard/demo/upstream"
	"mailguard/proxy"
	"mailguard/proxy/proxytest"
)

// wantError holds an error to what it must say, and to what it must not.
func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
	for _, secret := range []string{password, "hunter2", "aHVudGVyMg"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%q shows the secret", err)
		}
	}
}

func TestLoginByWhatIsOffered(t *testing.T) {
	for name, without := range map[string][]string{
		"PLAIN at once":              nil,
		"PLAIN when it is asked for": {"SASL-IR"},
		"LOGIN":                      {"AUTH=PLAIN"},
		"LOGIN with literals":        {"AUTH=PLAIN", "LITERAL+"},
	} {
		for _, later := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				s := newStage(t, func(s *upstream.Server) { s.IMAP.Without, s.IMAP.CapabilitiesLater = without, later })
				c, _ := open(t, s.account, "INBOX")
				if err := c.Close(); err != nil {
					t.Error(err)
				}
				_, err := c.Open(t.Context(), "INBOX")
				wantError(t, err, "closed")
			})
		}
	}
}

func TestWrongPassword(t *testing.T) {
	for name, without := range map[string]string{"PLAIN": "", "LOGIN": "AUTH=PLAIN"} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, func(s *upstream.Server) { s.IMAP.Without = []string{without} })
			s.account.Keyring = NewKeyring(Secrets{Username: "{mailbox}", PasswordFile: secretFile(t, "hunter2")})
			_, err := s.account.Login(t.Context(), box)
			wantError(t, err, "upstream main, mailbox support@example.com: login", "AUTHENTICATIONFAILED")
			if !errors.Is(err, ErrLogin) {
				t.Error("it is no ErrLogin")
			}
		})
	}
}

// What a server writes into a refusal may be what it was sent.
func TestRefusalsAtTheLogin(t *testing.T) {
	const greeting = "< * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2] hi"
	for name, test := range map[string]struct {
		script  []string
		refused bool
		says    string
	}{
		"no":                {[]string{greeting, "> T1 AUTHENTICATE PLAIN", "< + ", "> AHN1cHBvcnRAZXhhbXBsZS5jb20AaHVudGVyMg==", "< T1 NO hunter2 is wrong"}, true, "NO"},
		"bad":               {[]string{greeting, "> T1 AUTHENTICATE PLAIN", "< T1 BAD AHN1cHBvcnRAZXhhbXBsZS5jb20AaHVudGVyMg=="}, true, "BAD"},
		"for now":           {[]string{greeting, "> T1 AUTHENTICATE PLAIN", "< T1 NO [UNAVAILABLE] hunter2"}, false, "UNAVAILABLE"},
		"nonsense":          {[]string{greeting, "> T1 AUTHENTICATE PLAIN", "< * hunter2 hunter2"}, false, "not understood"},
		"an end":            {[]string{greeting, "> T1 AUTHENTICATE PLAIN", "close"}, false, "upstream read"},
		"greets with BYE":   {[]string{"< * BYE too many"}, false, "too many"},
		"lets everybody in": {[]string{"< * PREAUTH [CAPABILITY IMAP4rev1] hi", "eof"}, false, "PREAUTH"},
		"no password":       {[]string{"< * OK [CAPABILITY IMAP4rev1 LOGINDISABLED] hi", "eof"}, false, "wants TLS"},
	} {
		t.Run(name, func(t *testing.T) {
			a := accountAt(t, proxytest.Listen(t, proxytest.Script(test.script)))
			a.Keyring = NewKeyring(Secrets{Username: "{mailbox}", PasswordFile: secretFile(t, "hunter2")})
			_, err := a.Login(t.Context(), box)
			wantError(t, err, test.says)
			if errors.Is(err, ErrLogin) != test.refused {
				t.Errorf("%v: ErrLogin is %t", err, !test.refused)
			}
		})
	}
}

func TestAuthorizationIdentity(t *testing.T) {
	a := accountAt(t, proxytest.Listen(t, proxytest.Script{
		"< * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hi",
		// support@example.com NUL guard NUL hunter2
		"> T1 AUTHENTICATE PLAIN c3VwcG9ydEBleGFtcGxlLmNvbQBndWFyZABodW50ZXIy", "< T1 OK [CAPABILITY IMAP4rev1] in",
		"> T2 CAPABILITY", "< * CAPABILITY IMAP4rev1 UIDPLUS", "< T2 OK done", "> T3 LOGOUT", "< * BYE", "< T3 OK bye",
	}))
	a.Keyring = NewKeyring(Secrets{Username: "guard", Authorization: "{user}@{domain}", PasswordFile: secretFile(t, "hunter2")})
	s := login(t, a)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// Without PLAIN there is no way to say it: the other mailbox must not be opened.
func TestNoAuthorizationIdentityByLOGIN(t *testing.T) {
	s := newStage(t, func(s *upstream.Server) { s.IMAP.Without = []string{"AUTH=PLAIN"} })
	s.account.Keyring = NewKeyring(Secrets{Username: string(box), Authorization: "other@example.com", PasswordFile: secretFile(t, password)})
	_, err := s.account.Login(t.Context(), box)
	wantError(t, err, "PLAIN")
	if slices.ContainsFunc(s.Received(), func(c string) bool { return strings.HasPrefix(c, "LOGIN") }) {
		t.Error("it logged in as somebody else")
	}
}

func TestTLS(t *testing.T) {
	cert, pool := proxytest.Cert(t)
	server := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	client := &tls.Config{RootCAs: pool, ServerName: "localhost", MinVersion: tls.VersionTLS12}
	s := newStage(t, func(s *upstream.Server) { s.TLS = server })
	s.account.Dialer.Mode, s.account.Dialer.TLS = proxy.TLSStart, client
	open(t, s.account, "INBOX")

	stranger := client.Clone()
	stranger.ServerName = "elsewhere.example.com"
	s.account.Dialer.TLS = stranger
	_, err := s.account.Login(t.Context(), box)
	wantError(t, err, "certificate")

	s.account.Dialer.TLS = nil
	_, err = s.account.Login(t.Context(), box)
	wantError(t, err, "no TLS configuration")

	l, err := tls.Listen("tcp", "127.0.0.1:0", server)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() { defer close(served); _ = s.ServeIMAP(l) }()
	defer func() { _ = s.Server.Close(); <-served }()
	s.account.Dialer = proxy.Dialer{Address: l.Addr().String(), Mode: proxy.TLSImplicit, TLS: client}
	open(t, s.account, "INBOX")
}

// The guard never falls back to clear text.
func TestNoSTARTTLS(t *testing.T) {
	s := newStage(t, nil)
	_, pool := proxytest.Cert(t)
	s.account.Dialer.Mode = proxy.TLSStart
	s.account.Dialer.TLS = &tls.Config{RootCAs: pool, ServerName: "localhost", MinVersion: tls.VersionTLS12}
	_, err := s.account.Login(t.Context(), box)
	wantError(t, err, "STARTTLS")
	for _, c := range s.Received() {
		if strings.HasPrefix(c, "LOGIN") || strings.HasPrefix(c, "AUTHENTICATE") {
			t.Errorf("in clear: %s", c)
		}
	}
}

// A server that says nothing is left when the context ends, wherever it is.
func TestSilentServer(t *testing.T) {
	for name, script := range map[string]proxytest.Script{
		"no greeting": {"eof"},
		"no answer":   {"< * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] hi", "> T1 AUTHENTICATE PLAIN AHN1cHBvcnRAZXhhbXBsZS5jb20AY29ycmVjdCBob3JzZQ==", "eof"},
	} {
		t.Run(name, func(t *testing.T) {
			a := accountAt(t, proxytest.Listen(t, script))
			a.Timeout = 0
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			_, err := a.Login(ctx, box)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		})
		t.Run(name+" in time", func(t *testing.T) {
			a := accountAt(t, proxytest.Listen(t, script))
			a.Timeout = 50 * time.Millisecond
			_, err := a.Login(t.Context(), box)
			var broken *proxy.Error
			if !errors.As(err, &broken) || !broken.Timeout() {
				t.Error(err)
			}
		})
	}
}

func TestNobodyThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	_, err = accountAt(t, l.Addr().String()).Login(t.Context(), box)
	wantError(t, err, "upstream dial")
}
