package servers

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// index is what mbexamine prints of a folder with three messages of which one
// is expunged and one marked.
const index = `Examining user/x@example.com... Mailbox Header Info:
  Path to mailbox: /var/spool/cyrus/uuid/j/k/jkh3
  Number of Messages: 2  Mailbox Size: 80 bytes  Annotations Size: 0 bytes
 Message Info:
000001> UID:00000001   INT_DATE:1795526144 SIZE:40
      > INTERNALFLAGS: FLAG_INTERNAL_EXPUNGED      > SYSTEMFLAGS: FLAG_DELETED
000002> UID:00000002   INT_DATE:1795526144 SIZE:40
      > INTERNALFLAGS:      > SYSTEMFLAGS: FLAG_DELETED FLAG_SEEN
000003> UID:00000010   INT_DATE:1795526144 SIZE:40
      > INTERNALFLAGS:      > SYSTEMFLAGS: FLAG_SEEN
`

func TestParseIndex(t *testing.T) {
	folder, messages, err := parseIndex(index)
	want := []Message{{UID: 2, Deleted: true}, {UID: 10}}
	if err != nil || folder != "/var/spool/cyrus/uuid/j/k/jkh3" || !reflect.DeepEqual(messages, want) {
		t.Errorf("%s, %v, %v", folder, messages, err)
	}
	for name, listing := range map[string]string{
		"nothing":           "",
		"no folder":         strings.Replace(index, "Path to mailbox", "Path", 1),
		"another count":     strings.Replace(index, "Messages: 2", "Messages: 3", 1),
		"a flag line short": strings.Replace(index, "> INTERNALFLAGS:      > SYSTEMFLAGS: FLAG_SEEN\n", "\n", 1),
		"a UID too large":   strings.Replace(index, "UID:00000010", "UID:4294967296", 1),
	} {
		if _, messages, err := parseIndex(listing); err == nil {
			t.Errorf("%s: %v, and no error", name, messages)
		}
	}
}

func TestListMaildir(t *testing.T) {
	maildir := t.TempDir()
	for name, text := range map[string]string{
		"cur/2.b:2,FT":      "",
		"cur/1.a:2,S":       "",
		"new/3.c":           "",
		"courierimapuiddb":  "1 795526201 9\n4 1.a\n7 2.b:2,S\n",
		"courierimapkeys/x": "",
	} {
		path := filepath.Join(maildir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	messages, err := listMaildir(maildir)
	want := []Message{
		{4, filepath.Join(maildir, "cur/1.a:2,S"), false},
		{7, filepath.Join(maildir, "cur/2.b:2,FT"), true},
		{0, filepath.Join(maildir, "new/3.c"), false},
	}
	if err != nil || !reflect.DeepEqual(messages, want) {
		t.Errorf("%v, %v", messages, err)
	}
	if err := os.WriteFile(filepath.Join(maildir, "courierimapuiddb"), []byte("1 2 3\nx 1.a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if messages, err := listMaildir(maildir); err == nil {
		t.Errorf("a list of UIDs that is none: %v, and no error", messages)
	}
}
