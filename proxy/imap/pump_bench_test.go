package imap

import (
	"bytes"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"mailguard/guard"
	"mailguard/proxy/imap/view"
	"mailguard/proxy/imap/wire"
)

// stream is an upstream that says the same again and again. After so many
// octets it ends.
type stream struct {
	text []byte
	at   int
	left int
}

func (u *stream) read(p []byte) (int, error) {
	if u.left <= 0 {
		return 0, io.EOF
	}
	n := 0
	for n < len(p) && u.left > 0 {
		c := copy(p[n:min(len(p), n+u.left)], u.text[u.at:])
		u.at = (u.at + c) % len(u.text)
		u.left -= c
		n += c
	}
	return n, nil
}

// countedOctets stands for the client: what it gets is only counted.
type countedOctets struct{ octets int }

func (c *countedOctets) Write(p []byte) (int, error) {
	c.octets += len(p)
	return len(p), nil
}

// pumped is a session that has nothing but its pump.
type pumped struct {
	*session
	from stream
	to   countedOctets
}

func newPumped(text string, f *folder) *pumped {
	p := &pumped{session: &session{Options: &Options{Now: time.Now}, state: selected, folder: f}}
	p.from.text = []byte(text)
	p.server = &server{source: p.from.read}
	p.server.framer = wire.NewFramer(p.server)
	p.server.borrow()
	p.out.to = &p.to
	return p
}

// run pumps the text so many times.
func (p *pumped) run(tb testing.TB, times int) {
	p.from.left = times * len(p.from.text)
	if err := p.pump(); err != io.EOF {
		tb.Fatal(err)
	}
	p.fetched.forget()
}

// The folders of the benchmarks: one that policy can never touch, one of a
// guarded mailbox, and one in which every third message is marked.
func relayedFolder() *folder { return &folder{} }

func guardedFolder() *folder { return &folder{stance: guard.Protect} }

func markedFolder() *folder {
	f := guardedFolder()
	for n := 1; n <= 1000; n += 3 {
		f.marks.Add(view.Place{Seq: view.UpstreamSeq(n), UID: imap.UID(n)})
	}
	return f
}

// told are responses as upstreams send them, each many times over with numbers
// that go up.
var told = []struct {
	name string
	text string
}{
	{"flags", numberedUp("* # FETCH (UID # FLAGS (\\Seen))\r\n")},
	{"deleted", numberedUp("* # FETCH (FLAGS (\\Seen \\Deleted $Label1) UID #)\r\n")},
	{"envelope", numberedUp("* # FETCH (UID # RFC822.SIZE 5120 INTERNALDATE \"24-Nov-2026 10:00:00 +0000\" ENVELOPE (" +
		"\"Tue, 24 Nov 2026 10:00:00 +0000\" \"A subject (of some length)\" ((\"Carla\" NIL \"carla\" \"example.com\")) NIL NIL NIL NIL NIL NIL \"<a@example.com>\"))\r\n")},
	{"literal", numberedUp("* # FETCH (UID # BODY[] {4096}\r\nSubject: a subject\r\n\r\n" + strings.Repeat("x", 4074) + ")\r\n")},
	{"header", numberedUp("* # FETCH (UID # BODY[HEADER.FIELDS (SUBJECT)] {20}\r\nSubject: a subject\r\n)\r\n")},
	{"search", "* SEARCH" + strings.Repeat(" 12345", 100) + "\r\n"},
	{"exists", "* 1000 EXISTS\r\n"},
	{"OK", "* OK Still here\r\n"},
}

// numberedUp repeats a response with "#" as a number, which goes up to a thousand.
func numberedUp(response string) string {
	var b strings.Builder
	for n := range 1000 {
		b.WriteString(strings.ReplaceAll(response, "#", strconv.Itoa(n+1)))
	}
	return b.String()
}

var folders = []struct {
	name string
	make func() *folder
}{{"relayed", relayedFolder}, {"guarded", guardedFolder}, {"marked", markedFolder}}

// BenchmarkPump is what a response costs the pump; ns/op and allocs/op are of
// one response.
func BenchmarkPump(b *testing.B) {
	for _, t := range told {
		for _, f := range folders {
			b.Run(t.name+"/"+f.name, func(b *testing.B) {
				responses := bytes.Count([]byte(t.text), []byte("* "))
				p := newPumped(t.text, f.make())
				b.SetBytes(int64(len(t.text) / responses))
				b.ReportAllocs()
				b.ResetTimer()
				p.run(b, 1+b.N/responses)
			})
		}
	}
}

// TestPumpAllocatesNothing: responses come by the ten thousand. Only the
// fingerprint of a message that is fetched whole takes memory.
func TestPumpAllocatesNothing(t *testing.T) {
	for _, r := range told {
		for _, f := range folders {
			t.Run(r.name+"/"+f.name, func(t *testing.T) {
				responses := bytes.Count([]byte(r.text), []byte("* "))
				times, allowed := 1+1000/responses, 0.1 // the pools, which lose some under the race detector
				if r.name == "literal" && f.name != "relayed" {
					allowed++ // the fingerprint
				}
				p := newPumped(r.text, f.make())
				p.run(t, times)
				if n := testing.AllocsPerRun(2, func() { p.run(t, times) }) / float64(times*responses); n > allowed {
					t.Errorf("%.2f allocations a response", n)
				}
			})
		}
	}
}
