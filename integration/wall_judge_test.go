package integration

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// harm is what an attempt has done to messages, read from the Maildir's files.
// may are the numbers of messages that policy lets go.
func (b stageBox) harm(may string) []string {
	found := b.look(may)
	for range 5 { // a file that is being renamed is missing for a moment
		if len(found) == 0 {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
		found = b.look(may)
	}
	return found
}

func (b stageBox) look(may string) []string {
	var found []string
	for _, p := range props {
		flags, there := b.flags(p)
		switch {
		case strings.Contains(may, p.number):
		case !there:
			found = append(found, "message "+p.number+" is gone")
		case strings.Contains(flags, "T") && !strings.Contains(p.flags, "T"):
			found = append(found, "message "+p.number+` is marked \Deleted`)
		}
	}
	found = append(found, b.strangers(may)...)
	if rights, err := os.ReadFile(filepath.Join(b.dir, "dovecot-acl")); err != nil || string(rights) != b.rights {
		found = append(found, "other people's rights have changed")
	}
	return found
}

// flags are those of a prop, and whether it is still in its folder.
func (b stageBox) flags(p prop) (flags string, there bool) {
	files, _ := filepath.Glob(filepath.Join(b.dir, p.folder, "*", p.file()+"*")) // the pattern is a good one
	if len(files) == 0 {
		return "", false
	}
	_, flags, _ = strings.Cut(filepath.Base(files[0]), ":2,")
	return flags, true
}

// strangers are messages that came during the attempt and carry \Deleted: the
// next EXPUNGE of anybody takes them. Where starred messages and those in Trash
// may go, copies of them may carry it.
func (b stageBox) strangers(may string) []string {
	var found []string
	inbox, _ := filepath.Glob(filepath.Join(b.dir, "cur", "*:2,*T*"))
	others, _ := filepath.Glob(filepath.Join(b.dir, ".*", "cur", "*:2,*T*"))
	for _, file := range append(inbox, others...) {
		at, _ := filepath.Rel(b.dir, file) // it was found there
		_, flags, _ := strings.Cut(at, ":2,")
		text, err := os.ReadFile(file)
		if errors.Is(err, os.ErrNotExist) {
			continue // renamed, or gone, since
		}
		mayGo := may != "" && (strings.HasPrefix(at, ".Trash/") || strings.Contains(flags, "F"))
		if !mayGo && !slices.ContainsFunc(props, func(p prop) bool { return p.explains(at, string(text)) }) {
			found = append(found, `a new message is marked \Deleted: `+at)
		}
	}
	return found
}

// event is a line of the mail_log plug-in.
var event = regexp.MustCompile(`imap\(([wn]\d+)@example\.com\)<\d+><[^>]*>: Info: (delete|expunge|save|Mailbox deleted|Mailbox renamed): (.*)`)

// events are what Dovecot says that was deleted, marked or saved with a mark,
// by mailbox. A neighbour's events count where they name a folder of the
// mailbox beside.
func (s *stage) events() map[string][]string {
	all := make(map[string][]string)
	for _, found := range event.FindAllStringSubmatch(s.Log(), -1) {
		name, what := found[1], found[2]+": "+found[3]
		if found[2] == "save" && !strings.Contains(found[3], `\Deleted`) {
			continue
		}
		if name[0] == 'n' {
			name = "w" + name[1:]
			if !strings.Contains(strings.ToLower(found[3]), "shared/"+name) {
				continue // in the neighbour's own mailbox
			}
		}
		all[name] = append(all[name], what)
	}
	return all
}

// settled are the events once Dovecot's log has caught up with what was done:
// when it shows what is done now, in the mailbox of no attempt.
func (s *stage) settled(t *testing.T) map[string][]string {
	t.Helper()
	p := &player{target: directly(s), box: s.boxes[len(s.boxes)-1], attempt: attempt{state: selected}}
	p.patience = sessionTimeout
	c, err := p.dial()
	if err == nil {
		err = p.enter(c, "alice", "SELECT INBOX", `STORE 1 +FLAGS (\Deleted)`)
		_ = c.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(sessionTimeout); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if events := s.events(); len(events[p.box.name]) > 0 {
			return events
		}
	}
	t.Fatal("Dovecot does not log what is done")
	return nil
}

// allowed reports whether an event is one that policy lets happen: of message
// 2, or in Trash.
func allowed(event, may string) bool {
	return may != "" && (strings.Contains(event, "msgid=<2@") || strings.Contains(event, "Trash, "))
}
