package imap

import (
	"bytes"
	"testing"
)

// What only the guard asked for is taken out of a FETCH response, wherever it
// stands in it, and nothing else with it.
func TestOnlyTheGuardsItemsAreTakenOut(t *testing.T) {
	for _, test := range []struct{ name, said, told string }{
		{"first", "* 1 FETCH (UID 7 FLAGS ())\r\n", "* 1 FETCH (FLAGS ())\r\n"},
		{"last", "* 1 FETCH (FLAGS () UID 7)\r\n", "* 1 FETCH (FLAGS ())\r\n"},
		{"in the middle", "* 1 FETCH (FLAGS () UID 7 RFC822.SIZE 5)\r\n", "* 1 FETCH (FLAGS () RFC822.SIZE 5)\r\n"},
		{"behind a literal", "* 1 FETCH (BODY[] {3}\r\nabc UID 7)\r\n", "* 1 FETCH (BODY[] {3}\r\nabc)\r\n"},
		{"between literals", "* 1 FETCH (BODY[1] {1}\r\na UID 7 BODY[2] {1}\r\nb)\r\n", "* 1 FETCH (BODY[1] {1}\r\na BODY[2] {1}\r\nb)\r\n"},
		{"two, first", "* 1 FETCH (UID 7 MODSEQ (9) FLAGS ())\r\n", "* 1 FETCH (FLAGS ())\r\n"},
		{"two, last", "* 1 FETCH (FLAGS () UID 7 MODSEQ (9))\r\n", "* 1 FETCH (FLAGS ())\r\n"},
		{"two, apart", "* 1 FETCH (UID 7 FLAGS () MODSEQ (9))\r\n", "* 1 FETCH (FLAGS ())\r\n"},
		{"nothing else", "* 1 FETCH (MODSEQ (9))\r\n* 2 EXISTS\r\n", "* 2 EXISTS\r\n"},
		{"nothing else, two", "* 1 FETCH (UID 7 MODSEQ (9))\r\n* 2 EXISTS\r\n", "* 2 EXISTS\r\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newPumped(test.said, guardedFolder())
			var told bytes.Buffer
			p.out.to = &told
			p.flight.calls = []*call{{tag: "a", addedUID: true}}
			p.run(t, 1)
			if told.String() != test.told {
				t.Errorf("the client was told %q, want %q", told.String(), test.told)
			}
		})
	}
}
