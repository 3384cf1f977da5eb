package proxy_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mailguard/proxy"
)

// loggedIn is an echo session that is busy from its first line on, stops being
// so at "IDLE" and ends at "QUIT". It says goodbye when it is interrupted.
func loggedIn(ctx context.Context, c *proxy.Conn) error {
	for {
		line, err := c.Reader().ReadSlice('\n')
		if errors.Is(err, proxy.ErrInterrupted) {
			line = []byte("BYE\n")
		} else if err != nil {
			return err
		}
		c.SetBusy(!bytes.Equal(line, []byte("IDLE\n")))
		_, _ = c.Writer().Write(line)
		if err := errors.Join(err, c.Flush()); err != nil || string(line) == "QUIT\n" {
			return err
		}
	}
}

// drain runs Shutdown with a limit and reports when it returned.
func drain(s *proxy.Server, limit time.Duration) <-chan time.Duration {
	took := make(chan time.Duration, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		start := time.Now()
		if err := s.Shutdown(ctx); err != nil {
			took <- -1
			return
		}
		took <- time.Since(start)
	}()
	return took
}

func TestShutdownClosesIdleSessionsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipeListener()
		s := serve(t, proxy.ServerOptions{Listener: l, Handler: handlerFunc(loggedIn)})
		never, was := l.dial(t), l.dial(t)
		wantLine(t, was, "LOGIN\n")
		wantLine(t, was, "IDLE\n")
		took := drain(s, time.Minute)
		for _, nc := range []net.Conn{never, was} {
			if got, _ := io.ReadAll(nc); string(got) != "BYE\n" {
				t.Errorf("the goodbye is %q", got)
			}
		}
		if d := <-took; d != 0 {
			t.Errorf("Shutdown took %v", d)
		}
	})
}

func TestShutdownWaitsForBusySessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipeListener()
		log, text := testLog()
		s := serve(t, proxy.ServerOptions{Listener: l, Handler: handlerFunc(loggedIn), Log: log})
		quits, idles := l.dial(t), l.dial(t)
		wantLine(t, quits, "LOGIN\n")
		wantLine(t, idles, "LOGIN\n")
		took := drain(s, time.Minute)
		time.Sleep(10 * time.Second)
		wantLine(t, quits, "NOOP\n") // still served
		wantLine(t, quits, "QUIT\n")
		time.Sleep(10 * time.Second)
		wantLine(t, idles, "IDLE\n") // no longer worth waiting for
		wantRest(t, idles, "BYE\n")
		if d := <-took; d != 20*time.Second {
			t.Errorf("Shutdown took %v", d)
		}
		if got := text.String(); !strings.Contains(got, `"busy":2`) || strings.Contains(got, "cut") {
			t.Errorf("the log is %s", got)
		}
	})
}

func TestShutdownCutsWhatIsLeft(t *testing.T) {
	for name, stuck := range map[string]handlerFunc{
		"busy and quiet": func(_ context.Context, c *proxy.Conn) error {
			c.SetBusy(true)
			_, err := c.Reader().ReadByte()
			return err
		},
		"writes to a client that does not read": func(_ context.Context, c *proxy.Conn) error {
			_, _ = c.Writer().WriteString("* OK\r\n")
			return c.Flush()
		},
		"waits for something else": func(ctx context.Context, c *proxy.Conn) error {
			c.SetBusy(true)
			<-ctx.Done()
			return ctx.Err()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newPipeListener()
				log, text := testLog()
				s := serve(t, proxy.ServerOptions{Listener: l, Handler: stuck, Log: log})
				l.dial(t)
				synctest.Wait()
				if d := <-drain(s, time.Minute); d != time.Minute {
					t.Errorf("Shutdown took %v", d)
				}
				if got := text.String(); !strings.Contains(got, `"cut":1`) {
					t.Errorf("the log is %s", got)
				}
				if n := s.Sessions(); n != 0 {
					t.Errorf("%d sessions are left", n)
				}
			})
		})
	}
}

// A session that ends neither with its socket nor with its context is a bug; the
// server stops all the same, and says so.
func TestShutdownGivesUpOnABug(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipeListener()
		release := make(chan struct{})
		s := serve(t, proxy.ServerOptions{Listener: l, Handler: handlerFunc(
			func(context.Context, *proxy.Conn) error { <-release; return nil })})
		l.dial(t)
		if d := <-drain(s, time.Minute); d != -1 {
			t.Errorf("Shutdown took %v and gave no error", d)
		}
		close(release)
	})
}

// A handshake in progress is no session worth waiting for.
func TestShutdownEndsHandshakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipeListener()
		s := serve(t, proxy.ServerOptions{Listener: l, Handler: handlerFunc(echo), TLS: serverConfig(t), Implicit: true})
		l.dial(t)
		synctest.Wait()
		if d := <-drain(s, time.Minute); d != 0 {
			t.Errorf("Shutdown took %v", d)
		}
	})
}

// The context of a session ends with the interrupt, so that one which waits for
// its upstream leaves, too.
func TestShutdownEndsTheContextOfIdleSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipeListener()
		s := serve(t, proxy.ServerOptions{Listener: l, Handler: handlerFunc(
			func(ctx context.Context, _ *proxy.Conn) error { <-ctx.Done(); return nil })})
		l.dial(t)
		if d := <-drain(s, time.Minute); d != 0 {
			t.Errorf("Shutdown took %v", d)
		}
	})
}

func TestShutdownBeforeServeAndTwice(t *testing.T) {
	s := proxy.NewServer(proxy.ServerOptions{Listener: newPipeListener(), Handler: handlerFunc(echo)})
	for range 2 {
		if err := s.Shutdown(t.Context()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	}
	if err := s.Serve(); err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// The same on real sockets, where nothing is in step.
func TestShutdownOnSockets(t *testing.T) {
	s, addr := tcpServer(t, proxy.ServerOptions{Handler: handlerFunc(loggedIn), Slots: proxy.NewSlots(20)})
	idle, busy := dialTCP(t, addr), dialTCP(t, addr)
	wantLine(t, busy, "LOGIN\n")
	eventually(t, "both are served", func() bool { return s.Sessions() == 2 })
	took := drain(s, 200*time.Millisecond)
	wantRest(t, idle, "BYE\n")
	if nc, err := net.Dial("tcp", addr); err == nil {
		_, err = io.ReadAll(nc)
		_ = nc.Close()
		t.Errorf("a new connection got in (%v)", err)
	}
	if d := <-took; d < 200*time.Millisecond {
		t.Errorf("Shutdown took %v", d)
	}
	if n := s.Sessions(); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
}

// wantLine sends a line and expects it back.
func wantLine(t *testing.T, nc net.Conn, line string) {
	t.Helper()
	_, _ = io.WriteString(nc, line)
	got := make([]byte, len(line))
	if _, err := io.ReadFull(nc, got); err != nil || string(got) != line {
		t.Errorf("got %q, %v; want %q", got, err, line)
	}
}

// wantRest expects the end of the connection and what comes before it.
func wantRest(t *testing.T, nc net.Conn, want string) {
	t.Helper()
	if got, err := io.ReadAll(nc); string(got) != want || err != nil {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}
