package imapconn

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A failing test shows its transcript: enough to understand, not so much that
// nobody reads it.
const (
	maxShown      = 600     // octets of one line or literal
	maxTranscript = 1 << 16 // octets in all, the last ones
)

// transcript is what passed, for people.
type transcript struct{ text []byte }

func (t *transcript) sent(raw string)     { t.add("C: ", raw) }
func (t *transcript) received(raw string) { t.add("S: ", raw) }
func (t *transcript) note(what string)    { t.add("-- ", what) }

func (t *transcript) add(who, raw string) {
	for _, line := range strings.SplitAfter(abridge(raw), "\r\n") {
		if line != "" {
			t.text = fmt.Appendf(t.text, "%s%s\n", who, visible(line))
		}
	}
	if extra := len(t.text) - maxTranscript; extra > maxTranscript/2 {
		t.text = append([]byte("...\n"), t.text[extra:]...)
	}
}

// visible is a line without its end; where something in it does not print, all
// is quoted.
func visible(line string) string {
	line = strings.TrimSuffix(line, "\r\n")
	unprintable := func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }
	if strings.ContainsFunc(line, unprintable) {
		return fmt.Sprintf("%q", line)
	}
	return line
}

func abridge(raw string) string {
	if len(raw) <= maxShown {
		return raw
	}
	return fmt.Sprintf("%s ... %d octets ... %s", raw[:maxShown/2], len(raw)-maxShown, raw[len(raw)-maxShown/2:])
}

// last are the last lines.
func (t *transcript) last(lines int) string {
	at := len(t.text)
	for ; lines > 0 && at > 0; lines-- {
		at = bytes.LastIndexByte(t.text[:at-1], '\n') + 1
	}
	return string(t.text[at:])
}

func (t *transcript) String() string { return string(t.text) }
