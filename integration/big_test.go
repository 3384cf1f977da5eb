package integration

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"mailguard/demo/upstream"
)

// sent is a message as RETR sends it, its terminator included.
func sent(stored []byte) []byte {
	text := bytes.ReplaceAll(append([]byte("\r\n"), stored...), []byte("\r\n."), []byte("\r\n.."))
	return append(text[2:], ".\r\n"...)
}

// bigMessage has lines of all kinds in it, many of which begin with dots.
func bigMessage(size int) []byte {
	var b bytes.Buffer
	b.WriteString("Subject: big\r\nFrom: customer@example.net\r\n\r\n")
	for i := 0; b.Len() < size; i++ {
		b.WriteString(strings.Repeat(".", i%5) + strings.Repeat("x", i%77) + "\r\n")
	}
	return b.Bytes()
}

// hashed fetches a message and returns the hash of its octets on the wire.
func (s *session) hashed(n, size int) ([32]byte, error) {
	if _, err := s.command(fmt.Sprintf("RETR %d", n)); err != nil {
		return [32]byte{}, err
	}
	h := sha256.New()
	_, err := io.CopyN(h, s.r, int64(size))
	return [32]byte(h.Sum(nil)), err
}

// resident is the peak of the guard's resident memory, in kB.
func (g *guard) peak() int {
	g.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.process.Process.Pid))
	if err != nil {
		g.t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		var kb int
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kb); err == nil {
			return kb
		}
	}
	g.t.Fatal("no VmHWM")
	return 0
}

// A 50 MB message comes through octet for octet, and the guard does not hold
// it: its memory does not depend on a message's size.
func TestBigMessage(t *testing.T) {
	u := upstream.New()
	u.AddUser(mailbox, password)
	small, big := bigMessage(100_000), bigMessage(50<<20)
	u.Deliver(mailbox, small)
	u.Deliver(mailbox, big)
	g := startGuard(t, serveUpstream(t, u), options{})
	s := g.must(mailbox + "#alice")
	fetch := func(n int, stored []byte) {
		want := sent(stored)
		if got, err := s.hashed(n, len(want)); err != nil || got != sha256.Sum256(want) {
			t.Errorf("message %d is not what is stored: %v", n, err)
		}
	}
	fetch(1, small)
	before := g.peak()
	fetch(2, big)
	fetch(2, big)
	const margin = 16 << 10 // kB: the collector's leeway, far below 50 MB
	if after := g.peak(); after-before > margin {
		t.Errorf("memory grew from %d kB to %d kB with a message of %d kB", before, after, len(big)>>10)
	}
	if _, err := s.command("QUIT"); err != nil {
		t.Error(err)
	}
}

// A maildrop of 20,000 messages: listed, fetched octet for octet, deleted,
// hidden from the one who did it, and still there for the others.
func TestTwentyThousandMessages(t *testing.T) {
	const count = 20_000
	u := upstream.New()
	u.AddUser(mailbox, password)
	stored := make([][]byte, count)
	for i := range stored {
		stored[i] = fmt.Appendf(nil, "Subject: %d\r\nMessage-ID: <%d@example.net>\r\n\r\n.%d\r\n%s\r\n", i, i, i, strings.Repeat("y", i%300))
		u.Deliver(mailbox, stored[i])
	}
	g := startGuard(t, serveUpstream(t, u), options{})
	s := g.must(mailbox + "#alice")
	_ = s.conn.SetDeadline(deadline(t))
	if ids, err := s.uniqueIDs(); err != nil || len(ids) != count {
		t.Fatalf("UIDL lists %d, %v", len(ids), err)
	}
	for i, m := range stored {
		want := sent(m)
		if got, err := s.hashed(i+1, len(want)); err != nil || got != sha256.Sum256(want) {
			t.Fatalf("message %d is not what is stored: %v", i+1, err)
		}
	}
	for i := range count / 10 {
		if _, err := s.command(fmt.Sprintf("DELE %d", 10*i+1)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.command("QUIT"); err != nil {
		t.Fatal(err)
	}
	for who, want := range map[string]int{"alice": count - count/10, "bob": count} {
		if ids, err := g.must(mailbox + "#" + who).uniqueIDs(); err != nil || len(ids) != want {
			t.Errorf("%s sees %d messages, %v; want %d", who, len(ids), err, want)
		}
	}
	if n := len(u.UniqueIDs(mailbox)); n != count {
		t.Errorf("%d messages are left upstream", n)
	}
}
