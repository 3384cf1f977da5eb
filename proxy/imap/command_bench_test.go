package imap

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"mailguard/proxy"
)

// line is a connection whose peer says what it is given, and takes everything.
type line struct {
	net.Conn // nil: a benchmark does nothing else with it
	from     *stream
}

func (l line) RemoteAddr() net.Addr             { return nil }
func (l line) Read(p []byte) (int, error)       { return l.from.read(p) }
func (l line) Write(p []byte) (int, error)      { return len(p), nil }
func (l line) SetReadDeadline(time.Time) error  { return nil }
func (l line) SetWriteDeadline(time.Time) error { return nil }

// commanded is a session in which one command comes again and again, each of
// which the upstream answers.
type commanded struct {
	*pumped
	client stream
	tags   int
}

func newCommanded(command string, f *folder) *commanded {
	c := &commanded{pumped: newPumped("", f)}
	c.client.text = []byte(command)
	s := newSession(c.Options, proxy.NewConn(line{from: &c.client}, proxy.Client), "bench")
	s.state, s.folder, s.server = selected, f, c.server
	s.upstream = &Upstream{}
	s.server.conn = proxy.NewConn(line{from: &c.from}, proxy.Upstream)
	s.server.caps = capabilities{}
	s.server.source = c.from.read
	s.wake()
	c.session = s
	return c
}

// run plays one command and its answer.
func (c *commanded) run(tb testing.TB) {
	c.client.left += len(c.client.text)
	if err := c.next(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	c.tags++
	c.from.text, c.from.at = fmt.Appendf(c.from.text[:0], "g%d OK Completed (0.001 + 0.000 secs).\r\n", c.tags), 0
	c.pumped.run(tb, 1)
	if n, _ := c.flight.count(); n > 0 {
		tb.Fatal("the command is not answered")
	}
}

// BenchmarkCommand is what a command and its answer cost, without sockets.
func BenchmarkCommand(b *testing.B) {
	for _, command := range []string{"a NOOP", "a UID FETCH 1:* (FLAGS)", "a UID FETCH 17 (BODY.PEEK[])", "a UID SEARCH UNSEEN"} {
		b.Run(strings.ReplaceAll(command[2:], " ", "_"), func(b *testing.B) {
			c := newCommanded(command+"\r\n", guardedFolder())
			b.ReportAllocs()
			for b.Loop() {
				c.run(b)
			}
		})
	}
}

// TestCommandAllocates bounds what a command takes of the memory: one that
// takes more keeps the collector busy.
func TestCommandAllocates(t *testing.T) {
	for command, most := range map[string]float64{"a NOOP\r\n": 16, "a UID FETCH 17 (BODY.PEEK[])\r\n": 26} {
		c := newCommanded(command, guardedFolder())
		if n := testing.AllocsPerRun(100, func() { c.run(t) }); n > most {
			t.Errorf("%.0f allocations for %q, at most %.0f are expected", n, command, most)
		}
	}
}
