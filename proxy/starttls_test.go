package proxy_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"mailguard/proxy"
	"mailguard/proxy/proxytest"
)

// stls is a session that upgrades at its first line and then echoes.
func stls(cfg *tls.Config, result chan<- error) handlerFunc {
	return func(ctx context.Context, c *proxy.Conn) error {
		c.SetTimeouts(5*time.Second, 5*time.Second)
		if _, err := c.Reader().ReadSlice('\n'); err != nil {
			return err
		}
		_, _ = c.Writer().WriteString("+OK begin\r\n")
		err := c.StartTLSServer(ctx, cfg)
		result <- err
		if err != nil {
			return err
		}
		return echo(ctx, c)
	}
}

func TestStartTLSServer(t *testing.T) {
	result := make(chan error, 1)
	_, addr := tcpServer(t, proxy.ServerOptions{Handler: stls(serverConfig(t), result)})
	nc := dialTCP(t, addr)
	_, _ = io.WriteString(nc, "STLS\r\n")
	if line, err := bufio.NewReader(nc).ReadString('\n'); line != "+OK begin\r\n" {
		t.Fatalf("answer %q, %v", line, err)
	}
	tc := tls.Client(nc, clientConfig(t))
	_, _ = io.WriteString(tc, "hello\r\n")
	if line, err := bufio.NewReader(tc).ReadString('\n'); line != "hello\r\n" {
		t.Fatalf("inside TLS: %q, %v", line, err)
	}
	if err := <-result; err != nil {
		t.Fatal(err)
	}
}

// The attack of CVE-2011-0411 and its children: a command in clear behind STLS.
func TestCommandBehindSTLSCloses(t *testing.T) {
	for name, packet := range map[string]string{
		"behind":           "STLS\r\nUSER mallory\r\n",
		"part of a line":   "STLS\r\nU",
		"a line end":       "STLS\r\n\r\n",
		"a TLS hello":      "STLS\r\n\x16\x03\x01",
		"larger than read": "STLS\r\n" + strings.Repeat("USER mallory\r\n", 1000),
	} {
		t.Run(name, func(t *testing.T) {
			result := make(chan error, 1)
			_, addr := tcpServer(t, proxy.ServerOptions{Handler: stls(serverConfig(t), result)})
			nc := dialTCP(t, addr)
			_, _ = io.WriteString(nc, packet)
			if err := <-result; !errors.Is(err, proxy.ErrPlaintextBehindSTARTTLS) {
				t.Errorf("the upgrade gave %v", err)
			}
			got, err := io.ReadAll(nc)
			if len(got) > 0 || errIsTimeout(err) {
				t.Errorf("the client got %q, %v; want nothing and the end", got, err)
			}
		})
	}
}

// What comes in clear after the answer is not in the buffer: the handshake must
// stumble over it.
func TestCommandInsteadOfHandshakeCloses(t *testing.T) {
	result := make(chan error, 1)
	_, addr := tcpServer(t, proxy.ServerOptions{Handler: stls(serverConfig(t), result)})
	nc := dialTCP(t, addr)
	_, _ = io.WriteString(nc, "STLS\r\n")
	_, _ = bufio.NewReader(nc).ReadString('\n')
	_, _ = io.WriteString(nc, "USER mallory\r\nPASS x\r\n")
	var header tls.RecordHeaderError
	if err := <-result; !errors.As(err, &header) {
		t.Errorf("the upgrade gave %v", err)
	}
}

func TestStartTLSClient(t *testing.T) {
	addr := proxytest.Listen(t, proxytest.Script{
		"< +OK hi", "> STLS", "< +OK begin", "starttls", "> NOOP", "< +OK", "eof",
	})
	c := dialStart(t, addr)
	reader := c.Reader()
	talk(t, c, "", "+OK hi")
	talk(t, c, "STLS", "+OK begin")
	if err := c.StartTLSClient(t.Context(), clientConfig(t)); err != nil {
		t.Fatal(err)
	}
	if c.Reader() != reader {
		t.Error("the reader changed")
	}
	talk(t, c, "NOOP", "+OK")
	if state, ok := c.TLS(); !ok || !state.HandshakeComplete {
		t.Error("TLS() does not know of it")
	}
	if err := c.StartTLSClient(t.Context(), clientConfig(t)); err == nil {
		t.Error("TLS was started twice")
	}
}

// The other half: an answer in clear behind the upstream's OK would be read as
// the answer to the first command inside TLS.
func TestResponseInjectedByUpstream(t *testing.T) {
	addr := proxytest.Listen(t, proxytest.Script{
		"> STLS", `<- +OK begin\r\n+OK you are logged in\r\n`, "eof",
	})
	c := dialStart(t, addr)
	talk(t, c, "STLS", "+OK begin")
	err := c.StartTLSClient(t.Context(), clientConfig(t))
	var e *proxy.Error
	if !errors.Is(err, proxy.ErrPlaintextBehindSTARTTLS) || !errors.As(err, &e) ||
		e.Side != proxy.Upstream || e.Op != proxy.OpHandshake {
		t.Errorf("the upgrade gave %v", err)
	}
	if got, err := c.Reader().ReadString('\n'); got != "" || !errors.Is(err, net.ErrClosed) {
		t.Errorf("afterwards %q, %v can be read", got, err)
	}
}

func TestStartTLSWithoutConfig(t *testing.T) {
	a, _ := proxytest.Pipe(t)
	if err := proxy.NewConn(a, proxy.Client).StartTLSServer(t.Context(), nil); err == nil {
		t.Error("no error")
	}
}

// A panic in a callback of the configuration belongs to the session, not to the
// process.
func TestPanicInHandshake(t *testing.T) {
	cfg := &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { panic("bug") }}
	log, text := testLog()
	s, addr := tcpServer(t, proxy.ServerOptions{Handler: handlerFunc(echo), TLS: cfg, Implicit: true, Log: log})
	if err := tls.Client(dialTCP(t, addr), clientConfig(t)).Handshake(); err == nil {
		t.Error("the handshake succeeded")
	}
	eventually(t, "the panic is counted", func() bool { return s.Panics() == 1 })
	eventually(t, "the panic is logged", func() bool { return strings.Contains(text.String(), "bug") })
}

// talk sends a line, if any, and expects one.
func talk(t *testing.T, c *proxy.Conn, send, want string) {
	t.Helper()
	if send != "" {
		_, _ = c.Writer().WriteString(send + "\r\n")
		if err := c.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	// No further than the line: what lies behind it is the test's matter.
	if got, err := c.Reader().ReadString('\n'); got != want+"\r\n" {
		t.Fatalf("got %q, %v; want %q", got, err, want)
	}
}

func dialStart(t *testing.T, addr string) *proxy.Conn {
	t.Helper()
	d := proxy.Dialer{Address: addr, Mode: proxy.TLSStart, Timeout: 5 * time.Second}
	c, err := d.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c.SetTimeouts(5*time.Second, 5*time.Second)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func errIsTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}
