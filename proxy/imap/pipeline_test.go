package imap

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"mailguard/proxy"
	"mailguard/proxy/proxytest"
)

// pipe connects a client to the handler without any buffer in between.
func (w *world) pipe(t *testing.T) *client {
	t.Helper()
	near, far := proxytest.Pipe(t)
	ended := make(chan struct{})
	conn := proxy.NewConn(far, proxy.Client)
	go func() {
		defer close(ended)
		if err := w.handler.ServeConn(context.WithoutCancel(t.Context()), conn); err != nil {
			t.Errorf("the session: %v", err)
		}
		_ = conn.Close()
	}()
	t.Cleanup(func() {
		_ = near.Close()
		<-ended
	})
	return greeted(t, near)
}

// Commands that are sent without waiting are answered each, in order where one
// depends on the other.
func TestPipelining(t *testing.T) {
	w := newWorld(t)
	box := w.box("mixed@example.com", 100, 200, 300, 100)
	c := w.pipe(t)
	c.ok("LOGIN " + box + `#alice "` + password + `"`)
	commands := []string{
		"SELECT INBOX", "FETCH 1:* FLAGS", `STORE 1:* +FLAGS.SILENT (\Deleted)`, "UID FETCH 1:* FLAGS", "SEARCH DELETED", "NOOP", "EXPUNGE",
		"SEARCH ALL", "FETCH 1:* (UID)", "STATUS INBOX (MESSAGES)", "UNSELECT", "SELECT INBOX", "FETCH 1:* BODY[]", "CLOSE", "NOOP",
	}
	go func() {
		for i, command := range commands {
			if _, err := fmt.Fprintf(c.conn, "p%d %s\r\n", i, command); err != nil {
				t.Error(err)
			}
		}
	}()
	for i := range commands {
		c.open[fmt.Sprintf("p%d", i)] = true
	}
	answers := make(map[string]string)
	for i, command := range commands {
		var others []string
		if others, answers[command] = c.wait(fmt.Sprintf("p%d", i)); command == "SEARCH DELETED" && !strings.Contains(strings.Join(others, "\n"), "* SEARCH 1 3 4") {
			t.Errorf("%s: %q", command, others)
		}
	}
	for command, answer := range answers {
		if want := strings.HasPrefix(command, "STORE"); strings.HasPrefix(answer, "NO [NOPERM]") != want || !want && !strings.HasPrefix(answer, "OK ") {
			t.Errorf("%s: %q", command, answer)
		}
	}
	w.gone(t, box, 4, 1, 4)
}

// A client that sends megabytes while it is sent megabytes: neither side waits
// for the other for ever, though nothing lies between them.
func TestBothWaysAtOnce(t *testing.T) {
	w := newWorld(t)
	const size = 12 << 20
	box := w.box("allow@example.com", size)
	appended := strings.Repeat("0123456789abcdef0123456789abcd\r\n", size/32)
	for round := range 3 {
		c := w.pipe(t)
		c.ok("LOGIN " + box + `#alice "` + password + `"`)
		c.ok("SELECT INBOX")
		sent := make(chan error, 1)
		go func() {
			_, err := io.WriteString(c.conn, "f FETCH 1 BODY[]\r\ng FETCH 1 BODY.PEEK[]\r\na APPEND INBOX "+lit(appended)+"\r\nn NOOP\r\n")
			sent <- err
		}()
		for _, tag := range []string{"f", "g", "a", "n"} {
			c.open[tag] = true
		}
		for _, tag := range []string{"f", "g", "a", "n"} {
			if _, answer := c.wait(tag); !strings.HasPrefix(answer, "OK ") {
				t.Fatalf("%s: %q", tag, answer)
			}
		}
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
		messages := w.upstream.Messages(box, inbox)
		if got := messages[len(messages)-1].Text; len(messages) != 2+round || string(got) != appended {
			t.Fatalf("round %d: %d messages, the last has %d octets", round, len(messages), len(got))
		}
		c.logout()
	}
}

// More commands than the guard keeps in flight.
func TestManyCommandsAtOnce(t *testing.T) {
	w := newWorld(t)
	box := w.box("allow@example.com", 100)
	c := w.pipe(t)
	c.ok("LOGIN " + box + `#alice "` + password + `"`)
	c.ok("SELECT INBOX")
	const n = 5 * maxInFlight
	go func() {
		for i := range n {
			_, _ = fmt.Fprintf(c.conn, "m%d FETCH 1 (FLAGS UID)\r\n", i)
		}
	}()
	for i := range n {
		c.open[fmt.Sprintf("m%d", i)] = true
	}
	for i := range n {
		if others, answer := c.wait(fmt.Sprintf("m%d", i)); !strings.HasPrefix(answer, "OK ") || len(others) != 1 {
			t.Fatalf("%d: %q, %q", i, others, answer)
		}
	}
}
