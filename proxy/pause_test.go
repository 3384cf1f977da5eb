package proxy_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mailguard/proxy"
	"mailguard/proxy/proxytest"
)

func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := proxytest.Pipe(t)
		c := proxy.NewConn(server, proxy.Client)
		c.SetTimeouts(time.Minute, 0)
		time.AfterFunc(time.Second, c.Pause)
		start := time.Now()
		wantPaused(t, c)
		wantElapsed(t, start, time.Second)
		for range 3 { // it stays, whatever the limits are
			c.SetTimeouts(time.Hour, time.Hour)
			c.SetDeadline(time.Now().Add(time.Hour))
			wantPaused(t, c)
		}
		c.SetTimeouts(time.Minute, 0)
		c.Unpause()
		go func() { _, _ = client.Write([]byte("x")) }()
		wantRead(t, c, "x")
		start = time.Now()
		_, err := c.Read(make([]byte, 1))
		wantTimeout(t, err, proxy.OpRead)
		wantElapsed(t, start, time.Minute)
	})
}

// A read that began before the pause and waits on after it has its limits back.
func TestUnpauseGivesLimitsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, server := proxytest.Pipe(t)
		c := proxy.NewConn(server, proxy.Client)
		c.SetDeadline(time.Now().Add(time.Minute))
		c.Pause()
		c.Unpause()
		start := time.Now()
		_, err := c.Read(make([]byte, 1))
		wantTimeout(t, err, proxy.OpRead)
		wantElapsed(t, start, time.Minute)
	})
}

func TestPauseAndInterrupt(t *testing.T) {
	for name, change := range map[string]func(c *proxy.Conn){
		"interrupted in a pause":  func(c *proxy.Conn) { c.Pause(); c.Interrupt() },
		"paused when interrupted": func(c *proxy.Conn) { c.Interrupt(); c.Pause() },
		"unpaused":                func(c *proxy.Conn) { c.Interrupt(); c.Pause(); c.Unpause() },
	} {
		t.Run(name, func(t *testing.T) {
			_, server := proxytest.Pipe(t)
			nc := &lastDeadline{Conn: server}
			c := proxy.NewConn(nc, proxy.Client)
			change(c)
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, proxy.ErrInterrupted) {
				t.Errorf("the read gave %v", err)
			}
			if nc.read.IsZero() || nc.read.After(time.Now()) {
				t.Errorf("reads may wait until %v", nc.read)
			}
		})
	}
}

// A pause is neither the end of a connection nor a timeout of the session.
func TestPauseIsNoDisconnect(t *testing.T) {
	_, server := proxytest.Pipe(t)
	c := proxy.NewConn(server, proxy.Client)
	c.Pause()
	_, err := c.Reader().ReadByte()
	wantError(t, err, proxy.Client, proxy.OpRead)
	var e *proxy.Error
	if proxy.IsDisconnect(err) || !errors.As(err, &e) || e.Timeout() {
		t.Errorf("%v is taken for a disconnect", err)
	}
	var passes net.Error // what crypto/tls looks for
	if !errors.As(proxy.ErrPaused, &passes) || !passes.Timeout() {
		t.Error("ErrPaused is no net.Error of a timeout")
	}
}

// cutter is a client's connection that keeps what is written, so that a test can
// send it in pieces.
type cutter struct {
	net.Conn
	keeps bool
	kept  bytes.Buffer
}

func (c *cutter) Write(p []byte) (int, error) {
	if c.keeps {
		return c.kept.Write(p)
	}
	return c.Conn.Write(p)
}

// Half a record has arrived when the read is paused or runs out of time; the rest
// completes it. Wherever it is cut.
func TestTLSSurvives(t *testing.T) {
	for name, stop := range map[string]func(c *proxy.Conn){
		"a pause":   func(c *proxy.Conn) { time.AfterFunc(time.Second, c.Pause) },
		"a timeout": func(c *proxy.Conn) { c.SetTimeouts(time.Second, 0) },
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(name+" "+tls.VersionName(version), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					testTLSSurvives(t, version, stop)
				})
			})
		}
	}
}

func testTLSSurvives(t *testing.T, version uint16, stop func(c *proxy.Conn)) {
	client, server := proxytest.Pipe(t)
	wire := &cutter{Conn: client}
	c, tc := proxy.NewConn(server, proxy.Client), tls.Client(wire, clientConfig(t))
	cfg := serverConfig(t)
	cfg.SessionTicketsDisabled, cfg.MaxVersion = true, version
	done := make(chan error, 1)
	go func() { done <- tc.Handshake() }()
	if err := c.StartTLSServer(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	wire.keeps = true
	for cut := 0; ; cut++ {
		wire.kept.Reset()
		_, _ = io.WriteString(tc, "first")
		_, _ = io.WriteString(tc, "second") // behind it, in part
		if cut > wire.kept.Len() {
			return
		}
		testCut(t, c, wire, cut, stop)
	}
}

// testCut reads two records that stop coming at cut.
func testCut(t *testing.T, c *proxy.Conn, wire *cutter, cut int, stop func(c *proxy.Conn)) {
	t.Helper()
	var got []byte
	read := func() (err error) {
		for p := make([]byte, 20); err == nil && len(got) < len("firstsecond"); {
			var n int
			n, err = c.Read(p)
			got = append(got, p[:n]...)
		}
		return err
	}
	go func() { _, _ = wire.Conn.Write(wire.kept.Next(cut)) }()
	stop(c)
	err := read()
	var e *proxy.Error
	if err != nil && !errors.Is(err, proxy.ErrPaused) && (!errors.As(err, &e) || !e.Timeout()) {
		t.Fatalf("cut at %d: %v", cut, err)
	}
	if err == nil && wire.kept.Len() > 0 {
		t.Fatalf("cut at %d: everything has arrived, but not been sent", cut)
	}
	time.Sleep(2 * time.Second) // what stops is over
	c.SetTimeouts(0, 0)
	c.Unpause()
	go func() { _, _ = wire.Conn.Write(wire.kept.Bytes()) }()
	if err := read(); err != nil || string(got) != "firstsecond" {
		t.Fatalf("cut at %d: got %q, %v", cut, got, err)
	}
	synctest.Wait()
}

// Pauses at random moments lose nothing, and are never taken for timeouts.
func TestPausesLoseNothing(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(map[bool]string{false: "in clear", true: "TLS"}[secure], func(t *testing.T) {
			client, c := tcpPair(t)
			c.SetTimeouts(time.Hour, 0)
			var peer net.Conn = client
			if secure {
				peer = secured(t, client, c)
			}
			sent := make([]byte, 1<<18)
			for i := range sent {
				sent[i] = byte(rand.Uint32())
			}
			var all sync.WaitGroup
			all.Go(func() { writePieces(peer, sent) })
			stop := make(chan struct{})
			all.Go(func() { pauseOften(c, stop) })
			got, pauses := readThroughPauses(t, c, len(sent))
			close(stop)
			all.Wait()
			if !bytes.Equal(got, sent) {
				t.Error("what arrived is not what was sent")
			}
			if pauses == 0 {
				t.Error("no read was paused: the test has seen nothing")
			}
		})
	}
}

func writePieces(w io.Writer, all []byte) {
	for len(all) > 0 {
		n := min(len(all), 1+rand.IntN(2000))
		if _, err := w.Write(all[:n]); err != nil {
			return
		}
		all = all[n:]
		time.Sleep(time.Duration(rand.IntN(50)) * time.Microsecond)
	}
}

func pauseOften(c *proxy.Conn, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
			c.Pause()
			time.Sleep(time.Duration(rand.IntN(50)) * time.Microsecond)
			c.Unpause()
			time.Sleep(time.Duration(rand.IntN(50)) * time.Microsecond)
		}
	}
}

func readThroughPauses(t *testing.T, c *proxy.Conn, size int) (got []byte, pauses int) {
	t.Helper()
	for p := make([]byte, 5000); len(got) < size; {
		n, err := c.Read(p)
		got = append(got, p[:n]...)
		if errors.Is(err, proxy.ErrPaused) {
			pauses++
		} else if err != nil {
			t.Errorf("a read gave %v", err)
			break
		}
	}
	return got, pauses
}

func TestTakeBuffered(t *testing.T) {
	client, server := proxytest.Pipe(t)
	c := proxy.NewConn(server, proxy.Client)
	if rest := c.TakeBuffered(); len(rest) > 0 {
		t.Errorf("%q before anything was read", rest)
	}
	go func() {
		_, _ = io.WriteString(client, "first\nsecond\n")
		_, _ = io.WriteString(client, "third\n")
	}()
	if line, err := c.Reader().ReadString('\n'); line != "first\n" || err != nil {
		t.Fatalf("got %q, %v", line, err)
	}
	if rest := c.TakeBuffered(); string(rest) != "second\n" {
		t.Errorf("the buffer held %q", rest)
	}
	wantRead(t, c, "third\n")
	go func() { _, _ = c.Write([]byte("answer")) }()
	got := make([]byte, 6)
	if _, err := io.ReadFull(client, got); err != nil || string(got) != "answer" {
		t.Errorf("the client got %q, %v", got, err)
	}
	if err := c.Flush(); err != nil {
		t.Errorf("flush without a writer: %v", err)
	}
}

func TestReadAndWriteMarkErrors(t *testing.T) {
	peer, nc := proxytest.Pipe(t)
	_ = peer.Close()
	c := proxy.NewConn(nc, proxy.Upstream)
	_, err := c.Read(make([]byte, 1))
	wantError(t, err, proxy.Upstream, proxy.OpRead)
	_, err = c.Write([]byte("x"))
	wantError(t, err, proxy.Upstream, proxy.OpWrite)
	if n := c.Reads(); n != 1 {
		t.Errorf("%d reads were counted", n)
	}
}

func wantPaused(t *testing.T, c *proxy.Conn) {
	t.Helper()
	if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, proxy.ErrPaused) {
		t.Errorf("the read gave %d bytes and %v", n, err)
	}
}

func wantRead(t *testing.T, c *proxy.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}

// tcpPair is a connection on a real socket.
func tcpPair(tb testing.TB) (net.Conn, *proxy.Conn) {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	client := dialTCP(tb, l.Addr().String())
	nc, err := l.Accept()
	if err != nil {
		tb.Fatal(err)
	}
	c := proxy.NewConn(nc, proxy.Client)
	tb.Cleanup(func() { _ = c.Close() })
	return client, c
}

// secured starts TLS on both ends, and returns the client's.
func secured(t *testing.T, client net.Conn, c *proxy.Conn) *tls.Conn {
	t.Helper()
	tc := tls.Client(client, clientConfig(t))
	done := make(chan error, 1)
	go func() { done <- tc.Handshake() }()
	if err := errors.Join(c.StartTLSServer(t.Context(), serverConfig(t)), <-done); err != nil {
		t.Fatal(err)
	}
	return tc
}
