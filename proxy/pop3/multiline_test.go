package pop3

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"mailguard/message"
)

// endings is where each response ends; the rest must not be taken for a part
// of it.
var endings = []struct{ what, response, rest string }{
	{"empty", ".\r\n", "+OK next"},
	{"one line", "a\r\n.\r\n", "+OK"},
	{"stuffed dot", "..\r\n.\r\n", ""},
	{"stuffed dots", "...\r\n..a\r\n.\r\n", "x"},
	{"dot within a line", "a.\r\nb.c\r\n. \r\n.\r\n", ""},
	{"bare LF before a dot", "a\n.\r\nb\r\n.\r\n", "+OK"},
	{"dot and bare LF", "a\r\n.\nb\r\n.\r\n", ""},
	{"dot and bare CR", "a\r\n.\rb\r\n.\r\n", ""},
	{"CR CR LF", "a\r\r\n.\r\n", "b"},
	{"dot CR CR LF", ".\r\r\n.\r\n", ""},
	{"base64", strings.Repeat(strings.Repeat("A", 76)+"\r\n", 50) + ".\r\n", ""},
	{"bare CRs", "\r\r\r\n.\r\n", ""},
}

func TestTerminatorAtEverySplit(t *testing.T) {
	for _, c := range endings {
		t.Run(c.what, func(t *testing.T) {
			all := c.response + c.rest
			for i := range len(all) + 1 {
				for _, j := range []int{i, i + 1, i + 2, len(all)} {
					checkSplit(t, c.response, all, i, min(j, len(all)))
				}
			}
		})
	}
}

func checkSplit(t *testing.T, response, all string, i, j int) {
	t.Helper()
	var end terminator
	got := 0
	for _, piece := range []string{all[:i], all[i:j], all[j:]} {
		n, done := end.scan([]byte(piece))
		got += n
		if done {
			if got != len(response) {
				t.Fatalf("split at %d and %d: response ends at %d, want %d", i, j, got, len(response))
			}
			return
		}
		if n != len(piece) {
			t.Fatalf("split at %d and %d: took %d of %q without an end", i, j, n, piece)
		}
	}
	t.Fatalf("split at %d and %d: no end found", i, j)
}

// The fast search agrees with the plainest one.
func FuzzTerminator(f *testing.F) {
	for _, c := range endings {
		f.Add([]byte(c.response+c.rest), 3)
	}
	f.Fuzz(func(t *testing.T, in []byte, step int) {
		want := -1
		if bytes.HasPrefix(in, []byte(".\r\n")) {
			want = 3
		} else if i := bytes.Index(in, []byte("\r\n.\r\n")); i >= 0 {
			want = i + 5
		}
		step = max(1, step%64)
		var end terminator
		for at := 0; at < len(in); at += step {
			piece := in[at:min(at+step, len(in))]
			if n, done := end.scan(piece); done {
				if at+n != want {
					t.Fatalf("%q: ends at %d, want %d", in, at+n, want)
				}
				return
			}
		}
		if want >= 0 {
			t.Fatalf("%q: no end found, want %d", in, want)
		}
	})
}

// observe runs an observer over a stored message as RETR sends it.
func observe(stored string, count bool, step int) *observer {
	sent := strings.ReplaceAll("\r\n"+stored, "\r\n.", "\r\n..")[2:] + ".\r\n"
	o := newObserver(count)
	for len(sent) > 0 {
		n := min(step, len(sent))
		o.write([]byte(sent[:n]))
		sent = sent[n:]
	}
	return o
}

func TestObserverTakesTheFingerprintOfWhatIsStored(t *testing.T) {
	for what, stored := range map[string]string{
		"header and body":   "Subject: x\r\nFrom: y\r\n\r\nbody\r\n.dots\r\n",
		"dot in the header": "Subject: x\r\n.odd: y\r\n\r\nbody\r\n",
		"header only":       "Subject: x\r\n",
		"no body":           "Subject: x\r\n\r\n",
	} {
		h := message.NewHasher()
		_, _ = h.Write([]byte(stored))
		want, _ := h.Sum()
		for _, step := range []int{1, 2, 3, 7, 1000} {
			got := observe(stored, false, step).fingerprint()
			if got == nil || *got != want {
				t.Errorf("%s in steps of %d: got %v, want %v", what, step, got, want)
			}
		}
	}
}

func TestObserverCountsBodyLines(t *testing.T) {
	for body, want := range map[string]int{
		"": 0, "a\r\n": 1, "a\r\nb\r\n": 2, ".\r\n..\r\n": 2, "\r\n\r\n\r\n": 3, strings.Repeat("x\r\n", 1000): 1000,
	} {
		for _, step := range []int{1, 5, 4096} {
			if got := observe("Subject: x\r\nTo: y\r\n\r\n"+body, true, step).bodyLines(); got != want {
				t.Errorf("%q in steps of %d: %d lines, want %d", body, step, got, want)
			}
		}
	}
	if got := observe("Subject: only a header\r\n", true, 3).bodyLines(); got != 0 {
		t.Errorf("header only: %d lines", got)
	}
}

func BenchmarkTerminator(b *testing.B) {
	for name, line := range map[string]string{"base64": strings.Repeat("A", 76), "text": "Some words. And more, with dots."} {
		b.Run(name, func(b *testing.B) {
			piece := []byte(strings.Repeat(line+"\r\n", 400))
			b.SetBytes(int64(len(piece)))
			b.ReportAllocs()
			var end terminator
			for b.Loop() {
				end.scan(piece)
			}
		})
	}
}

func ExampleCommand_String() {
	fmt.Println(Command{Verb: "TOP", Number: 3, Lines: 0})
	// Output: TOP 3 0
}
