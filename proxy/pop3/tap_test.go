package pop3

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// tap stands between the guard and its upstream. It keeps what the guard
// sends, and misbehaves as its hooks say.
type tap struct {
	tb       testing.TB
	upstream string
	ended    chan struct{} // closed at the end of the test
	raw      bool          // what the guard sends need not be lines; set before the first connection
	running  sync.WaitGroup

	mu       sync.Mutex
	hooks    map[string]hook // by user; "" before the login
	commands []string        // all that was received, SASL answers left out
	conns    map[net.Conn]bool
}

// hook looks at a command before it goes upstream. "greeting" is asked for at
// the beginning of a connection.
type hook func(command string) action

// action is what a hook asks for. The zero value lets the command be.
type action struct {
	delay  time.Duration   // before all else
	hold   <-chan struct{} // the same, until it is closed
	reply  string          // answer this, and do not pass the command on
	logIn  string          // log this user in, whatever the command says
	behind string          // send this behind the answer, as it is
	close  closing
	octets int // how much of the answer closeDuring sends
}

type closing int

const (
	stayOpen    closing = iota
	closeBefore         // the command is not carried out
	closeDuring         // it is carried out, and the answer breaks off
)

// newTap starts a tap before an upstream and returns it with its address.
func newTap(tb testing.TB, upstream string) (*tap, string) {
	tb.Helper()
	t := &tap{tb: tb, upstream: upstream, ended: make(chan struct{}), hooks: make(map[string]hook), conns: make(map[net.Conn]bool)}
	l := listen(tb)
	t.running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			t.running.Go(func() { t.serve(conn) })
		}
	})
	tb.Cleanup(func() {
		close(t.ended)
		_ = l.Close()
		t.mu.Lock()
		for conn := range t.conns {
			_ = conn.Close()
		}
		t.mu.Unlock()
		t.running.Wait()
	})
	return t, l.Addr().String()
}

// hook sets what happens to a user's commands.
func (t *tap) hook(user string, h hook) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.hooks[user] = h
}

// forget empties the record of commands.
func (t *tap) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.commands = nil
}

func (t *tap) ask(user, command string) action {
	t.mu.Lock()
	h := t.hooks[user]
	t.mu.Unlock()
	if h == nil {
		return action{}
	}
	a := h(command)
	if a.delay > 0 || a.hold != nil {
		t.wait(a)
	}
	return a
}

func (t *tap) wait(a action) {
	var late <-chan time.Time
	if a.delay > 0 {
		timer := time.NewTimer(a.delay)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-late:
	case <-a.hold:
	case <-t.ended:
	}
}

func (t *tap) open(conn net.Conn) (closeIt func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.conns[conn] = true
	select {
	case <-t.ended:
		_ = conn.Close()
	default:
	}
	return func() {
		_ = conn.Close()
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.conns, conn)
	}
}

// tapped is one connection.
type tapped struct {
	*tap

	guard      net.Conn
	fromGuard  *bufio.Reader
	server     net.Conn
	fromServer *bufio.Reader
	user       string // logged in
	name       string // of USER
	sasl       bool   // the next line is no command
}

func (t *tap) serve(guard net.Conn) {
	defer t.open(guard)()
	server, err := net.Dial("tcp", t.upstream)
	if err != nil {
		return
	}
	defer t.open(server)()
	c := &tapped{tap: t, guard: guard, fromGuard: bufio.NewReader(guard), server: server, fromServer: bufio.NewReader(server)}
	greeting, err := c.fromServer.ReadString('\n')
	if a := t.ask("", "greeting"); a.reply != "" {
		greeting = a.reply + "\r\n"
	}
	for err == nil {
		if _, err = guard.Write([]byte(greeting)); err != nil {
			return
		}
		greeting = ""
		for err == nil {
			err = c.one()
		}
	}
}

// one passes one command on, as far as the hooks let it.
func (c *tapped) one() error {
	line, err := c.fromGuard.ReadString('\n')
	if err != nil {
		return err
	}
	command, ok := strings.CutSuffix(line, "\r\n")
	if c.raw && !ok {
		return net.ErrClosed
	}
	if !ok || strings.ContainsAny(command, "\r\n\x00") {
		c.tb.Errorf("the guard sent %q upstream", line)
	}
	if !c.sasl {
		c.mu.Lock()
		c.commands = append(c.commands, command)
		c.mu.Unlock()
	}
	a := c.ask(c.user, command)
	if a.close == closeBefore {
		return net.ErrClosed
	}
	answer, err := c.carryOut(command, a)
	if err != nil {
		return err
	}
	answer = append(answer, a.behind...)
	if a.close == closeDuring {
		_, _ = c.guard.Write(answer[:min(len(answer), a.octets)])
		return net.ErrClosed
	}
	_, err = c.guard.Write(answer)
	return err
}

func (c *tapped) carryOut(command string, a action) ([]byte, error) {
	c.sasl = false
	switch {
	case a.reply != "":
		c.sasl = strings.HasPrefix(a.reply, "+ ") || a.reply == "+"
		return []byte(a.reply + "\r\n"), nil
	case a.logIn != "":
		if _, err := c.pass("USER " + a.logIn); err != nil {
			return nil, err
		}
		c.name, command = a.logIn, "PASS "+password
	}
	return c.pass(command)
}

// pass sends a command upstream and returns the whole answer.
func (c *tapped) pass(command string) ([]byte, error) {
	if _, err := fmt.Fprintf(c.server, "%s\r\n", command); err != nil {
		return nil, err
	}
	answer, err := c.fromServer.ReadBytes('\n')
	c.sasl = bytes.HasPrefix(answer, []byte("+ "))
	if err != nil || !bytes.HasPrefix(answer, []byte("+OK")) {
		return answer, err
	}
	c.noteLogin(command)
	if verb, arguments, _ := strings.Cut(command, " "); !isMultiLine(verb, arguments) {
		return answer, nil
	}
	for {
		line, err := c.fromServer.ReadBytes('\n')
		answer = append(answer, line...)
		if err != nil || string(line) == ".\r\n" {
			return answer, err
		}
	}
}

func isMultiLine(verb, arguments string) bool {
	switch verb {
	case "CAPA", "RETR", "TOP":
		return true
	case "LIST", "UIDL":
		return arguments == ""
	default:
		return false
	}
}

// noteLogin remembers who logs in by a command that was answered +OK.
func (c *tapped) noteLogin(command string) {
	verb, arguments, _ := strings.Cut(command, " ")
	switch {
	case c.user != "":
	case verb == "USER":
		c.name = arguments
	case verb == "PASS":
		c.user = c.name
	default: // AUTH PLAIN's message is the last word
		message, err := base64.StdEncoding.DecodeString(command[strings.LastIndex(command, " ")+1:])
		if parts := strings.Split(string(message), "\x00"); err == nil && len(parts) == 3 {
			c.user = parts[1]
		}
	}
}
