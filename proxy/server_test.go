package proxy_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"mailguard/proxy"
)

func TestServerImplicitTLS(t *testing.T) {
	_, addr := tcpServer(t, proxy.ServerOptions{
		Handler: handlerFunc(echo), TLS: serverConfig(t), Implicit: true, HandshakeTimeout: 5 * time.Second,
	})
	tc := tls.Client(dialTCP(t, addr), clientConfig(t))
	_, _ = io.WriteString(tc, "hello\r\n")
	if line, err := bufio.NewReader(tc).ReadString('\n'); line != "hello\r\n" {
		t.Fatalf("got %q, %v", line, err)
	}
}

func TestMaxConnsHolds(t *testing.T) {
	const limit = 3
	var running, most atomic.Int32
	count := handlerFunc(func(ctx context.Context, c *proxy.Conn) error {
		n := running.Add(1)
		defer running.Add(-1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		return echo(ctx, c)
	})
	s, addr := tcpServer(t, proxy.ServerOptions{Handler: count, Slots: proxy.NewSlots(limit)})
	var clients []net.Conn
	for range 4 * limit {
		clients = append(clients, dialTCP(t, addr))
	}
	eventually(t, "the server is full", func() bool { return running.Load() == limit })
	time.Sleep(20 * time.Millisecond) // room for one too many
	if n := s.Sessions(); n != limit {
		t.Errorf("%d sessions, want %d", n, limit)
	}
	for _, nc := range clients { // each gets its turn once one before it has left
		_, _ = io.WriteString(nc, "hello\r\n")
		if line, err := bufio.NewReader(nc).ReadString('\n'); line != "hello\r\n" {
			t.Fatalf("got %q, %v", line, err)
		}
		_ = nc.Close()
	}
	eventually(t, "all have left", func() bool { return s.Sessions() == 0 })
	if n := most.Load(); n != limit {
		t.Errorf("%d sessions at once, want %d", n, limit)
	}
}

// exhausted fails as a listener does when there are no file descriptors.
type exhausted struct {
	*pipeListener
	calls atomic.Int32
	fails int32
}

func (l *exhausted) Accept() (net.Conn, error) {
	if l.calls.Add(1) <= l.fails {
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return l.pipeListener.Accept()
}

func TestAcceptBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &exhausted{pipeListener: newPipeListener(), fails: 1 << 30}
		log, text := testLog()
		serve(t, proxy.ServerOptions{Listener: l, Handler: handlerFunc(echo), Slots: proxy.NewSlots(1), Log: log})
		time.Sleep(time.Minute)
		// 5 ms, doubled until a second: 8 pauses make 1.3 s, then one each second.
		if n := l.calls.Load(); n < 60 || n > 70 {
			t.Errorf("%d attempts in a minute", n)
		}
		if !strings.Contains(text.String(), "too many open files") {
			t.Errorf("the log does not say why: %s", text)
		}
	})
}

func TestAcceptRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &exhausted{pipeListener: newPipeListener(), fails: 5}
		serve(t, proxy.ServerOptions{Listener: l, Handler: handlerFunc(echo), Slots: proxy.NewSlots(1)})
		wantEcho(t, l.dial(t))
	})
}

// Stopping does not wait for the pause to end.
func TestShutdownWhileBackingOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &exhausted{pipeListener: newPipeListener(), fails: 1 << 30}
		s := proxy.NewServer(proxy.ServerOptions{Listener: l, Handler: handlerFunc(echo)})
		var start time.Time
		time.AfterFunc(10500*time.Millisecond, func() { start = time.Now(); _ = s.Close() })
		if err := s.Serve(); err != nil {
			t.Errorf("Serve: %v", err)
		}
		wantElapsed(t, start, 0)
	})
}

func TestServeEndsWithItsListener(t *testing.T) {
	l := newPipeListener()
	_ = l.Close()
	s := proxy.NewServer(proxy.ServerOptions{Listener: l, Handler: handlerFunc(echo)})
	if err := s.Serve(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve: %v", err)
	}
}

// A bug in one session ends that session only.
func TestPanicHurtsOnlyItsSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		buggy := handlerFunc(func(ctx context.Context, c *proxy.Conn) error {
			line, err := c.Reader().Peek(4)
			if err == nil && string(line) == "BUG\n" {
				panic(fmt.Errorf("a bug"))
			}
			return echo(ctx, c)
		})
		l := newPipeListener()
		log, text := testLog()
		s := serve(t, proxy.ServerOptions{Listener: l, Handler: buggy, Slots: proxy.NewSlots(2), Log: log})
		other, victim := l.dial(t), l.dial(t)
		_, _ = io.WriteString(victim, "BUG\n")
		if got, err := io.ReadAll(victim); len(got) > 0 || err != nil {
			t.Errorf("the session with the bug got %q, %v", got, err)
		}
		synctest.Wait()
		if s.Panics() != 1 || s.Sessions() != 1 {
			t.Errorf("%d panics, %d sessions left; want 1 and 1", s.Panics(), s.Sessions())
		}
		for _, want := range []string{"a bug", "server_test.go"} {
			if !strings.Contains(text.String(), want) {
				t.Errorf("the log lacks %q: %s", want, text)
			}
		}
		wantEcho(t, other)
		wantEcho(t, l.dial(t)) // the slot is free again
	})
}

func TestSlowHandshakeIsCut(t *testing.T) {
	for name, attack := range map[string]func(nc net.Conn){
		"silent": func(net.Conn) {},
		"a byte at a time": func(nc net.Conn) {
			for _, b := range []byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03") {
				time.Sleep(2 * time.Second)
				if _, err := nc.Write([]byte{b}); err != nil {
					return
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newPipeListener()
				serve(t, proxy.ServerOptions{
					Listener: l, Handler: handlerFunc(echo),
					TLS: serverConfig(t), Implicit: true, HandshakeTimeout: 10 * time.Second,
				})
				nc := l.dial(t)
				start := time.Now()
				done := make(chan struct{})
				go func() { defer close(done); attack(nc) }()
				_, _ = io.ReadAll(nc)
				wantElapsed(t, start, 10*time.Second)
				<-done
			})
		})
	}
}

// What is no TLS at all does not reach the handler.
func TestPlainTextOnImplicitTLS(t *testing.T) {
	log, text := testLog()
	s, addr := tcpServer(t, proxy.ServerOptions{
		TLS: serverConfig(t), Implicit: true, Log: log,
		Handler: handlerFunc(func(context.Context, *proxy.Conn) error { t.Error("the handler was called"); return nil }),
	})
	nc := dialTCP(t, addr)
	_, _ = io.WriteString(nc, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	_, _ = io.ReadAll(nc)
	eventually(t, "the session ends", func() bool { return s.Sessions() == 0 })
	eventually(t, "it is logged", func() bool { return strings.Contains(text.String(), "handshake") })
}

func TestErrorsAreLoggedByWeight(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"nothing":    {nil, ""},
		"disconnect": {&proxy.Error{Side: proxy.Client, Op: proxy.OpRead, Err: io.EOF}, `"level":"debug"`},
		"other":      {errors.New("the ledger is full"), `"level":"warn"`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newPipeListener()
				log, text := testLog()
				serve(t, proxy.ServerOptions{Listener: l, Log: log, Handler: handlerFunc(
					func(context.Context, *proxy.Conn) error { return test.err })})
				_, _ = io.ReadAll(l.dial(t))
				synctest.Wait()
				if got := text.String(); (test.want == "") != (got == "") || !strings.Contains(got, test.want) {
					t.Errorf("the log is %q, want %q", got, test.want)
				}
			})
		})
	}
}

// wantEcho talks to an echo session.
func wantEcho(t *testing.T, nc net.Conn) {
	t.Helper()
	_, _ = io.WriteString(nc, "hello\n")
	if line, err := bufio.NewReader(nc).ReadString('\n'); line != "hello\n" {
		t.Errorf("got %q, %v", line, err)
	}
}
