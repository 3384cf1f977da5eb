package proxy_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"mailguard/proxy"
	"mailguard/proxy/proxytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// handlerFunc is a Handler in one function.
type handlerFunc func(ctx context.Context, c *proxy.Conn) error

func (f handlerFunc) ServeConn(ctx context.Context, c *proxy.Conn) error { return f(ctx, c) }

// echo answers every line with itself until the client goes.
func echo(_ context.Context, c *proxy.Conn) error {
	for {
		line, err := c.Reader().ReadSlice('\n')
		if err != nil {
			return err
		}
		if _, err := c.Writer().Write(line); err != nil {
			return err
		}
		if err := c.Flush(); err != nil {
			return err
		}
	}
}

// serverConfig and clientConfig trust each other.
func serverConfig(tb testing.TB) *tls.Config {
	cert, _ := proxytest.Cert(tb)
	return &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
}

func clientConfig(tb testing.TB) *tls.Config {
	_, pool := proxytest.Cert(tb)
	return &tls.Config{RootCAs: pool, ServerName: "localhost", MinVersion: tls.VersionTLS12}
}

// logBuffer is a log that a test can read while it is written.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// tcpServer serves o on a real socket until the end of the test.
func tcpServer(tb testing.TB, o proxy.ServerOptions) (*proxy.Server, string) {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	o.Listener = l
	return serve(tb, o), l.Addr().String()
}

// serve runs a server until the end of the test.
func serve(tb testing.TB, o proxy.ServerOptions) *proxy.Server {
	tb.Helper()
	s := proxy.NewServer(o)
	served := make(chan error, 1)
	go func() { served <- s.Serve() }()
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Errorf("Close: %v", err)
		}
		if err := <-served; err != nil {
			tb.Errorf("Serve: %v", err)
		}
	})
	return s
}

// pipeListener accepts what dial makes, also inside a bubble.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case nc := <-l.conns:
		return nc, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// dial connects to the listener.
func (l *pipeListener) dial(tb testing.TB) net.Conn {
	tb.Helper()
	client, server := proxytest.Pipe(tb)
	l.conns <- server
	return client
}

// dialTCP connects to a server on a real socket.
func dialTCP(tb testing.TB, address string) net.Conn {
	tb.Helper()
	nc, err := net.Dial("tcp", address)
	if err != nil {
		tb.Fatal(err)
	}
	_ = nc.SetDeadline(time.Now().Add(10 * time.Second)) // a test that hangs is hard to read
	tb.Cleanup(func() { _ = nc.Close() })
	return nc
}

// eventually waits for what real sockets do in their own time.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if ok() {
			return
		}
	}
	tb.Fatalf("it never happened that %s", what)
}

func testLog() (zerolog.Logger, *logBuffer) {
	b := new(logBuffer)
	return zerolog.New(b), b
}
