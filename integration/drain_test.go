package integration

import (
	"io"
	"net"
	"syscall"
	"testing"
	"time"
)

// SIGTERM: nobody new is let in, who has not logged in is sent away, and who
// is in the middle of a session may finish it.
func TestDrain(t *testing.T) {
	d := startDovecot(t, nil)
	g := startGuard(t, d.POP3(), options{})
	deliver(t, d, mailbox, "one")
	busy := g.must(mailbox + "#alice")
	idle, err := g.dial("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	defer idle.conn.Close()
	stopped := make(chan error, 1)
	go func() { stopped <- g.stop() }()
	if _, err := idle.line(); err == nil {
		t.Error("a connection that has not logged in is still served")
	}
	if _, err := g.dial("127.0.0.1"); err == nil {
		t.Error("a new connection is served")
	}
	for _, command := range []string{"DELE 1", "QUIT"} {
		if _, err := busy.command(command); err != nil {
			t.Errorf("session in progress: %s: %v", command, err)
		}
	}
	if err := <-stopped; err != nil {
		t.Errorf("the server ended with %v", err)
	}
	g.start()
	s := g.must(mailbox + "#alice")
	if ids, err := s.uniqueIDs(); err != nil || len(ids) != 0 {
		t.Errorf("alice sees %v, %v; what she deleted while the server drained is to be hidden", ids, err)
	}
}

func TestDrainEnds(t *testing.T) {
	d := startDovecot(t, nil)
	g := startGuard(t, d.POP3(), options{extra: "limits: {drain_time: 1s}"})
	deliver(t, d, mailbox, "one")
	stuck := g.must(mailbox + "#alice")
	if _, err := stuck.command("DELE 1"); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	if err := g.stop(); err != nil {
		t.Errorf("the server ended with %v", err)
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
	if _, err := io.ReadAll(stuck.r); err == nil {
		t.Log("the session was ended in good order") // either is fine: it ended
	}
	g.start()
	s := g.must(mailbox + "#alice")
	if ids, err := s.uniqueIDs(); err != nil || len(ids) != 1 {
		t.Errorf("alice sees %v, %v; a session without QUIT deletes nothing", ids, err)
	}
}

// A second signal does not wait for anybody, and deletes nothing.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	d := startDovecot(t, nil)
	g := startGuard(t, d.POP3(), options{})
	deliver(t, d, mailbox, "one")
	s := g.must(mailbox + "#alice")
	if _, err := s.command("DELE 1"); err != nil {
		t.Fatal(err)
	}
	signal := func() {
		if err := g.process.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
	}
	begin := time.Now()
	signal()
	for range 200 { // draining has begun once nobody new is served
		c, err := net.Dial("tcp", g.pop3s)
		if err != nil {
			break
		}
		c.Close()
		time.Sleep(10 * time.Millisecond)
	}
	signal()
	if err := g.process.Wait(); err == nil {
		t.Error("a server that was cut short says that all is well")
	}
	g.process = nil
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
	g.start()
	if ids, err := g.must(mailbox + "#alice").uniqueIDs(); err != nil || len(ids) != 1 {
		t.Errorf("alice sees %v, %v", ids, err)
	}
}
