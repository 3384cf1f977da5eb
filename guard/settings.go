package guard

import (
	"strings"
	"time"

	"mailguard/member"
)

// Mode says whether verdicts are carried out.
type Mode string

// The modes of a policy and of a mailbox.
const (
	Enforce Mode = "enforce"
	Observe Mode = "observe" // pass deletions on, record what would have been decided
)

// Sharing says whether several people use a mailbox.
type Sharing string

// What a mailbox's `shared` may say.
const (
	SharedAuto Sharing = "auto" // once two named members have used it
	SharedYes  Sharing = "yes"
	SharedNo   Sharing = "no"
)

// Settings are what the configuration says of a mailbox.
type Settings struct {
	Shared      Sharing
	Members     []member.Name // who everyone is; learned from use if empty
	AbsentAfter time.Duration // staying away so long counts as done; 0: never
	Mode        Mode          // "" follows the policy's mode
}

// Entry is one entry of the configuration's list of mailboxes.
type Entry struct {
	Match    string // a canonical mailbox name in which "*" stands for any text
	Settings Settings
}

// Directory finds a mailbox's settings: the first entry that matches wins. It
// does not get slower with the number of exact names. It is immutable.
type Directory struct {
	exact    map[member.Mailbox]int // index of the first entry of exactly this name
	patterns []int                  // entries with a "*", in order
	entries  []Entry
}

// NewDirectory returns the directory of the entries.
func NewDirectory(entries []Entry) *Directory {
	d := &Directory{exact: make(map[member.Mailbox]int), entries: entries}
	for i, e := range entries {
		if strings.Contains(e.Match, "*") {
			d.patterns = append(d.patterns, i)
			continue
		}
		if _, have := d.exact[member.Mailbox(e.Match)]; !have {
			d.exact[member.Mailbox(e.Match)] = i
		}
	}
	return d
}

// Lookup returns the settings of a mailbox. A mailbox that no entry matches is
// shared once its use shows it (SharedAuto).
func (d *Directory) Lookup(m member.Mailbox) Settings {
	first := len(d.entries)
	if i, ok := d.exact[m]; ok {
		first = i
	}
	for _, i := range d.patterns {
		if i > first {
			break
		}
		if matches(d.entries[i].Match, string(m)) {
			first = i
			break
		}
	}
	if first == len(d.entries) {
		return Settings{Shared: SharedAuto}
	}
	return d.entries[first].Settings
}

// matches reports whether name fits a pattern in which "*" stands for any
// text, also none.
func matches(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == name
	}
	first, last := parts[0], parts[len(parts)-1]
	if !strings.HasPrefix(name, first) {
		return false
	}
	name = name[len(first):]
	for _, part := range parts[1 : len(parts)-1] { // the earliest place leaves the most for the rest
		i := strings.Index(name, part)
		if i < 0 {
			return false
		}
		name = name[i+len(part):]
	}
	return strings.HasSuffix(name, last)
}
