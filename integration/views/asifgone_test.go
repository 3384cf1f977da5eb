package views

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// known are the answers that are not the same, each with its reason. The name is
// the section, the command, and which of several it is; what is here and is the
// same after all fails the test.
var known = map[string]string{
	"what others do: FETCH 5 (UID)": "the \\Deleted of somebody past the guard is shown to nobody",
	"what others do: NOOP (6)":      newsWithUID,
	"what others do: NOOP (5)":      newsWithUID,
	"waiting for news: DONE: (4)":   newsWithUID,
	"deleting: FETCH 1:* (UID)":     newsLater,
	"deleting: NOOP (2)":            newsLater,
	"moving: FETCH 1:* (UID FLAGS)": "Dovecot copies \\Deleted with a message, a member's own mark stays with its message",
	"the rest: EXPUNGE":             "RECENT, which RFC 9051 no longer has, is told when it grows",
}

const (
	newsWithUID = "what another session of the member's marks is told with the UID, which RFC 9051, 7.5.2 allows"
	newsLater   = "what another session of the member's marks is told at the next command that may bring anything, not in a FETCH"
)

// A folder of which a member has deleted messages answers as one from which
// they are really gone: before that, at that very moment, and afterwards.
func TestAsIfGone(t *testing.T) {
	s := dovecotStage(t)
	hidden, gone := newActor(t, s, "all-as-if@example.com"), newActor(t, s, "open-as-if@example.com")
	hidden.deleteAs(s.imap, hidden.box+"#alice")
	gone.deleteAs(s.direct, gone.box)
	asIfGone(t, known, hidden, gone)
}

// Two folders from which the same is really gone answer the same: a difference
// above is not Dovecot's.
func TestAsIfGoneTwice(t *testing.T) {
	s := dovecotStage(t)
	one, other := newActor(t, s, "open-one@example.com"), newActor(t, s, "open-other@example.com")
	one.deleteAs(s.direct, one.box)
	other.deleteAs(s.direct, other.box)
	asIfGone(t, nil, one, other)
}

// asIfGone plays the script to both.
func asIfGone(t *testing.T, known map[string]string, hidden, gone *actor) {
	t.Helper()
	for _, a := range []*actor{hidden, gone} {
		a.append(a.direct, "INBOX", 31, "")
		a.append(a.direct, "INBOX", 32, "")
		defer a.close()
	}
	steps := readScript(t)
	commands, seen, times := 0, make(map[string]bool), make(map[string]int)
	for i, st := range steps {
		var answers [2][]string
		for j, a := range []*actor{hidden, gone} {
			answers[j] = a.step(st, i+1 < len(steps) && steps[i+1].kind == "P:")
		}
		name := st.section + ": " + st.name()
		if answers[0] == nil && answers[1] == nil {
			continue
		}
		commands++
		if times[name]++; times[name] > 1 {
			name += " (" + itoa(times[name]) + ")"
		}
		if equal := slices.Equal(answers[0], answers[1]); !equal {
			seen[name] = true
			if known[name] == "" {
				t.Errorf("%q (line %d), where messages are hidden:\n\t%q\nwhere they are gone:\n\t%q", name, st.line, answers[0], answers[1])
			}
		}
	}
	for name := range known {
		if !seen[name] {
			t.Errorf("%s: is the same after all", name)
		}
	}
	t.Logf("%d commands, %d answers differ as expected", commands, len(seen))
	if commands < 200 {
		t.Errorf("%d commands are too few", commands)
	}
}

// deletedUIDs are those that alice deletes before the script begins.
var deletedUIDs = map[string]string{"INBOX": "1,5:8,14,29,30", "All": "1:4", "One": "1:3,5"}

// step is one line of the script.
type step struct {
	section, kind, text string
	line                int
}

func (s step) name() string {
	if s.text == "" {
		return s.kind
	}
	return s.text
}

func readScript(t *testing.T) (steps []step) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", "asifgone.txt"))
	if err != nil {
		t.Fatal(err)
	}
	section, line := "", 0
	for text := range strings.Lines(string(content)) {
		line++
		text = strings.TrimRight(text, "\n")
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		kind, rest, _ := strings.Cut(text, " ")
		if kind == "===" {
			section = rest
		}
		steps = append(steps, step{section, kind, rest, line})
	}
	return steps
}
