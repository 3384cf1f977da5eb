package clients

import (
	"os"
	"path/filepath"
	"testing"
)

// What differs from copy to copy is left out of a comparison, and nothing else.
func TestTracesAreLeftOut(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"folded field", "Received: from here\n\tby there\nSubject: one\n\nText.\n", "Subject: one\n\nText.\n"},
		{"line ends", "X-TUID: abc\r\nSubject: one\r\n\r\nText.\r\n", "Subject: one\n\nText.\n"},
		{"folded behind another field", "Date: now\nSubject: one\n two\n\nText.\n", "Subject: one\n two\n\nText.\n"},
		{"body", "Subject: one\n\nReceived: text\nDate: text\n", "Subject: one\n\nReceived: text\nDate: text\n"},
	} {
		if got := string(withoutTraces([]byte(c.text))); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestFlagsAreReadAndAdded(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "INBOX")
	if err := addFile(dir, "new", []byte("Subject: one\n\nText.\n")); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct{ add, want string }{{"S", "S"}, {"FS", "FS"}, {"T", "FST"}} {
		m, err := find(dir, "one")
		if err != nil {
			t.Fatal(err)
		}
		if err := addFlags(m, step.add); err != nil {
			t.Fatal(err)
		}
		if m, err = find(dir, "one"); err != nil || m.Flags != step.want {
			t.Errorf("with %s: flags %q, %v; want %q", step.add, m.Flags, err, step.want)
		}
	}
	if left, err := os.ReadDir(filepath.Join(dir, "new")); err != nil || len(left) != 0 {
		t.Errorf("in new: %v, %v", left, err)
	}
	if _, err := find(dir, "two"); err == nil {
		t.Error("a message was found that is not there")
	}
}
