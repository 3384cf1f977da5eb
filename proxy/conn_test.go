package proxy_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mailguard/proxy"
	"mailguard/proxy/proxytest"
)

func TestReadTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, server := proxytest.Pipe(t)
		c := proxy.NewConn(server, proxy.Client)
		c.SetTimeouts(10*time.Minute, 0)
		start := time.Now()
		_, err := c.Reader().ReadByte()
		wantTimeout(t, err, proxy.OpRead)
		wantElapsed(t, start, 10*time.Minute)
	})
}

func TestWriteTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, server := proxytest.Pipe(t) // nobody reads
		c := proxy.NewConn(server, proxy.Client)
		c.SetTimeouts(0, time.Minute)
		start := time.Now()
		_, _ = c.Writer().WriteString("+OK\r\n")
		wantTimeout(t, c.Flush(), proxy.OpWrite)
		wantElapsed(t, start, time.Minute)
	})
}

// A slowloris sends one byte before each timeout; the bound of the phase ends it.
func TestSlowlorisIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := proxytest.Pipe(t)
		c := proxy.NewConn(server, proxy.Client)
		c.SetTimeouts(10*time.Second, 0)
		c.SetDeadline(time.Now().Add(time.Minute))
		cut := make(chan struct{})
		go func() {
			defer close(cut)
			for err := error(nil); err == nil; {
				time.Sleep(9 * time.Second)
				_, err = client.Write([]byte("x"))
			}
		}()
		start := time.Now()
		line, err := c.Reader().ReadSlice('\n')
		wantTimeout(t, err, proxy.OpRead)
		wantElapsed(t, start, time.Minute)
		if len(line) != 6 {
			t.Errorf("%d bytes arrived, want 6", len(line))
		}
		_ = c.Close()
		<-cut
	})
}

// A later limit reaches a read that waits already, in both directions.
func TestLimitsReachAWaitingRead(t *testing.T) {
	for name, change := range map[string]func(c *proxy.Conn){
		"timeouts": func(c *proxy.Conn) { c.SetTimeouts(time.Hour, 0); c.SetDeadline(time.Time{}) },
		"deadline": func(c *proxy.Conn) { c.SetTimeouts(0, 0); c.SetDeadline(time.Now().Add(time.Hour)) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, server := proxytest.Pipe(t)
				c := proxy.NewConn(server, proxy.Client)
				c.SetTimeouts(time.Minute, 0)
				time.AfterFunc(30*time.Second, func() { change(c) })
				start := time.Now()
				_, err := c.Reader().ReadByte()
				wantTimeout(t, err, proxy.OpRead)
				wantElapsed(t, start, 30*time.Second+time.Hour)
			})
		})
	}
}

// A deadline that passed does not harm the next phase.
func TestDeadlineIsLifted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := proxytest.Pipe(t)
		c := proxy.NewConn(server, proxy.Client)
		c.SetDeadline(time.Now().Add(-time.Second))
		_, err := c.Reader().ReadByte()
		wantTimeout(t, err, proxy.OpRead)
		c.SetDeadline(time.Time{})
		go func() { _, _ = client.Write([]byte("x")) }()
		if b, err := c.Reader().ReadByte(); b != 'x' || err != nil {
			t.Errorf("got %q, %v", b, err)
		}
	})
}

func TestInterrupt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := proxytest.Pipe(t)
		c := proxy.NewConn(server, proxy.Client)
		time.AfterFunc(time.Second, c.Interrupt)
		_, err := c.Reader().ReadByte()
		if !errors.Is(err, proxy.ErrInterrupted) || !proxy.IsDisconnect(err) {
			t.Errorf("the waiting read gave %v", err)
		}
		c.SetTimeouts(time.Hour, time.Hour) // must not lift it
		if _, err := c.Reader().ReadByte(); !errors.Is(err, proxy.ErrInterrupted) {
			t.Errorf("the next read gave %v", err)
		}
		go func() {
			_, _ = c.Writer().WriteString("* BYE\r\n")
			_ = c.Flush()
			_ = c.Close()
		}()
		if got, _ := io.ReadAll(client); string(got) != "* BYE\r\n" {
			t.Errorf("the goodbye was %q", got)
		}
	})
}

// New limits must not wake up what an interrupt has ended: the read may be just
// about to wait.
func TestLimitsDoNotLiftAnInterrupt(t *testing.T) {
	_, server := proxytest.Pipe(t)
	nc := &lastDeadline{Conn: server}
	c := proxy.NewConn(nc, proxy.Client)
	c.Interrupt()
	c.SetTimeouts(time.Hour, time.Hour)
	c.SetDeadline(time.Now().Add(time.Hour))
	if nc.read.IsZero() || nc.read.After(time.Now()) {
		t.Errorf("reads may wait until %v again", nc.read)
	}
}

// lastDeadline remembers the last deadline for reads.
type lastDeadline struct {
	net.Conn
	read time.Time
}

func (l *lastDeadline) SetReadDeadline(t time.Time) error {
	l.read = t
	return l.Conn.SetReadDeadline(t)
}

func TestCloseWith(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, server := proxytest.Pipe(t)
		c := proxy.NewConn(server, proxy.Upstream)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		defer c.CloseWith(ctx)()
		_, err := c.Reader().ReadByte()
		if !proxy.IsDisconnect(err) {
			t.Errorf("the waiting read gave %v", err)
		}
	})
}

// Close must not wait for a peer that reads no more, not even to say goodbye in
// TLS, and whatever the write timeout is.
func TestCloseDoesNotWaitForThePeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := proxytest.Pipe(t)
		c := proxy.NewConn(server, proxy.Client)
		c.SetTimeouts(0, time.Hour)
		upgrade(t, c, client)
		start := time.Now()
		if err := errors.Join(c.Close(), c.Close()); err != nil {
			t.Errorf("Close: %v", err)
		}
		wantElapsed(t, start, time.Second)
	})
}

func TestCloseBreaksAStuckWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := proxytest.Pipe(t)
		c := proxy.NewConn(server, proxy.Client)
		upgrade(t, c, client)
		start := time.Now()
		time.AfterFunc(time.Minute, func() { _ = c.Close() })
		_, err := c.Writer().WriteString(strings.Repeat("x", 100_000))
		if !proxy.IsDisconnect(err) {
			t.Errorf("the stuck write gave %v", err)
		}
		wantElapsed(t, start, time.Minute)
	})
}

func TestReads(t *testing.T) {
	client, server := proxytest.Pipe(t)
	c := proxy.NewConn(server, proxy.Client)
	go func() {
		_, _ = io.WriteString(client, "A\r\nB\r\n")
		_, _ = io.WriteString(client, "C\r\n")
	}()
	for _, want := range []struct {
		line string
		new  uint64
	}{{"A\r\n", 1}, {"B\r\n", 0}, {"C\r\n", 1}} {
		before := c.Reads()
		line, err := c.Reader().ReadString('\n')
		if line != want.line || err != nil || c.Reads()-before != want.new {
			t.Errorf("%q, %v with %d reads, want %q with %d", line, err, c.Reads()-before, want.line, want.new)
		}
	}
}

func TestErrorsAreMarked(t *testing.T) {
	for _, side := range []proxy.Side{proxy.Client, proxy.Upstream} {
		peer, nc := proxytest.Pipe(t)
		_ = peer.Close()
		c := proxy.NewConn(nc, side)
		_, err := c.Reader().ReadByte()
		wantError(t, err, side, proxy.OpRead)
		if !errors.Is(err, io.EOF) {
			t.Errorf("the end of the stream is %v", err)
		}
		_ = c.Writer().WriteByte('x')
		wantError(t, c.Flush(), side, proxy.OpWrite)
	}
}

func TestRemoteAddr(t *testing.T) {
	for _, test := range []struct {
		addr net.Addr
		want string
	}{
		{&net.TCPAddr{IP: net.ParseIP("192.0.2.1"), Port: 5}, "192.0.2.1:5"},
		{&net.TCPAddr{IP: net.ParseIP("::ffff:192.0.2.1"), Port: 5}, "192.0.2.1:5"},
		{&net.TCPAddr{IP: net.ParseIP("2001:db8::1"), Port: 5}, "[2001:db8::1]:5"},
		{&net.UnixAddr{Name: "/run/x"}, ""},
		{nil, ""},
	} {
		var want netip.AddrPort
		if test.want != "" {
			want = netip.MustParseAddrPort(test.want)
		}
		if got := proxy.NewConn(from{addr: test.addr}, proxy.Client).RemoteAddr(); got != want {
			t.Errorf("%v: got %v, want %v", test.addr, got, want)
		}
	}
}

func TestBuffers(t *testing.T) {
	b := proxy.GetBuffer()
	if len(*b) != proxy.BufferSize {
		t.Errorf("a buffer of %d bytes", len(*b))
	}
	*b = (*b)[:5]
	proxy.PutBuffer(b)
	small := make([]byte, 10)
	proxy.PutBuffer(&small)
	proxy.PutBuffer(nil)
	for range 10 {
		if b := proxy.GetBuffer(); len(*b) != proxy.BufferSize {
			t.Errorf("a buffer of %d bytes", len(*b))
		}
	}
}

// from is a connection from an address.
type from struct {
	net.Conn
	addr net.Addr
}

func (f from) RemoteAddr() net.Addr { return f.addr }

// upgrade starts TLS on both ends; the client reads nothing afterwards.
func upgrade(t *testing.T, c *proxy.Conn, client net.Conn) {
	t.Helper()
	peer := proxy.NewConn(client, proxy.Upstream)
	done := make(chan error, 1)
	cfg := serverConfig(t)
	cfg.SessionTicketsDisabled = true // a pipe holds no ticket for a client that does not read
	go func() { done <- peer.StartTLSClient(t.Context(), clientConfig(t)) }()
	if err := c.StartTLSServer(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func wantError(t *testing.T, err error, side proxy.Side, op string) {
	t.Helper()
	var e *proxy.Error
	if !errors.As(err, &e) || e.Side != side || e.Op != op {
		t.Errorf("got %v, want an error of %s %s", err, side, op)
	}
}

func wantTimeout(t *testing.T, err error, op string) {
	t.Helper()
	wantError(t, err, proxy.Client, op)
	var e *proxy.Error
	if !errors.As(err, &e) || !e.Timeout() || !proxy.IsDisconnect(err) {
		t.Errorf("got %v, want a timeout", err)
	}
}

func wantElapsed(t *testing.T, start time.Time, want time.Duration) {
	t.Helper()
	if got := time.Since(start); got != want {
		t.Errorf("it took %v, want %v", got, want)
	}
}
