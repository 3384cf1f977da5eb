package imap

import (
	"net"
	"slices"
	"strings"
	"testing"

	"mailguard/demo/upstream"
)

// theirs are capabilities that an upstream announces besides its own.
var theirs = []string{
	"CONDSTORE", "QRESYNC", "SEARCHRES", "IMAP4rev2", "COMPRESS=DEFLATE", "NOTIFY", "REPLACE", "CATENATE", "LITERAL-", "LOGIN-REFERRALS",
	"AUTH=SCRAM-SHA-1", "AUTH=GSSAPI", "THREAD=REFERENCES", "SORT", "X-SECRET", "APPENDLIMIT=1000",
}

var (
	never     = []string{"COMPRESS=DEFLATE", "NOTIFY", "REPLACE", "CATENATE", "LITERAL-", "LOGIN-REFERRALS", "AUTH=GSSAPI", "X-SECRET", "CONTEXT=SEARCH"}
	unguarded = []string{"CONDSTORE", "QRESYNC", "SEARCHRES", "IMAP4rev2"}
	later     = []string{"THREAD=REFERENCES", "SORT", "APPENDLIMIT=1000", "MOVE", "UIDPLUS", "UNSELECT", "NAMESPACE", "LITERAL+"}
)

// offers fails unless of these words exactly those that are wanted are there.
func offers(t *testing.T, where string, got []string, has, hasNot []string) {
	t.Helper()
	for _, word := range has {
		if !slices.Contains(got, word) {
			t.Errorf("%s: %s is missing in %q", where, word, got)
		}
	}
	for _, word := range hasNot {
		if slices.Contains(got, word) {
			t.Errorf("%s: %s is offered in %q", where, word, got)
		}
	}
	if sorted := slices.Sorted(slices.Values(got)); len(slices.Compact(sorted)) < len(got) {
		t.Errorf("%s: something is there twice: %q", where, got)
	}
}

// code are the words of a CAPABILITY code, or of the untagged response.
func code(t *testing.T, line string) []string {
	t.Helper()
	_, rest, ok := strings.Cut(line, "CAPABILITY ")
	if !ok {
		t.Fatalf("no capabilities in %q", line)
	}
	words, _, _ := strings.Cut(rest, "]")
	return strings.Fields(words)
}

// Capabilities are the same, and filtered, wherever they are told.
func TestCapabilitiesAreFilteredEverywhere(t *testing.T) {
	for _, test := range []struct {
		box         string
		has, hasNot []string
	}{
		{"allow@example.com", later, slices.Concat(never, unguarded)},
		{"own@example.com", slices.Concat(later, unguarded), never},
		{"watch@example.com", slices.Concat(later, unguarded), never},
	} {
		t.Run(test.box, func(t *testing.T) {
			w := newWorld(t, func(s *setup) { s.IMAP.Capabilities = theirs })
			box := w.box(test.box, 100)
			c := w.dial(t)
			before := slices.Concat(never, unguarded, []string{"SORT", "MOVE", "UIDPLUS"})
			offers(t, "before the login", c.capabilities(), []string{"IMAP4rev1", "AUTH=PLAIN", "SASL-IR", "LITERAL+", "STARTTLS", "ID"}, before)
			answer := c.answer("LOGIN " + box + " \"" + password + "\"")
			none := append(test.hasNot, "AUTH=PLAIN", "STARTTLS")
			offers(t, "LOGIN", code(t, answer), test.has, none)
			offers(t, "CAPABILITY", c.capabilities(), test.has, none)
			words := strings.Join(append(theirs, "MOVE", "UIDPLUS", "UNSELECT", "NAMESPACE"), " ")
			for _, line := range []string{"* CAPABILITY " + words, "* OK [CAPABILITY " + words + "] news", "* ok [capability " + words + "] news"} {
				w.on(box, once("NOOP", upstream.Action{Before: line}))
				offers(t, line, code(t, c.ok("NOOP")[0]), test.has, none)
			}
			w.on(box, once("NOOP", upstream.Action{Answer: "{tag} OK [CAPABILITY " + words + "] done"}))
			offers(t, "a tagged OK", code(t, c.answer("NOOP")), test.has, none)
			c = w.dial(t)
			answer = c.answer("AUTHENTICATE PLAIN " + b64("\x00"+box+"\x00"+password))
			offers(t, "AUTHENTICATE", code(t, answer), test.has, none)
		})
	}
}

func TestGreeting(t *testing.T) {
	w := newWorld(t, func(s *setup) { s.IMAP.Capabilities = theirs })
	c, err := net.Dial("tcp", w.address)
	if err != nil {
		t.Fatal(err)
	}
	offers(t, "greeting", code(t, newClient(t, c).response()), []string{"AUTH=SCRAM-SHA-1", "AUTH=XOAUTH2"}, slices.Concat(never, unguarded))
}

// An upstream that cannot be reached leaves the greeting to the guard.
func TestGreetingWithoutAnUpstream(t *testing.T) {
	w := newWorld(t)
	_ = w.upstream.Close()
	c := w.dial(t)
	offers(t, "greeting", c.capabilities(), []string{"IMAP4rev1", "AUTH=PLAIN", "LITERAL+"}, []string{"MOVE"})
	c.say(`LOGIN allow@example.com "x"`, "NO [UNAVAILABLE]*")
	c.ok("NOOP")
}

// ENABLE passes on what was offered, and tells what was enabled.
func TestEnable(t *testing.T) {
	for box, test := range map[string]struct{ sent, told string }{
		"allow@example.com": {"ENABLE UTF8=ACCEPT", "* ENABLED UTF8=ACCEPT"},
		"own@example.com":   {"ENABLE CONDSTORE QRESYNC UTF8=ACCEPT", "* ENABLED CONDSTORE QRESYNC UTF8=ACCEPT"},
	} {
		w := newWorld(t, func(s *setup) { s.IMAP.Capabilities = append(theirs, "UTF8=ACCEPT") })
		c := w.login(t, w.box(box, 100), "alice")
		w.on(box, once("ENABLE", upstream.Action{Before: "* ENABLED CONDSTORE QRESYNC UTF8=ACCEPT X-SECRET"}))
		c.say("ENABLE CONDSTORE QRESYNC UTF8=ACCEPT X-SECRET", "OK*", test.told)
		c.say("ENABLE X-SECRET", "OK*", "* ENABLED")
		if got := w.received("ENABLE"); len(got) != 1 || got[0] != test.sent {
			t.Errorf("the upstream received %q, want %q", got, test.sent)
		}
	}
}

// What the guard does itself is offered where the upstream lacks it.
func TestEmulatedCapabilities(t *testing.T) {
	for _, test := range []struct {
		box     string
		without []string
		has     []string
		hasNot  []string
	}{
		{"allow@example.com", []string{"MOVE", "UNSELECT", "LITERAL+"}, []string{"MOVE", "UNSELECT", "LITERAL+"}, nil},
		{"allow@example.com", []string{"MOVE", "UIDPLUS"}, []string{"MOVE"}, []string{"UIDPLUS"}},
		{"own@example.com", []string{"MOVE", "UNSELECT"}, []string{"LITERAL+"}, []string{"MOVE", "UNSELECT"}},
	} {
		w := newWorld(t, without1(test.without...))
		c := w.login(t, w.box(test.box, 100), "alice")
		offers(t, test.box, c.capabilities(), test.has, test.hasNot)
		for _, word := range test.hasNot {
			if word == "MOVE" {
				c.ok("SELECT INBOX")
				c.say("MOVE 1 x", "BAD Unknown command")
			}
		}
	}
}
