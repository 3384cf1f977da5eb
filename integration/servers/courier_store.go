package servers

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Deliver puts a message into the user's Maildir as a delivery agent would:
// written to tmp, renamed to new. The octets are stored as given, with LF or
// CRLF.
func (c *Courier) Deliver(user string, message []byte) error {
	maildir := home(user) + "/Maildir"
	if _, err := os.Stat(c.root.path(maildir)); err != nil {
		return fmt.Errorf("deliver to %s: no such user", user)
	}
	name := c.nextName()
	if err := c.root.write(maildir+"/tmp/"+name, message); err != nil {
		return fmt.Errorf("deliver to %s: %w", user, err)
	}
	if err := os.Rename(c.root.path(maildir+"/tmp/"+name), c.root.path(maildir+"/new/"+name)); err != nil {
		return fmt.Errorf("deliver to %s: %w", user, err)
	}
	return nil
}

// nextName is a file name that no other delivery has and that sorts behind all
// earlier ones.
func (c *Courier) nextName() string {
	c.delivery.Lock()
	defer c.delivery.Unlock()
	c.last = max(c.last+1, time.Now().UnixMicro())
	return fmt.Sprintf("%d.M%06dP%d.mailguard", c.last/1e6, c.last%1e6, os.Getpid())
}

// Messages returns what is really in the user's INBOX, oldest first.
func (c *Courier) Messages(user string) ([]Message, error) {
	maildir := c.root.path(home(user) + "/Maildir")
	before, err := listMaildir(maildir)
	for range 20 { // Courier may be renaming: believe what was seen twice
		if err != nil {
			return nil, fmt.Errorf("messages of %s: %w", user, err)
		}
		var again []Message
		again, err = listMaildir(maildir)
		if err == nil && slices.Equal(before, again) {
			return again, nil
		}
		before = again
	}
	return nil, fmt.Errorf("messages of %s: the Maildir does not come to rest", user)
}

func listMaildir(maildir string) ([]Message, error) {
	uids, err := readUIDs(filepath.Join(maildir, "courierimapuiddb"))
	if err != nil {
		return nil, err
	}
	var messages []Message
	for _, folder := range []string{"new", "cur"} {
		entries, err := os.ReadDir(filepath.Join(maildir, folder))
		if err != nil {
			return nil, err
		}
		for _, entry := range entries {
			base, flags, _ := strings.Cut(entry.Name(), ":2,")
			messages = append(messages, Message{
				UID:     uids[base],
				Path:    filepath.Join(maildir, folder, entry.Name()),
				Deleted: strings.Contains(flags, "T"),
			})
		}
	}
	slices.SortFunc(messages, func(a, b Message) int {
		return strings.Compare(filepath.Base(a.Path), filepath.Base(b.Path))
	})
	return messages, nil
}

// readUIDs reads Courier's list of UIDs: a line about the folder, and one of
// UID and file name, without flags, for each message.
func readUIDs(path string) (map[string]uint32, error) {
	list, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) { // nobody has opened the folder yet
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	uids := make(map[string]uint32)
	_, lines, _ := strings.Cut(string(list), "\n")
	for line := range strings.Lines(lines) {
		number, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		uid, err := strconv.ParseUint(number, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("%s: a line %q", path, line)
		}
		base, _, _ := strings.Cut(name, ":2,")
		uids[base] = uint32(uid)
	}
	return uids, nil
}
