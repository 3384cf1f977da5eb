package message

import (
	"testing"

	"pgregory.net/rapid"
)

func TestWhatTheFingerprintRestsOn(t *testing.T) {
	const header = "Subject: hello\r\nFrom: a@example.com\r\n"
	original, _ := sum(t, header+"\r\nbody\r\n")
	for _, c := range []struct {
		name    string
		message string
		same    bool
	}{
		{"another body", header + "\r\nother\r\n", true},
		{"no body", header + "\r\n", true},
		{"a body that looks like a header", header + "\r\nSubject: other\r\n\r\n", true},
		{"no empty line", header, true},
		{"no line end", header[:len(header)-2], true},
		{"an empty line of LF", header + "\nbody\n", true},
		{"another value", "Subject: Hello\r\nFrom: a@example.com\r\n\r\nbody\r\n", false},
		{"another order", "From: a@example.com\r\nSubject: hello\r\n\r\nbody\r\n", false},
		{"a header line more", "X: 1\r\n" + header + "\r\nbody\r\n", false},
		{"a header line less", "Subject: hello\r\n\r\nbody\r\n", false},
		{"LF line ends", "Subject: hello\nFrom: a@example.com\n\nbody\n", false},
		{"folded", "Subject:\r\n hello\r\nFrom: a@example.com\r\n\r\nbody\r\n", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, ok := sum(t, c.message)
			if !ok || (f == original) != c.same {
				t.Errorf("%s, %t; the original has %s", f, ok, original)
			}
		})
	}
}

func TestFingerprintOfHeaderAlone(t *testing.T) {
	line := rapid.StringMatching(`[A-Z][a-z]{0,8}: [ -~]{0,40}\r\n`)
	rapid.Check(t, func(t *rapid.T) {
		header := line.Draw(t, "first") + line.Draw(t, "second")
		want, ok := sum(t, header)
		body := rapid.String().Draw(t, "body")
		if f, okBody := sum(t, header+"\r\n"+body); !ok || !okBody || f != want {
			t.Fatal("the body matters")
		}
		if f, _ := sum(t, line.Draw(t, "more")+header+"\r\n"+body); f == want {
			t.Fatal("a header line more does not matter")
		}
	})
}
