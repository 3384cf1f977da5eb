package message

import (
	"crypto/sha256"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// sum takes the fingerprint of a message that comes in pieces.
func sum(t interface{ Errorf(string, ...any) }, pieces ...string) (Fingerprint, bool) {
	h := NewHasher()
	for _, p := range pieces {
		if n, err := h.Write([]byte(p)); n != len(p) || err != nil {
			t.Errorf("Write(%d octets) = %d, %v", len(p), n, err)
		}
	}
	f, ok := h.Sum()
	if again, okAgain := h.Sum(); again != f || okAgain != ok {
		t.Errorf("Sum changes when it is asked again")
	}
	return f, ok
}

// fingerprintCases name what is hashed of a message; "-" stands for nothing.
var fingerprintCases = []struct {
	name    string
	message string
	hashed  string
}{
	{"header and body", "A: 1\r\nB: 2\r\n\r\nbody\r\n", "A: 1\r\nB: 2\r\n"},
	{"no body", "A: 1\r\n\r\n", "A: 1\r\n"},
	{"no empty line", "A: 1\r\n", "A: 1\r\n"},
	{"no line end", "A: 1\r\nB: 2", "A: 1\r\nB: 2\r\n"},
	{"folded line", "A: 1\r\n 2\r\n\r\nx", "A: 1\r\n 2\r\n"},
	{"LF only", "A: 1\nB: 2\n\nbody\n", "A: 1\nB: 2\n"},
	{"LF and CRLF", "A: 1\nB: 2\r\n\nbody", "A: 1\nB: 2\r\n"},
	{"a blank is not an empty line", "A: 1\r\n \r\nB: 2\r\n\r\n", "A: 1\r\n \r\nB: 2\r\n"},
	{"octets above 127 and NUL", "A: \xff\x00\r\n\r\n", "A: \xff\x00\r\n"},
	{"empty message", "", "-"},
	{"empty header", "\r\nbody\r\n", "-"},
	{"empty header, LF", "\nbody\n", "-"},
	{"longest line", strings.Repeat("x", maxHeaderLine-2) + "\r\n\r\n", strings.Repeat("x", maxHeaderLine-2) + "\r\n"},
	{"overlong line", strings.Repeat("x", maxHeaderLine-1) + "\r\n\r\n", "-"},
	{"overlong second line", "A: 1\r\n" + strings.Repeat("x", maxHeaderLine) + "\r\n\r\n", "-"},
	{"long body line", "A: 1\r\n\r\n" + strings.Repeat("x", 2*maxHeaderLine), "A: 1\r\n"},
}

func TestFingerprint(t *testing.T) {
	for _, test := range fingerprintCases {
		t.Run(test.name, func(t *testing.T) {
			f, ok := sum(t, test.message)
			if ok != (test.hashed != "-") {
				t.Fatalf("ok = %v", ok)
			}
			if ok && f != Fingerprint(sha256.Sum256([]byte(test.hashed))) {
				t.Errorf("%s is not the hash of %.60q", f, test.hashed)
			}
		})
	}
}

// Fingerprints lie in ledgers: they must never change.
func TestFingerprintVector(t *testing.T) {
	f, ok := sum(t, "Subject: hello\r\nFrom: a@example.com\r\n\r\nhi\r\n")
	const want = "670cac5af4a7540f2f663c5f620216f81d74712cd08fa62001d02af49c11578b"
	if !ok || f.String() != want {
		t.Errorf("%s, want %s", f, want)
	}
}

func TestFingerprintCutAnywhere(t *testing.T) {
	for _, test := range fingerprintCases {
		if len(test.message) > 100 {
			continue
		}
		want, wantOK := sum(t, test.message)
		for i := range len(test.message) + 1 {
			for j := i; j <= len(test.message); j++ {
				f, ok := sum(t, test.message[:i], test.message[i:j], test.message[j:])
				if f != want || ok != wantOK {
					t.Fatalf("%s: cut at %d and %d it differs", test.name, i, j)
				}
			}
		}
	}
}

func TestFingerprintOverlongLineInPieces(t *testing.T) {
	half := strings.Repeat("x", maxHeaderLine/2)
	if _, ok := sum(t, half, half, "\n\n"); ok {
		t.Error("an overlong line has a fingerprint if it comes in pieces")
	}
}

func TestComplete(t *testing.T) {
	h := NewHasher()
	for _, step := range []struct {
		octets string
		want   bool
	}{{"A: 1\r\n", false}, {"\r", false}, {"\n", true}, {"B: 2\r\n", true}} {
		_, _ = h.Write([]byte(step.octets))
		if h.Complete() != step.want {
			t.Errorf("after %q: Complete() = %v", step.octets, h.Complete())
		}
	}
	if f, _ := h.Sum(); f != Fingerprint(sha256.Sum256([]byte("A: 1\r\n"))) {
		t.Error("what stands behind the header is part of the fingerprint")
	}
}

// The fingerprint does not depend on how the message is cut into pieces.
func TestFingerprintPieces(t *testing.T) {
	octets := rapid.SampledFrom([]string{"A: 1", "\r\n", "\n", "\r", " folded", "x", "\x00", "\xff"})
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(octets, 0, 30).Draw(t, "message"), "")
		want, wantOK := sum(t, text)
		var pieces []string
		for rest := text; rest != ""; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "piece")
			pieces, rest = append(pieces, rest[:n]), rest[n:]
		}
		if f, ok := sum(t, pieces...); f != want || ok != wantOK {
			t.Fatalf("%q differs from the whole", pieces)
		}
	})
}

// A header is read from whoever sends mail: whatever it is, a Hasher holds no
// more than one line of it, and hashes nothing behind the first empty line.
func FuzzHasher(f *testing.F) {
	for _, test := range fingerprintCases {
		f.Add([]byte(test.message), 7)
	}
	f.Fuzz(func(t *testing.T, text []byte, cut int) {
		whole, ok := sum(t, string(text))
		cut = max(0, min(cut, len(text)))
		if f, okCut := sum(t, string(text[:cut]), string(text[cut:])); f != whole || okCut != ok {
			t.Error("it depends on the pieces")
		}
		h := NewHasher()
		for i := range text {
			_, _ = h.Write(text[i : i+1])
			if len(h.line) > maxHeaderLine {
				t.Fatal("it holds more than one line")
			}
		}
		if !h.Complete() {
			return
		}
		if f, okMore := sum(t, string(text), "B: 2\r\n"); f != whole || okMore != ok {
			t.Error("what stands behind the header counts")
		}
	})
}

func BenchmarkHasher(b *testing.B) {
	message := []byte(strings.Repeat("Received: from somewhere by somewhere else; a date\r\n", 40) + "\r\n" + strings.Repeat("body\r\n", 10_000))
	b.SetBytes(int64(len(message)))
	for b.Loop() {
		h := NewHasher()
		_, _ = h.Write(message)
		if _, ok := h.Sum(); !ok {
			b.Fatal("no fingerprint")
		}
	}
}
