package proxy_test

import (
	"context"
	"crypto/tls"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mailguard/proxy"
)

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
