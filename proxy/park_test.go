package proxy_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mailguard/proxy"
)

// napper is a session that passes lines on in both directions, and parks when it
// has been quiet for a while, also in the middle of a line.
type napper struct {
	client, upstream *proxy.Conn
	until            func() time.Time // nil: no limit
	stretches        atomic.Int32
	woken            chan struct{} // something for each stretch
}

// naps makes a Handler of nappers, whose upstreams are given to a function.
func naps(tb testing.TB, quiet time.Duration, made func(n *napper, peer net.Conn)) handlerFunc {
	return func(ctx context.Context, c *proxy.Conn) error {
		peer, upstream := tcpPair(tb)
		n := &napper{client: c, upstream: upstream, woken: make(chan struct{}, 1000)}
		for _, c := range []*proxy.Conn{c, upstream} {
			c.SetTimeouts(quiet, 5*time.Second)
		}
		made(n, peer)
		return n.stretch(ctx)
	}
}

func (n *napper) stretch(ctx context.Context) error {
	n.stretches.Add(1)
	select {
	case n.woken <- struct{}{}:
	default:
	}
	up := make(chan error, 1)
	go func() { up <- pass(n.client, n.upstream) }()
	err := pass(n.upstream, n.client)
	n.upstream.Pause()
	err = errors.Join(err, <-up)
	n.upstream.Unpause()
	if ctx.Err() != nil {
		_, _ = io.WriteString(n.client, "BYE\n")
	}
	if err != nil || ctx.Err() != nil {
		_ = n.upstream.Close()
		return errors.Join(err, ctx.Err())
	}
	p := &proxy.Parked{Upstream: n.upstream, Resume: n.stretch}
	if n.until != nil {
		p.Until = n.until()
	}
	return p
}

// pass copies until nothing comes any more for now (nil) or for good.
func pass(to io.Writer, from *proxy.Conn) error {
	for p := make([]byte, 100); ; {
		n, err := from.Read(p)
		if _, writeErr := to.Write(p[:n]); writeErr != nil {
			return writeErr
		}
		var e *proxy.Error
		if errors.Is(err, proxy.ErrPaused) || errors.As(err, &e) && e.Timeout() {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// parkServer serves nappers, the next of which is sent to a channel.
type parkServer struct {
	*proxy.Server
	t     *testing.T
	addr  string
	log   *logBuffer
	slots *proxy.Slots
	next  chan *nap
}

// nap is a session with its two peers.
type nap struct {
	*napper
	client   net.Conn // perhaps TLS
	upstream net.Conn
}

func newParkServer(t *testing.T, quiet time.Duration, change func(n *napper)) *parkServer {
	log, text := testLog()
	p := &parkServer{t: t, log: text, next: make(chan *nap, 1)}
	handler := naps(t, quiet, func(n *napper, peer net.Conn) {
		if change != nil {
			change(n)
		}
		p.next <- &nap{napper: n, upstream: peer}
	})
	p.Server, p.addr = tcpServer(t, proxy.ServerOptions{
		Handler: handler, Log: log, Slots: proxy.NewSlots(100),
		TLS: serverConfig(t), Implicit: true, HandshakeTimeout: 10 * time.Second,
	})
	return p
}

// dial makes one session.
func (p *parkServer) dial() *nap {
	p.t.Helper()
	tc := tls.Client(dialTCP(p.t, p.addr), clientConfig(p.t))
	if err := tc.Handshake(); err != nil {
		p.t.Fatal(err)
	}
	n := <-p.next
	n.client = tc
	return n
}

func (p *parkServer) waitParked(want int) {
	p.t.Helper()
	eventually(p.t, fmt.Sprintf("%d sessions are parked", want), func() bool { return p.Parked() == want })
}

// quiet fails where sessions could not be parked: then the retry would hide what
// was lost.
func (p *parkServer) quiet() {
	p.t.Helper()
	if text := p.log.String(); strings.Contains(text, "cannot wait") {
		p.t.Errorf("the log is %s", text)
	}
}

// told is one line that must arrive.
func told(t *testing.T, from io.Writer, to io.Reader, line string) {
	t.Helper()
	if _, err := io.WriteString(from, line); err != nil {
		t.Errorf("write: %v", err)
	}
	got := make([]byte, len(line))
	if _, err := io.ReadFull(to, got); err != nil || string(got) != line {
		t.Errorf("got %q, %v; want %q", got, err, line)
	}
}

func TestParkedSessionIsResumed(t *testing.T) {
	p := newParkServer(t, 5*time.Millisecond, nil)
	n := p.dial()
	for range 3 {
		p.waitParked(1)
		told(t, n.client, n.upstream, "from the client\n")
		p.waitParked(1)
		told(t, n.upstream, n.client, "from the upstream\n")
	}
	p.waitParked(1)
	if n := p.Sessions(); n != 1 {
		t.Errorf("%d sessions", n)
	}
	_ = n.upstream.Close() // it counts as something to read
	if _, err := n.client.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the client got %v", err)
	}
	eventually(t, "the session is gone", func() bool { return p.Sessions() == 0 && p.Parked() == 0 })
	p.quiet()
}

// The client hangs up in its sleep.
func TestParkedSessionEnds(t *testing.T) {
	for name, leave := range map[string]func(n *nap){
		"client closes":     func(n *nap) { _ = n.client.Close() },
		"client vanishes":   func(n *nap) { _ = n.client.(*tls.Conn).NetConn().Close() },
		"upstream closes":   func(n *nap) { _ = n.upstream.Close() },
		"client is closed":  func(n *nap) { _ = n.napper.client.Close() },
		"upstream is, too":  func(n *nap) { _ = n.napper.upstream.Close() },
		"client stops":      func(n *nap) { n.napper.client.Interrupt() },
		"upstream is ended": func(n *nap) { n.napper.upstream.Interrupt() },
	} {
		t.Run(name, func(t *testing.T) {
			p := newParkServer(t, 5*time.Millisecond, nil)
			n := p.dial()
			p.waitParked(1)
			leave(n)
			eventually(t, "the session is gone", func() bool { return p.Sessions() == 0 && p.Parked() == 0 })
		})
	}
}

// Half a record, half a line: the rest arrives when the session is parked.
func TestParkedInTheMiddleOfARecord(t *testing.T) {
	p := newParkServer(t, 5*time.Millisecond, nil)
	wire := &cutter{Conn: dialTCP(t, p.addr)}
	tc := tls.Client(wire, clientConfig(t))
	if err := tc.Handshake(); err != nil {
		t.Fatal(err)
	}
	n := <-p.next
	wire.keeps = true
	_, _ = io.WriteString(tc, "hello\n")
	for wire.kept.Len() > 0 {
		p.waitParked(1)
		before := n.stretches.Load()
		_, _ = wire.Conn.Write(wire.kept.Next(4))
		eventually(t, "it is resumed", func() bool { return n.stretches.Load() > before })
	}
	got := make([]byte, 6)
	if _, err := io.ReadFull(n.upstream, got); err != nil || string(got) != "hello\n" {
		t.Errorf("the upstream got %q, %v", got, err)
	}
	p.quiet()
}

// Lines at random moments: while the session decides to park, registers, is
// parked, or is resumed. None may be left lying.
func TestNoWakeUpIsLost(t *testing.T) {
	const sessions, rounds = 20, 150
	p := newParkServer(t, time.Millisecond, nil)
	var all sync.WaitGroup
	var stretches atomic.Int32
	for range sessions {
		n := p.dial()
		all.Go(func() {
			for i := range rounds {
				time.Sleep(time.Duration(rand.IntN(3000)) * time.Microsecond)
				if i%2 == 0 {
					told(t, n.client, n.upstream, "up\n")
				} else {
					told(t, n.upstream, n.client, "down\n")
				}
				if i%10 == 0 {
					n.napper.client.Wake()
				}
			}
			stretches.Add(n.stretches.Load())
		})
	}
	all.Wait()
	if n := stretches.Load(); n < sessions*rounds/4 {
		t.Errorf("only %d stretches: the sessions hardly parked", n)
	}
	p.quiet()
}

// News and a Wake: whenever it comes, the session sees the news.
func TestNoWakeIsLost(t *testing.T) {
	var news atomic.Int64
	seen := make(chan int64, 1)
	conns := make(chan *proxy.Conn, 1)
	var look func(context.Context) error
	look = func(ctx context.Context) error {
		if n := news.Swap(0); n != 0 {
			seen <- n
		}
		if ctx.Err() != nil {
			return nil
		}
		return &proxy.Parked{Resume: look}
	}
	_, addr := tcpServer(t, proxy.ServerOptions{Handler: handlerFunc(func(ctx context.Context, c *proxy.Conn) error {
		conns <- c
		return look(ctx)
	})})
	dialTCP(t, addr)
	c := <-conns
	for i := int64(1); i <= 20_000; i++ {
		news.Store(i)
		c.Wake()
		select {
		case n := <-seen:
			if n != i {
				t.Fatalf("saw %d, not %d", n, i)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("wake %d was lost", i)
		}
	}
}

// Whatever wakes a session at once wakes it once.
func TestResumedOnce(t *testing.T) {
	p := newParkServer(t, 5*time.Millisecond, nil)
	n := p.dial()
	for range 50 {
		p.waitParked(1)
		var all sync.WaitGroup
		for range 5 {
			all.Go(n.napper.client.Wake)
			all.Go(n.napper.upstream.Wake)
		}
		all.Go(func() { told(t, n.client, n.upstream, "x\n") })
		all.Go(func() { told(t, n.upstream, n.client, "y\n") })
		all.Wait() // two stretches at once would be a race
	}
	p.quiet()
}

func TestWakeBeforeParking(t *testing.T) {
	for _, name := range []string{"client", "upstream"} {
		t.Run(name, func(t *testing.T) {
			p := newParkServer(t, 5*time.Millisecond, func(n *napper) {
				if name == "client" {
					n.client.Wake()
				} else {
					n.upstream.Wake()
				}
			})
			n := p.dial()
			<-n.woken
			<-n.woken
			p.waitParked(1) // but once only
			time.Sleep(50 * time.Millisecond)
			if got := n.stretches.Load(); got != 2 {
				t.Errorf("%d stretches, want 2", got)
			}
		})
	}
}

func TestUntil(t *testing.T) {
	p := newParkServer(t, time.Millisecond, func(n *napper) {
		n.until = func() time.Time { return time.Now().Add(100 * time.Millisecond) }
	})
	n := p.dial()
	for range 2 {
		<-n.woken
		p.waitParked(1)
		start := time.Now()
		eventually(t, "it is resumed", func() bool { return len(n.woken) > 0 })
		if d := time.Since(start); d < 80*time.Millisecond || d > 3*time.Second {
			t.Errorf("it took %v", d)
		}
	}
	p.quiet()
}

// A session that is parked is no different in a drain: quiet ones say goodbye at
// once, busy ones are waited for, and cut in the end.
func TestDrainOfParkedSessions(t *testing.T) {
	p := newParkServer(t, 5*time.Millisecond, nil)
	idle, quits, stays := p.dial(), p.dial(), p.dial()
	quits.napper.client.SetBusy(true)
	stays.napper.client.SetBusy(true)
	p.waitParked(3)
	took := drain(p.Server, time.Second)
	wantRest(t, idle.client, "BYE\n")
	told(t, quits.client, quits.upstream, "still served\n")
	_ = quits.client.Close()
	eventually(t, "one is left", func() bool { return p.Sessions() == 1 })
	if d := <-took; d < time.Second {
		t.Errorf("Shutdown took %v", d)
	}
	if n := p.Sessions(); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
	if got := p.log.String(); !strings.Contains(got, `"cut":1`) {
		t.Errorf("the log is %s", got)
	}
}

// A number that was closed belongs to somebody else, whom nothing of the old
// owner may wake.
func TestNumbersAreUsedAgain(t *testing.T) {
	p := newParkServer(t, 5*time.Millisecond, nil)
	var others []*nap
	for range 50 {
		old := p.dial()
		p.waitParked(len(others) + 1)
		_, _ = io.WriteString(old.client, "x") // one of two is reported, the other one stays armed
		_ = old.client.Close()
		_ = old.upstream.Close()
		eventually(t, "the session is gone", func() bool { return p.Sessions() == len(others) })
		others = append(others, p.dial())
		p.waitParked(len(others))
	}
	for _, n := range others {
		if got := n.stretches.Load(); got != 1 {
			t.Errorf("a session that nobody spoke to had %d stretches", got)
		}
		told(t, n.upstream, n.client, "x\n")
	}
	p.quiet()
}

// A panic ends the session and nothing else.
func TestPanicWhenResumed(t *testing.T) {
	upstreams := make(chan *proxy.Conn, 1)
	log, text := testLog()
	s, addr := tcpServer(t, proxy.ServerOptions{Log: log, Slots: proxy.NewSlots(1), Handler: handlerFunc(
		func(context.Context, *proxy.Conn) error {
			_, upstream := tcpPair(t)
			upstreams <- upstream
			return &proxy.Parked{Upstream: upstream, Resume: func(context.Context) error { panic("a bug") }}
		})})
	for i := range 2 { // the slot is free again
		nc := dialTCP(t, addr)
		_, _ = io.WriteString(nc, "x")
		_, _ = io.ReadAll(nc)
		eventually(t, "it is counted", func() bool { return s.Panics() == uint64(i+1) })
		if _, err := (<-upstreams).Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("the upstream was left open: %v", err)
		}
	}
	if !strings.Contains(text.String(), "a bug") {
		t.Errorf("the log is %s", text)
	}
}

// A session that parks although it was told to go would be resumed for ever.
func TestParkingInsteadOfLeaving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipeListener()
		var stretches atomic.Int32
		var park func(context.Context) error
		park = func(context.Context) error {
			stretches.Add(1)
			return &proxy.Parked{Resume: park}
		}
		log, text := testLog()
		s := serve(t, proxy.ServerOptions{Listener: l, Log: log, Handler: handlerFunc(
			func(ctx context.Context, _ *proxy.Conn) error { return park(ctx) })})
		l.dial(t)
		synctest.Wait()
		if d := <-drain(s, time.Minute); d != 0 {
			t.Errorf("Shutdown took %v", d)
		}
		if n := stretches.Load(); n != 2 || !strings.Contains(text.String(), "parked although") {
			t.Errorf("%d stretches, the log is %s", n, text)
		}
	})
}

// Connections in memory cannot be waited for: the session looks every second, and
// is woken as any other.
func TestParkingWithoutSockets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipeListener()
		stretches := make(chan time.Time, 10)
		conns := make(chan *proxy.Conn, 1)
		var park func(context.Context) error
		park = func(ctx context.Context) error {
			stretches <- time.Now()
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return &proxy.Parked{Resume: park}
		}
		log, text := testLog()
		s := serve(t, proxy.ServerOptions{Listener: l, Log: log, Handler: handlerFunc(
			func(ctx context.Context, c *proxy.Conn) error {
				if proxy.CanPark(c) {
					t.Error("a pipe can be parked")
				}
				conns <- c
				return park(ctx)
			})})
		l.dial(t)
		c := <-conns
		first := <-stretches
		if d := (<-stretches).Sub(first); d != time.Second {
			t.Errorf("it was resumed after %v", d)
		}
		start := time.Now()
		synctest.Wait()
		c.Wake()
		if d := (<-stretches).Sub(start); d != 0 {
			t.Errorf("it was woken after %v", d)
		}
		if d := <-drain(s, time.Minute); d != 0 {
			t.Errorf("Shutdown took %v", d)
		}
		if n := strings.Count(text.String(), "cannot wait"); n != 1 {
			t.Errorf("the log says %d times why: %s", n, text)
		}
	})
}

// What lies in the buffers of TLS cannot be waited for, whoever parks too early.
func TestParkingWithSomethingInTLS(t *testing.T) {
	log, text := testLog()
	got := make(chan string, 1)
	_, addr := tcpServer(t, proxy.ServerOptions{
		Log: log, TLS: serverConfig(t), Implicit: true,
		Handler: handlerFunc(func(_ context.Context, c *proxy.Conn) error {
			if _, err := io.ReadFull(c, make([]byte, 1)); err != nil { // and no more
				return err
			}
			return &proxy.Parked{Resume: func(context.Context) error {
				rest := make([]byte, 4)
				_, err := io.ReadFull(c, rest)
				got <- string(rest)
				return err
			}}
		})})
	tc := tls.Client(dialTCP(t, addr), clientConfig(t))
	_, _ = io.WriteString(tc, "hello")
	select {
	case rest := <-got:
		if rest != "ello" {
			t.Errorf("the rest is %q", rest)
		}
	case <-time.After(10 * time.Second):
		t.Error("the rest was left lying")
	}
	if !strings.Contains(text.String(), "neither paused nor timed out") {
		t.Errorf("the log is %s", text)
	}
}

func TestCanPark(t *testing.T) {
	client, c := tcpPair(t)
	secured(t, client, c)
	if !proxy.CanPark(c) || !proxy.CanPark() {
		t.Error("a socket cannot be parked")
	}
	_, pipe := net.Pipe()
	if proxy.CanPark(c, proxy.NewConn(pipe, proxy.Upstream)) {
		t.Error("a pipe can be parked")
	}
	_ = pipe.Close()
}
