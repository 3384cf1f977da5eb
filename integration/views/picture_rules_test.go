package views

import (
	"slices"
	"strings"
	"testing"
)

// Each row is what a client hears, parted by "|". With wrong set the last of it
// makes no sense.
func TestPicture(t *testing.T) {
	for name, c := range map[string]struct {
		hears string
		wrong string
		uids  []uint32
	}{
		"arrival":                {"2 EXISTS|1 FETCH (UID 7)|3 EXISTS", "", []uint32{7, 0, 0}},
		"shrinks":                {"2 EXISTS|1 EXISTS", "1 EXISTS after 2", nil},
		"expunge moves numbers":  {"3 EXISTS|3 FETCH (UID 9 FLAGS ())|1 EXPUNGE|2 FETCH (UID 9)", "", []uint32{0, 9}},
		"expunge of nothing":     {"1 EXISTS|2 EXPUNGE", "2 EXPUNGE of 1", nil},
		"expunge of zero":        {"1 EXISTS|0 EXPUNGE", "0 EXPUNGE of 1", nil},
		"fetch of nothing":       {"1 EXISTS|2 FETCH (FLAGS ())", "2 FETCH of 1", nil},
		"another UID":            {"1 EXISTS|1 FETCH (UID 7)|1 FETCH (FLAGS () UID 8)", "and had 7", nil},
		"UIDs do not ascend":     {"2 EXISTS|2 FETCH (UID 7)|1 FETCH (UID 8)", "message 2 has 7", nil},
		"the same UID twice":     {"2 EXISTS|2 FETCH (UID 7)|1 FETCH (UID 7)", "message 2 has 7", nil},
		"comes back":             {"2 EXISTS|1 FETCH (UID 7)|1 EXPUNGE|1 FETCH (UID 7)", "EXPUNGE was told", nil},
		"UID in a text":          {"1 EXISTS|1 FETCH (BODY[TEXT] {12}\r\nXUID 5 XUID 6)", "", []uint32{0}},
		"anything else is heard": {"1 EXISTS|OK [UIDNEXT 9] so it is|STATUS x (MESSAGES 3)|SEARCH 1", "", []uint32{0}},
	} {
		t.Run(name, func(t *testing.T) {
			var p picture
			p.selecting()
			var err error
			for r := range strings.SplitSeq(c.hears, "|") {
				if err != nil {
					t.Fatalf("before %q: %v", r, err)
				}
				_, err = p.hear("* " + r)
			}
			if c.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), c.wrong) {
					t.Errorf("got %v, want %q", err, c.wrong)
				}
				return
			}
			if err != nil || !slices.Equal(p.uids, c.uids) {
				t.Errorf("got %v, %v; want %v", p.uids, err, c.uids)
			}
		})
	}
}
