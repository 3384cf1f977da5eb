package proxy

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"
)

// parkedConn is a connection whose stay in w ends with a value in the channel.
func parkedConn(t *testing.T, w *poller) (peer net.Conn, c *Conn, park func() <-chan struct{}) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if peer, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	nc, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c = NewConn(nc, Client)
	t.Cleanup(func() { _, _ = peer.Close(), c.Close() })
	return peer, c, func() <-chan struct{} {
		resumed := make(chan struct{})
		p := &parking{poller: w, client: c, resume: func() { close(resumed) }}
		p.begin(func(err error) { t.Errorf("it cannot be parked: %v", err) })
		return resumed
	}
}

func wantResumed(t *testing.T, resumed <-chan struct{}) {
	t.Helper()
	select {
	case <-resumed:
	case <-time.After(10 * time.Second):
		t.Fatal("the session was never resumed")
	}
}

// A poller that fails takes nobody with it, and is started again.
func TestPollerFails(t *testing.T) {
	var w poller
	defer w.close()
	peer, _, park := parkedConn(t, &w)
	for range 3 {
		resumed := park()
		w.mu.Lock()
		set, done := w.set, w.done
		w.mu.Unlock()
		set.close() // as if the system had
		wantResumed(t, resumed)
		<-done
	}
	resumed := park()
	_, _ = peer.Write([]byte("x"))
	wantResumed(t, resumed)
	if n := w.len(); n != 0 {
		t.Errorf("%d are left", n)
	}
}

// Every stay has a token of its own: what an earlier one was armed with wakes
// nobody.
func TestTokensAreNotUsedAgain(t *testing.T) {
	var w poller
	defer w.close()
	_, c, park := parkedConn(t, &w)
	first := park()
	c.Wake()
	wantResumed(t, first)
	second := park()
	w.end(1)
	select {
	case <-second:
		t.Error("the token of the first stay ended the second one")
	default:
	}
	w.end(2)
	wantResumed(t, second)
}

// What is readable before it is armed is reported, and once.
func TestReadableBefore(t *testing.T) {
	var w poller
	defer w.close()
	peer, _, park := parkedConn(t, &w)
	_, _ = peer.Write([]byte("x")) // never read
	for range 100 {
		wantResumed(t, park())
	}
}

// Nobody waits in a poller that was closed, before or after.
func TestPollerClosed(t *testing.T) {
	var w poller
	_, c, park := parkedConn(t, &w)
	resumed := park()
	w.close()
	wantResumed(t, resumed)
	w.close()
	late := &parking{poller: &w, client: c, resume: func() {}}
	var complaint error
	late.begin(func(err error) { complaint = err })
	if !errors.Is(complaint, os.ErrClosed) {
		t.Errorf("the complaint is %v", complaint)
	}
	late.end()
}

// A socket is reported once each time that it is armed, under the last token,
// however long it stays readable; the poller would run in circles otherwise.
func TestReportedOnce(t *testing.T) {
	set, err := newEpoll()
	if err != nil {
		t.Fatal(err)
	}
	defer set.close()
	peer, c, _ := parkedConn(t, new(poller))
	_, _ = peer.Write([]byte("x"))
	for token := uint64(1) << 40; token < 1<<40+3; token++ { // both halves of it matter
		if err := errors.Join(set.arm(c.sock.Conn, token-1), set.arm(c.sock.Conn, token)); err != nil {
			t.Fatal(err)
		}
		if got, err := set.wait(time.Now().Add(10 * time.Second)); err != nil || len(got) != 1 || got[0] != token {
			t.Errorf("reported are %v, %v; want %d", got, err, token)
		}
		if got, err := set.wait(time.Now().Add(20 * time.Millisecond)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("reported again are %v, %v", got, err)
		}
	}
	_ = c.Close()
	if err := set.arm(c.sock.Conn, 1); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a closed connection was armed: %v", err)
	}
}
