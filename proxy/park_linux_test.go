package proxy_test

import (
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"mailguard/proxy"
)

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

func TestUntil(t *testing.T) {
	untils := make(chan time.Time, 100)
	p := newParkServer(t, time.Millisecond, func(n *napper) {
		n.until = func() time.Time {
			until := time.Now().Add(100 * time.Millisecond)
			untils <- until
			return until
		}
	})
	n := p.dial()
	<-n.woken
	for range 2 {
		until := <-untils
		<-n.woken
		if d := time.Since(until); d < 0 || d > 5*time.Second {
			t.Errorf("it was resumed %v after its time", d)
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
