package proxy_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mailguard/proxy"
)

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
