package proxy_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
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
	t    *testing.T
	addr string
	log  *logBuffer
	next chan *nap
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
