package imap

import (
	"crypto/tls"
	"runtime"
	"strings"
	"testing"
	"time"

	"mailguard/proxy/proxytest"
)

// quick has sessions parked soon.
func quick(s *setup) { s.limits.Quiet = 30 * time.Millisecond }

// ofSessions counts the goroutines that run sessions of the guard.
func ofSessions() int {
	stacks := make([]byte, 4<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	return strings.Count(string(stacks), "imap.(*Handler).ServeConn(") + strings.Count(string(stacks), "imap.(*session).pump(") +
		strings.Count(string(stacks), "imap.(*session).resume(")
}

// A session that does nothing, in IDLE or not, takes no goroutine, and goes on
// as soon as somebody says something.
func TestParked(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("sessions are parked on Linux only")
	}
	for name, change := range map[string]func(*setup){"in clear": func(*setup) {}, "TLS": func(s *setup) { s.implicit = true }} {
		t.Run(name, func(t *testing.T) { parked(t, newWorld(t, quick, change), name == "TLS") })
	}
}

// enterTLS is enter on a listener that speaks TLS.
func (w *world) enterTLS(t *testing.T, box, who string) *client {
	t.Helper()
	_, pool := proxytest.Cert(t)
	conn, err := tls.Dial("tcp", w.address, &tls.Config{RootCAs: pool, ServerName: "localhost", MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	c := greeted(t, conn)
	c.ok("LOGIN " + named(box, who) + ` "` + password + `"`)
	c.ok("SELECT INBOX")
	return c
}

func parked(t *testing.T, w *world, secure bool) {
	box := w.box("allow@example.com", 100, 200, 300)
	enter := func(who string) *client {
		if secure {
			return w.enterTLS(t, box, who)
		}
		return w.enter(t, box, who)
	}
	quiet, idling, bob, out := enter("alice"), enter("alice"), enter("bob"), enter("alice")
	out.ok("UNSELECT")
	tag := idling.idle()
	w.settle()
	if n := ofSessions(); n > 0 {
		t.Errorf("%d goroutines of sessions that are parked", n)
	}
	for range 3 { // by the client
		bob.shows(`1 (), 2 (), 3 ()`)
		out.ok("NOOP")
		w.settle()
	}
	w.upstream.Deliver(box, mail(4, 400)) // by the upstream
	idling.sees("* 4 EXISTS")
	w.settle()
	quiet.ok(`STORE 2 +FLAGS.SILENT (\Deleted)`) // by another session's news
	idling.sees(`* 2 FETCH (UID 2 FLAGS (\Deleted))`)
	w.settle()
	quiet.say("EXPUNGE", "OK*")
	for idling.response() != "* 2 EXPUNGE" { // the upstream may tell that it was marked before
	}
	w.settle()
	idling.done(tag)
	tag = idling.idle()
	w.settle()
	idling.send("DON")
	idling.send("E\r\n")
	if _, answer := idling.wait(tag); !strings.HasPrefix(answer, "OK ") {
		t.Errorf("IDLE: %q", answer)
	}
	w.settle()
	w.gone(t, box, 4, 2)
	idling.idle()
	w.settle()
	quiet.drop() // by a connection that is lost
	done := make(chan error)
	go func() { done <- w.proxy.Shutdown(t.Context()) }() // by a drain
	for _, c := range []*client{idling, bob, out} {
		if got := c.goodbye(); !strings.Contains(got, "shutting down") {
			t.Errorf("%q", got)
		}
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// An upstream that is lost while a session is parked.
func TestParkedAndUpstreamIsLost(t *testing.T) {
	w := newWorld(t, quick)
	box := w.box("allow@example.com", 100)
	quiet, idling := w.enter(t, box, "alice"), w.enter(t, box, "bob")
	idling.idle()
	w.settle()
	if err := w.upstream.Close(); err != nil {
		t.Fatal(err)
	}
	quiet.goodbye()
	idling.goodbye()
}

// Who says nothing for too long is sent away, but not out of an IDLE.
func TestAutologout(t *testing.T) {
	for name, quiet := range map[string]time.Duration{"parked": 30 * time.Millisecond, "not parked": 200 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(s *setup) { s.limits.Quiet, s.limits.Idle = quiet, time.Second })
			box := w.box("allow@example.com", 100)
			c, idling := w.enter(t, box, "alice"), w.enter(t, box, "alice")
			tag := idling.idle()
			c.ok(`STORE 1 +FLAGS.SILENT (\Deleted)`)
			if got := c.goodbye(); !strings.Contains(got, "Autologout") {
				t.Errorf("%q", got)
			}
			idling.sees(`* 1 FETCH (UID 1 FLAGS (\Deleted))`)
			idling.done(tag)
			w.gone(t, box, 1)
		})
	}
}

// Half a command is waited for as long as a command may take, and no longer.
func TestHalfACommand(t *testing.T) {
	w := newWorld(t, quick, func(s *setup) { s.limits.Command = 300 * time.Millisecond })
	box := w.box("allow@example.com", 100)
	c := w.enter(t, box, "alice")
	c.begin("NOOP")
	c.wait("a3")
	for _, piece := range []string{"x FET", "CH 1 (FLA", "GS)\r", "\n"} {
		c.send(piece)
		time.Sleep(40 * time.Millisecond) // longer than a quiet session is waited for: there is no event
	}
	c.open["x"] = true
	if _, answer := c.wait("x"); !strings.HasPrefix(answer, "OK ") {
		t.Errorf("%q", answer)
	}
	started := time.Now()
	c.send("y EXPUN")
	c.remainder()
	if took := time.Since(started); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	w.gone(t, box, 1)
}
