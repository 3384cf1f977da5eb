package imap

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mailguard/demo/upstream"
	"mailguard/proxy"
)

// A session that waits for its upstream ends when it is told to.
func TestShutdownDoesNotWaitForTheUpstream(t *testing.T) {
	w := newWorld(t)
	box := w.box("allow@example.com", 100)
	c := w.enter(t, box, "alice")
	entered, held := make(chan struct{}), make(chan struct{})
	defer close(held)
	w.on(box, func(command string) upstream.Action {
		if command == "NOOP" {
			close(entered)
			<-held
		}
		return upstream.Action{}
	})
	c.send("x NOOP\r\n")
	<-entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	started := time.Now()
	if err := w.proxy.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if took := time.Since(started); took > 3*time.Second {
		t.Errorf("it took %v", took)
	}
}

// A drain says goodbye to who does nothing, and lets a deletion end first.
func TestDrain(t *testing.T) {
	w := newWorld(t)
	box := w.box("allow@example.com", 100, 200)
	quiet, busy := w.enter(t, box, "bob"), w.enter(t, box, "alice")
	busy.ok(`STORE 1 +FLAGS.SILENT (\Deleted)`)
	entered, held := make(chan struct{}), make(chan struct{})
	var first atomic.Bool
	w.on(box, func(command string) upstream.Action {
		if strings.HasPrefix(command, "UID STORE") && first.CompareAndSwap(false, true) {
			close(entered)
			<-held
		}
		return upstream.Action{}
	})
	tag := busy.begin("EXPUNGE")
	<-entered
	done := make(chan error)
	go func() { done <- w.proxy.Shutdown(t.Context()) }()
	if got := quiet.goodbye(); !strings.Contains(got, "shutting down") {
		t.Errorf("%q", got)
	}
	close(held)
	if _, answer := busy.wait(tag); !strings.HasPrefix(answer, "OK") {
		t.Errorf("EXPUNGE: %q", answer)
	}
	busy.goodbye()
	if err := <-done; err != nil {
		t.Error(err)
	}
	w.gone(t, box, 2, 1)
}

// A client that is lost leaves nothing behind, wherever it was.
func TestClientIsLost(t *testing.T) {
	w := newWorld(t)
	box := w.box("allow@example.com", 100, 200)
	for _, last := range []string{
		"", "x", "x NOOP", "x NOOP\r", "x EXPUNGE", "x FETCH 1 BODY[]\r\n", "x IDLE\r\n", "x APPEND INBOX {100+}\r\nabc", "x APPEND INBOX {100}\r\n", "x SELECT {5}\r\nIN",
		"x UID EXPUNGE 1", "x CLOSE\n", "x IDLE\r\nx EXPUNGE",
	} {
		c := w.enter(t, box, "alice")
		c.ok(`STORE 1 +FLAGS.SILENT (\Deleted)`)
		c.send(last)
		c.drop()
		w.settle()
		w.gone(t, box, 2)
		if n := len(w.upstream.Messages(box, inbox)); n != 2 {
			t.Errorf("behind %q: %d messages", last, n)
		}
	}
}

// A server that cannot be reached at all.
func TestUnreachable(t *testing.T) {
	w := newWorld(t, func(s *setup) { s.server.Dialer = proxy.Dialer{Address: "127.0.0.1:1", Mode: proxy.TLSNone} })
	c := w.dial(t)
	c.say(`LOGIN allow@example.com "x"`, "NO [UNAVAILABLE]*")
	c.say(`LOGIN allow@example.com "x"`, "NO [UNAVAILABLE]*")
	c.logout()
}
