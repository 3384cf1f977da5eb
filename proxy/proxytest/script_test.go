package proxytest

import (
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestScriptPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := Pipe(t)
		wait := Script{"< +OK hi", "> USER a", `<- +OK\r\n.\\\r\n`, "close"}.Start(t, server)
		got := make([]byte, len("+OK hi\r\n"))
		_, _ = io.ReadFull(client, got)
		_, _ = io.WriteString(client, "USER a\r\n")
		rest, err := io.ReadAll(client)
		if string(got)+string(rest) != "+OK hi\r\n+OK\r\n.\\\r\n" || err != nil {
			t.Errorf("got %q, %q, %v", got, rest, err)
		}
		wait()
	})
}

func TestScriptNamesTheStep(t *testing.T) {
	for name, test := range map[string]struct {
		script Script
		send   string
		want   string
	}{
		"other line":    {Script{"> USER a", "> PASS b"}, "USER a\r\nPASS c\r\n", `step 2 of 2 (> PASS b): the peer sent "PASS c\r\n"`},
		"bare LF":       {Script{"> USER a"}, "USER a\n", `step 1 of 1 (> USER a): the peer sent "USER a\n"`},
		"early end":     {Script{"> USER a"}, "USER", `sent "USER" and then: EOF`},
		"more than end": {Script{"> USER a", "eof"}, "USER a\r\nQUIT\r\n", `step 2 of 2 (eof): the peer sent "QUIT\r\n"`},
		"TLS too late":  {Script{"> STLS", "starttls"}, "STLS\r\nQUIT\r\n", "6 bytes in clear"},
		"unknown step":  {Script{"hello"}, "", "no such step"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, server := Pipe(t)
				go func() {
					_, _ = io.WriteString(client, test.send)
					_ = client.Close()
				}()
				err := test.script.Play(t, server)
				_ = server.Close()
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("got %v, want %q", err, test.want)
				}
			})
		})
	}
}

// The certificate must be good in a bubble, too, where it is the year 2000.
func TestCertInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := Pipe(t)
		Script{"starttls", "> hello", "eof"}.Start(t, server)
		_, pool := Cert(t)
		tc := tls.Client(client, &tls.Config{RootCAs: pool, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12})
		if _, err := io.WriteString(tc, "hello\r\n"); err != nil {
			t.Error(err)
		}
		go func() { _, _ = io.Copy(io.Discard, tc) }() // a pipe holds no ticket, no goodbye
		_ = tc.Close()
	})
}

func TestWriteCert(t *testing.T) {
	certFile, keyFile, _ := WriteCert(t, t.TempDir())
	if _, err := tls.LoadX509KeyPair(certFile, keyFile); err != nil {
		t.Error(err)
	}
}

func TestListen(t *testing.T) {
	addr := Listen(t, Script{"< one", "close"}, Script{"< two", "close"})
	for _, want := range []string{"one\r\n", "two\r\n", ""} {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := io.ReadAll(nc); string(got) != want {
			t.Errorf("got %q, want %q", got, want)
		}
		_ = nc.Close()
	}
}
