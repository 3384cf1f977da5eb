package pop3

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"runtime"
	"strings"
	"testing"
)

// wire is a message as RETR sends it.
func wire(text []byte) []byte {
	text = bytes.ReplaceAll(append([]byte("\r\n"), text...), []byte("\r\n."), []byte("\r\n.."))
	return append(text[2:], ".\r\n"...)
}

// copyTo reads so many octets of an answer.
func (c *client) copyTo(h hash.Hash, octets int) {
	c.tb.Helper()
	if _, err := io.CopyN(h, c.r, int64(octets)); err != nil {
		c.tb.Fatalf("in the midst of a message: %v", err)
	}
}

// What a large message takes does not grow with it.
func TestLargeMessage(t *testing.T) {
	const size = 16 << 20
	w := newWorld(t, func(s *setup) { s.noTap = true })
	box := w.box("pair@example.com")
	line := ".A line that begins with a dot, and is so long that dots do not lie at the same places.\r\n"
	text := []byte("Subject: large\r\n\r\n" + strings.Repeat(line, size/len(line)))
	w.upstream.Deliver(box, text)
	sent := wire(text)
	want, length := sha256.Sum256(sent), len(sent)
	text, sent = nil, nil
	c := w.open(box, "alice")
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	got := sha256.New()
	c.say("RETR 1", "+OK*")
	c.copyTo(got, length)
	if [32]byte(got.Sum(nil)) != want {
		t.Error("the message was changed")
	}
	runtime.ReadMemStats(&after)
	c.quit()
	if took := after.TotalAlloc - before.TotalAlloc; took > size/10 {
		t.Errorf("%d MB were allocated for a message of %d MB", took>>20, size>>20)
	}
	if f := w.find(box, "u1").Fetches; len(f) != 1 {
		t.Errorf("fetched: %+v", f)
	}
}

func TestManyMessages(t *testing.T) {
	const count = 1_000
	w := newWorld(t, func(s *setup) { s.noTap = true })
	box := w.box("pair@example.com")
	want := sha256.New()
	var size int
	for n := range count {
		text := fmt.Appendf(nil, "Subject: %d\r\n\r\n.%d\r\n", n, n)
		w.upstream.Deliver(box, text)
		want.Write(wire(text))
		size += len(text)
	}
	c := w.open(box, "alice")
	c.say("STAT", fmt.Sprintf("+OK %d %d", count, size))
	got := sha256.New()
	const packet = 100
	for first := 1; first <= count; first += packet {
		var commands strings.Builder
		for n := first; n < first+packet; n++ {
			fmt.Fprintf(&commands, "RETR %d\r\n", n)
		}
		c.send(commands.String())
		for n := first; n < first+packet; n++ {
			c.get("RETR", "+OK*")
			c.copyTo(got, len(wire(fmt.Appendf(nil, "Subject: %d\r\n\r\n.%d\r\n", n-1, n-1))))
		}
	}
	if !bytes.Equal(got.Sum(nil), want.Sum(nil)) {
		t.Error("messages were changed")
	}
	const deleted = 5
	for n := 1; n <= deleted; n++ {
		c.say(fmt.Sprintf("DELE %d", 2*n), "+OK*")
	}
	c.quit()
	c = w.open(box, "alice")
	if got := c.ask("STAT"); !fits(got, fmt.Sprintf("+OK %d *", count-deleted)) {
		t.Errorf("STAT: %s, want %d messages", got, count-deleted)
	}
	c.say("UIDL 5", "+OK 5 u9")
	c.say("UIDL 6", "+OK 6 u11")
	c.quit()
}

// Dots at the beginnings of lines survive wherever a chunk ends.
func TestDotsAtEveryBoundary(t *testing.T) {
	w := newWorld(t, func(s *setup) { s.noTap = true })
	for _, name := range []string{"pair@example.com", "own@example.com"} {
		box := w.box(name)
		var texts [][]byte
		for shift := range 8 {
			text := []byte("Subject: dots\r\n\r\n" + strings.Repeat("x", shift) + "\r\n" + strings.Repeat(".\r\n..\r\n.a\r\n", 10_000))
			texts = append(texts, text)
			w.upstream.Deliver(box, text)
		}
		c := w.open(box, "alice")
		for i, text := range texts {
			got, want := sha256.New(), wire(text)
			c.say(fmt.Sprintf("RETR %d", i+1), "+OK*")
			c.copyTo(got, len(want))
			if [32]byte(got.Sum(nil)) != sha256.Sum256(want) {
				t.Errorf("message %d was changed", i+1)
			}
			c.say("NOOP", "+OK*")
		}
		c.quit()
	}
}
