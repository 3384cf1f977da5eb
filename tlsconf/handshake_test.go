package tlsconf_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mailguard/proxy/proxytest"
	"mailguard/tlsconf"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shake shakes hands on a real socket and returns both ends' view.
func shake(t *testing.T, server, client *tls.Config) (state tls.ConnectionState, serverErr, clientErr error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	done := make(chan error, 1)
	go func() {
		nc, err := l.Accept()
		if err != nil {
			done <- err
			return
		}
		defer func() { _ = nc.Close() }()
		_ = nc.SetDeadline(time.Now().Add(10 * time.Second))
		tc := tls.Server(nc, server)
		_, err = tc.Read(make([]byte, 1))
		if err == nil {
			_, _ = tc.Write([]byte("x")) // takes the ticket along
		}
		done <- err
	}()
	nc, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = nc.Close() }()
	tc := tls.Client(nc, client)
	if clientErr = tc.Handshake(); clientErr == nil {
		_, _ = tc.Write([]byte("x"))
		_, clientErr = tc.Read(make([]byte, 1))
	}
	return tc.ConnectionState(), <-done, clientErr
}

// pair returns the configurations under test for both ends.
func pair(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	certFile, keyFile, caFile := proxytest.WriteCert(t, t.TempDir())
	server, err := tlsconf.Server([]tlsconf.Certificate{{CertFile: certFile, KeyFile: keyFile}}, "pop3")
	if err != nil {
		t.Fatal(err)
	}
	client, err = tlsconf.Upstream("localhost", caFile)
	if err != nil {
		t.Fatal(err)
	}
	return server, client
}

func TestALPN(t *testing.T) {
	for name, test := range map[string]struct {
		offered []string
		chosen  string
		refused bool
	}{
		"none":         {nil, "", false},
		"pop3":         {[]string{"pop3"}, "pop3", false},
		"one of two":   {[]string{"http/1.1", "pop3"}, "pop3", false},
		"http/1.1":     {[]string{"http/1.1"}, "", true},
		"h2, http/1.1": {[]string{"h2", "http/1.1"}, "", true},
		"imap":         {[]string{"imap"}, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			server, client := pair(t)
			client.NextProtos = test.offered
			state, serverErr, clientErr := shake(t, server, client)
			if refused := serverErr != nil && clientErr != nil; refused != test.refused {
				t.Fatalf("server: %v, client: %v", serverErr, clientErr)
			}
			if test.refused {
				wantAlert(t, clientErr, "no application protocol")
			} else if state.NegotiatedProtocol != test.chosen {
				t.Errorf("chosen: %q, want %q", state.NegotiatedProtocol, test.chosen)
			}
		})
	}
}

func TestVersions(t *testing.T) {
	for version, refused := range map[uint16]bool{
		tls.VersionTLS10: true, tls.VersionTLS11: true, tls.VersionTLS12: false, tls.VersionTLS13: false,
	} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			server, client := pair(t)
			client.MinVersion, client.MaxVersion = version, version
			if _, serverErr, _ := shake(t, server, client); (serverErr != nil) != refused {
				t.Errorf("as server: %v", serverErr)
			}
			server, client = pair(t)
			server.MinVersion, server.MaxVersion = version, version
			if _, _, clientErr := shake(t, server, client); (clientErr != nil) != refused {
				t.Errorf("as client: %v", clientErr)
			}
		})
	}
}

// TLS 1.2 only with forward secrecy and authenticated encryption.
func TestCipherSuites(t *testing.T) {
	server, client := pair(t)
	client.MaxVersion = tls.VersionTLS12
	client.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}
	if _, serverErr, _ := shake(t, server, client); serverErr == nil {
		t.Error("CBC was accepted")
	}
	for _, insecure := range tls.InsecureCipherSuites() {
		if slices.Contains(server.CipherSuites, insecure.ID) {
			t.Errorf("%s is offered", insecure.Name)
		}
	}
	client.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384}
	if _, serverErr, clientErr := shake(t, server, client); serverErr != nil || clientErr != nil {
		t.Errorf("server: %v, client: %v", serverErr, clientErr)
	}
}

func TestSessionsResume(t *testing.T) {
	server, client := pair(t)
	for i, want := range []bool{false, true} {
		state, serverErr, clientErr := shake(t, server, client)
		if serverErr != nil || clientErr != nil || state.DidResume != want {
			t.Errorf("connection %d: resumed %v; %v, %v", i+1, state.DidResume, serverErr, clientErr)
		}
	}
}

func TestUpstreamIsVerified(t *testing.T) {
	_, _, caFile := proxytest.WriteCert(t, t.TempDir())
	otherCA := filepath.Join(t.TempDir(), "other.pem")
	ca, _, err := tlsconf.SelfSigned([]string{"localhost"}, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, otherCA, ca)
	for name, test := range map[string]struct {
		name, caFile string
		is           func(error) bool
	}{
		"good":            {"localhost", caFile, func(err error) bool { return err == nil }},
		"address":         {"127.0.0.1", caFile, func(err error) bool { return err == nil }},
		"wrong name":      {"mail.example.org", caFile, isA[x509.HostnameError]},
		"another CA":      {"localhost", otherCA, isA[x509.UnknownAuthorityError]},
		"the system's CA": {"localhost", "", isA[x509.UnknownAuthorityError]},
	} {
		t.Run(name, func(t *testing.T) {
			server, _ := pair(t)
			client, err := tlsconf.Upstream(test.name, test.caFile)
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := shake(t, server, client); !test.is(err) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestUpstreamErrors(t *testing.T) {
	dir := t.TempDir()
	_, keyFile, _ := proxytest.WriteCert(t, dir)
	broken := filepath.Join(dir, "broken.pem")
	writeFile(t, broken, []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	for name, test := range map[string]struct{ name, caFile, want string }{
		"no name":    {"", "", "needs the name"},
		"no file":    {"localhost", filepath.Join(dir, "none"), "does not exist"},
		"a key":      {"localhost", keyFile, "mixed up"},
		"not a cert": {"localhost", broken, "none of its certificates"},
	} {
		_, err := tlsconf.Upstream(test.name, test.caFile)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", name, err, test.want)
		}
	}
}

// The server's certificate follows the name that the client asks for; the first
// one is for all others.
func TestCertificateByName(t *testing.T) {
	dir := t.TempDir()
	var certs []tlsconf.Certificate
	for _, host := range []string{"a.example.org", "b.example.org"} {
		certs = append(certs, selfSigned(t, dir, host))
	}
	server, err := tlsconf.Server(certs, "imap")
	if err != nil {
		t.Fatal(err)
	}
	for asked, want := range map[string]string{
		"a.example.org": "a.example.org", "b.example.org": "b.example.org", "c.example.org": "a.example.org", "": "a.example.org",
	} {
		// The name is read off, whoever signed it: this is a test of the server.
		state, _, err := shake(t, server, &tls.Config{ServerName: asked, InsecureSkipVerify: true, MinVersion: tls.VersionTLS12})
		if err != nil {
			t.Fatal(err)
		}
		if got := state.PeerCertificates[0].DNSNames[0]; got != want {
			t.Errorf("asked for %q: got %s, want %s", asked, got, want)
		}
	}
}

// A client that is given the demo's certificate as a CA trusts it.
func TestSelfSigned(t *testing.T) {
	c := selfSigned(t, t.TempDir(), "localhost", "127.0.0.1", "::1")
	server, err := tlsconf.Server([]tlsconf.Certificate{c}, "pop3")
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"localhost", "127.0.0.1", "::1"} {
		client, err := tlsconf.Upstream(host, c.CertFile)
		if err != nil {
			t.Fatal(err)
		}
		if _, serverErr, clientErr := shake(t, server, client); serverErr != nil || clientErr != nil {
			t.Errorf("%s: %v, %v", host, serverErr, clientErr)
		}
	}
	if _, _, err := tlsconf.SelfSigned(nil, time.Now(), time.Now()); err == nil {
		t.Error("a certificate for nobody")
	}
}

func selfSigned(t *testing.T, dir string, hosts ...string) tlsconf.Certificate {
	t.Helper()
	cert, key, err := tlsconf.SelfSigned(hosts, time.Now().Add(-time.Hour), time.Now().Add(30*24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	c := tlsconf.Certificate{CertFile: filepath.Join(dir, hosts[0]+".crt"), KeyFile: filepath.Join(dir, hosts[0]+".key")}
	writeFile(t, c.CertFile, cert)
	writeFile(t, c.KeyFile, key)
	return c
}

func writeFile(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func isA[E error](err error) bool {
	var e E
	return errors.As(err, &e)
}

func wantAlert(t *testing.T, err error, text string) {
	t.Helper()
	if !strings.Contains(err.Error(), text) {
		t.Errorf("got %v, want %q", err, text)
	}
}
