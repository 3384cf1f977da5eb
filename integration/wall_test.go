package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// wallAttempts are all of them.
var wallAttempts = slices.Concat(lineEndAttempts, tagAttempts, quotingAttempts, literalAttempts, appendAttempts,
	expungeAttempts, storeAttempts, moveAttempts, folderAttempts, nameAttempts, neighbourAttempts,
	loginAttempts, clearAttempts, raceAttempts, extensionAttempts)

func TestAttemptsHaveNames(t *testing.T) {
	seen := make(map[string]bool)
	for _, a := range wallAttempts {
		if seen[a.name] || a.name == "" {
			t.Errorf("two attempts are called %q", a.name)
		}
		seen[a.name] = true
	}
	if len(wallAttempts) < 150 {
		t.Errorf("only %d attempts", len(wallAttempts))
	}
}

// An attack that harms nobody anyway proves nothing. Sent to Dovecot itself,
// each attempt that is said to be deadly is, no other is, and they are many.
// Both judges must see it.
func TestTheAttacksWork(t *testing.T) {
	s := build(t, len(wallAttempts))
	outcomes := directly(s).playAll(s, wallAttempts, "")
	events := s.settled(t)
	harmful := 0
	for i, a := range wallAttempts {
		harm, said := beyondPrelude(a, outcomes[i].harm), events[s.boxes[i].name]
		if len(harm) > 0 {
			harmful++
		}
		if (a.how&deadly != 0) != (len(harm) > 0) {
			t.Errorf("%s: said to be deadly: %t; it did %q; Dovecot says %q\n%s", a.name, a.how&deadly != 0, harm, said, outcomes[i].transcript)
		}
		if _, there := s.boxes[i].flags(props[1]); a.how&frees != 0 && there {
			t.Errorf("%s: message 2 stays even without a guard", a.name)
		}
		if len(said) == 0 && slices.ContainsFunc(harm, func(h string) bool { return strings.Contains(h, "message") }) {
			t.Errorf("%s: it did %q, and Dovecot's log says nothing", a.name, harm)
		}
	}
	t.Logf("%d of %d attempts remove or mark something where no guard is", harmful, len(wallAttempts))
	if harmful < 60 {
		t.Errorf("only %d attempts are dangerous", harmful)
	}
}

// beyondPrelude leaves out the marks that a session makes before the attempt
// begins: where no guard is they are set at once.
func beyondPrelude(a attempt, harm []string) []string {
	return slices.DeleteFunc(slices.Clone(harm), func(h string) bool {
		return a.state == marked && (h == `message 2 is marked \Deleted` || h == `message 4 is marked \Deleted`)
	})
}

// The wall: whatever a client sends, no message is missing or marked, says the
// Maildir and says Dovecot's log, and the connection is usable or was closed
// with a reason.
func TestWall(t *testing.T) {
	attackTheGuard(t, "policy: {mode: enforce}", "")
}

// somePolicy lets starred messages go, and what is in Trash: message 2 and 6.
const somePolicy = `policy:
  mode: enforce
  rules:
    - {name: starred-mail-may-go, when: 'op in ["imap.expunge", "imap.move"] && "\\Flagged" in message.flags', then: allow}
    - {name: trash-may-be-emptied, when: 'op == "imap.expunge" && folder_use == "trash"', then: allow}
    - {name: all-else-stays, when: 'true', then: defer}`

// The same where policy allows something: that goes, and nothing else with it.
func TestWallWithADoor(t *testing.T) {
	attackTheGuard(t, somePolicy, "26")
}

func attackTheGuard(t *testing.T, policy, may string) {
	s, g := guardStage(t, policy)
	outcomes := through(g).playAll(s, wallAttempts, may)
	events := s.settled(t)
	for i, a := range wallAttempts {
		box := s.boxes[i]
		t.Run(a.name, func(t *testing.T) {
			if err := outcomes[i].fault; err != nil {
				t.Error(err)
			}
			for _, h := range append(outcomes[i].harm, box.harm(may)...) { // then, and now
				t.Error(h)
			}
			for _, e := range events[box.name] {
				if !allowed(e, may) {
					t.Errorf("Dovecot says: %s", e)
				}
			}
			if may != "" {
				throughTheDoor(t, a, box)
			}
			if t.Failed() {
				t.Log(fmt.Sprint(steps(a.script)), "\n", outcomes[i].transcript)
			}
		})
	}
}

// throughTheDoor looks whether what may go is gone, and only where it was asked
// for.
func throughTheDoor(t *testing.T, a attempt, box stageBox) {
	flags, starred := box.flags(props[1])
	_, inTrash := box.flags(props[5])
	if a.how&frees != 0 && starred {
		t.Error("message 2 may go, and is still there")
	}
	if a.how&keeps != 0 && (!starred || strings.Contains(flags, "T")) {
		t.Errorf("nobody asked for message 2, and it is gone or marked: flags %q", flags)
	}
	if a.how&empties != 0 && inTrash {
		t.Error("message 6 may go, and is still there")
	}
}
