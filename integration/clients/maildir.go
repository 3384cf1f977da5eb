package clients

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Message is a message in a Maildir.
type Message struct {
	Path    string
	Subject string
	Flags   string // the letters behind ":2,", sorted
	Text    []byte // without the fields that say when and where it was copied
}

// String is the message without its file name.
func (m Message) String() string {
	return fmt.Sprintf("%s [%s] %x", m.Subject, m.Flags, sha256.Sum256(m.Text))[:len(m.Subject)+len(m.Flags)+4+8]
}

// ReadMaildir reads one folder, sorted by subject.
func ReadMaildir(dir string) ([]Message, error) {
	var all []Message
	for _, sub := range []string{"new", "cur"} {
		entries, err := os.ReadDir(filepath.Join(dir, sub))
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			m, err := readMessage(filepath.Join(dir, sub, e.Name()))
			if err != nil {
				return nil, err
			}
			all = append(all, m)
		}
	}
	slices.SortFunc(all, func(a, b Message) int { return strings.Compare(a.String(), b.String()) })
	return all, nil
}

func readMessage(path string) (Message, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Message{}, err
	}
	_, letters, _ := strings.Cut(filepath.Base(path), ":2,")
	sorted := []byte(letters)
	slices.Sort(sorted)
	return Message{Path: path, Subject: Subject(text), Flags: string(sorted), Text: withoutTraces(text)}, nil
}

// traces begin the fields that differ each time a message is copied: stamps,
// random words by which a client finds its own upload.
var traces = []string{"Received:", "X-TUID:", "X-OfflineIMAP:", "Date:"}

// withoutTraces is the message without them, and with LF.
func withoutTraces(text []byte) []byte {
	var kept []byte
	header, trace := true, false
	for line := range bytes.Lines(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))) {
		header = header && len(line) > 1
		folded := line[0] == ' ' || line[0] == '\t'
		trace = header && (folded && trace || slices.ContainsFunc(traces, func(t string) bool { return bytes.HasPrefix(line, []byte(t)) }))
		if !trace {
			kept = append(kept, line...)
		}
	}
	return kept
}

// Folders are the names of the Maildirs of a client.
func Folders(dir string) ([]string, error) {
	var names []string
	root := filepath.Join(dir, "mail")
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() && e.Name() == "cur" {
			name, _ := filepath.Rel(root, filepath.Dir(path)) // it is below root
			names = append(names, name)
		}
		return err
	})
	return names, err
}

// makeMaildir makes a folder. It may be there.
func makeMaildir(dir string) error {
	for _, sub := range []string{"tmp", "new", "cur"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return err
		}
	}
	return nil
}

// clear makes a Maildir of the client's that is empty.
func (d desk) clear(name string) error {
	if err := os.RemoveAll(d.file(name)); err != nil {
		return err
	}
	return makeMaildir(d.file(name))
}

// addFile writes a message into a Maildir. The file names are counted.
func addFile(dir, sub string, text []byte) error {
	if err := makeMaildir(dir); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	if err != nil {
		return err
	}
	suffix := ""
	if sub == "cur" {
		suffix = ":2,S"
	}
	return os.WriteFile(filepath.Join(dir, sub, fmt.Sprintf("1700000000.N%d.here%s", len(files)+1, suffix)), text, 0o600)
}

// find is the one message with this subject.
func find(dir, subject string) (Message, error) {
	all, err := ReadMaildir(dir)
	if err != nil {
		return Message{}, err
	}
	for _, m := range all {
		if m.Subject == subject {
			return m, nil
		}
	}
	return Message{}, fmt.Errorf("no message %q in %s", subject, dir)
}

// addFlags renames a message as programs do that read a Maildir.
func addFlags(m Message, letters string) error {
	flags := []byte(m.Flags + letters)
	slices.Sort(flags)
	base, _, _ := strings.Cut(filepath.Base(m.Path), ":2,")
	dir := filepath.Dir(filepath.Dir(m.Path))
	return os.Rename(m.Path, filepath.Join(dir, "cur", base+":2,"+string(slices.Compact(flags))))
}
