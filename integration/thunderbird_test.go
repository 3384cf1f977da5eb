//go:build thunderbird

package integration

import (
	"testing"

	"mailguard/integration/thunderbird"
)

// tbScene is something that happens, and what each of the two sees then in the
// Inbox.
type tbScene struct {
	what       string
	do         func(*testing.T, *tbStage)
	alice, bob string
}

// tbStage is where the story is told. Without bob alice has a mailbox of her
// own, at the server itself: then what she deletes is really gone, and what she
// sees has to be the same.
type tbStage struct {
	server     *reader
	alice, bob *tbUser
	record     *tbRecord
}

func (s *tbStage) arrives(t *testing.T, subject string) {
	deliver(t, s.server.dovecot, s.server.box, subject)
}

// ofBob is what is there of his.
func (s *tbStage) ofBob(subject string) string {
	if s.bob == nil {
		return ""
	}
	return subject
}

// tbOpening and tbEnding are told in each model.
var tbOpening = []tbScene{
	{"both open the Inbox", nil, "one two three", "one two three"},
	{"alice deletes two", func(t *testing.T, s *tbStage) { s.alice.remove(t, "two", "one three") }, "one three", "one two three"},
	{"alice restarts", func(t *testing.T, s *tbStage) { s.alice.restart(t) }, "one three", "one two three"},
	{"bob deletes one", func(t *testing.T, s *tbStage) {
		if s.bob != nil {
			s.bob.remove(t, "one", "two three")
		}
	}, "one three", "two three"},
	{"four arrives", func(t *testing.T, s *tbStage) { s.arrives(t, "four") }, "one three four", "two three four"},
}

var tbEnding = []tbScene{
	{"five arrives", func(t *testing.T, s *tbStage) { s.arrives(t, "five") }, "", ""},
	{"both restart", func(t *testing.T, s *tbStage) {
		s.alice.restart(t)
		if s.bob != nil {
			s.bob.restart(t)
		}
	}, "", ""},
}

// tbMiddle is what each model is about, and what the two have at the end.
var tbMiddle = map[thunderbird.Model][]tbScene{
	thunderbird.Trash: {
		{"alice deletes four, and presses Ctrl+Z", func(t *testing.T, s *tbStage) {
			s.alice.remove(t, "four", "one three")
			s.alice.waits(t, "Inbox", "one three")
			s.alice.do(t, "presses Ctrl+Z", s.alice.Undo())
			s.alice.waits(t, "Trash", s.ofBob("one")+" two")
		}, "one three four", "two three four"},
		{"alice deletes four by Shift+Delete", func(t *testing.T, s *tbStage) {
			s.alice.do(t, "presses Shift+Delete on four", s.alice.DeleteForGood("Inbox", "four"))
		}, "one three", "two three four"},
		{"alice restarts", func(t *testing.T, s *tbStage) { s.alice.restart(t) }, "one three", "two three four"},
		{"alice compacts the Inbox", func(t *testing.T, s *tbStage) { s.alice.compact(t) }, "one three", "two three four"},
		{"alice moves two from Trash back to the Inbox", func(t *testing.T, s *tbStage) {
			s.alice.waits(t, "Trash", s.ofBob("one")+" two")
			s.alice.do(t, "moves two back", s.alice.Move("Trash", "two", "Inbox"))
			s.alice.waits(t, "Trash", s.ofBob("one"))
		}, "one two three", "two three four"},
		{"alice deletes three, and empties Trash", func(t *testing.T, s *tbStage) {
			s.alice.remove(t, "three", "one two")
			s.alice.waits(t, "Trash", s.ofBob("one")+" three")
			s.alice.do(t, "empties Trash", s.alice.EmptyTrash())
			s.alice.waits(t, "Trash", "")
			if s.bob != nil {
				s.bob.sees(t, "Trash", "one two three four")
			}
		}, "one two", "two three four"},
	},
	thunderbird.Mark: {
		{"alice deletes three", func(t *testing.T, s *tbStage) {
			s.alice.do(t, "deletes three", s.alice.Delete("Inbox", "three"))
		}, "one three(struck-out) four", "two three four"},
		{"alice restarts", func(t *testing.T, s *tbStage) { s.alice.restart(t) }, "one three(struck-out) four", "two three four"},
		{"alice undeletes three, and compacts", func(t *testing.T, s *tbStage) {
			s.alice.do(t, "undeletes three", s.alice.Delete("Inbox", "three"))
			s.alice.waits(t, "Inbox", "one three four")
			s.alice.compact(t)
		}, "one three four", "two three four"},
	},
	thunderbird.Remove: {
		{"alice deletes three, and does not compact", func(t *testing.T, s *tbStage) {
			s.alice.do(t, "deletes three", s.alice.Delete("Inbox", "three"))
		}, "one four", "two three four"},
		{"alice presses Ctrl+Z, and compacts", func(t *testing.T, s *tbStage) {
			s.alice.do(t, "presses Ctrl+Z", s.alice.Undo())
			s.alice.waits(t, "Inbox", "one three four")
			s.alice.compact(t)
		}, "one three four", "two three four"},
		{"alice deletes four, and does not compact", func(t *testing.T, s *tbStage) {
			s.alice.do(t, "deletes four", s.alice.Delete("Inbox", "four"))
		}, "one three", "two three four"},
		{"alice restarts", func(t *testing.T, s *tbStage) { s.alice.restart(t) }, "one three", "two three four"},
	},
}

// tell plays the story. A scene in which nothing is said of what they see
// leaves that as it was, with what arrived.
func (s *tbStage) tell(t *testing.T, scenes []tbScene) {
	t.Helper()
	for _, scene := range scenes {
		s.record.scene(scene.what)
		if scene.do != nil {
			scene.do(t, s)
		}
		s.alice.sees(t, "Inbox", scene.alice)
		if s.bob != nil {
			s.bob.sees(t, "Inbox", scene.bob)
		}
		if t.Failed() {
			t.FailNow()
		}
	}
}

// story are the scenes in one model.
func tbStory(model thunderbird.Model) []tbScene {
	scenes := append(append([]tbScene(nil), tbOpening...), tbMiddle[model]...)
	last := scenes[len(scenes)-1]
	for _, end := range tbEnding {
		end.alice, end.bob = last.alice+" five", last.bob+" five"
		scenes = append(scenes, end)
	}
	return scenes
}

var tbModels = []thunderbird.Model{thunderbird.Trash, thunderbird.Mark, thunderbird.Remove}

// Two members with Thunderbird: whoever deletes a message, in each way that
// Thunderbird has, does not see it again; the other one keeps it; nobody is told
// of an error; and nothing leaves the server.
func TestThunderbirdOfTwoMembers(t *testing.T) {
	for _, model := range tbModels {
		t.Run(model.String(), func(t *testing.T) {
			t.Parallel()
			record := newTBRecord(t, "Two members, "+model.String())
			p, _ := behindGuard(t, options{})
			deliver(t, p.dovecot, mailbox, "one", "two", "three")
			server := &reader{place: p, box: mailbox}
			s := &tbStage{server: server, record: record,
				alice: newTBUser(t, server, "alice", mailbox+"#alice", model, record),
				bob:   newTBUser(t, server, "bob", mailbox+"#bob", model, record)}
			s.tell(t, tbStory(model))
			s.alice.quit(t)
			s.bob.quit(t)
			same(t, "INBOX at the server", server.inbox(t), "five four one three two")
		})
	}
}

// What alice sees is what Thunderbird shows where a message is really gone.
func TestThunderbirdAlone(t *testing.T) {
	for _, model := range tbModels {
		t.Run(model.String(), func(t *testing.T) {
			t.Parallel()
			record := newTBRecord(t, "Alone, without a guard, "+model.String())
			p := atDovecot(t)
			deliver(t, p.dovecot, private, "one", "two", "three")
			server := &reader{place: p, box: private}
			s := &tbStage{server: server, record: record, alice: newTBUser(t, server, "alice", private, model, record)}
			s.tell(t, tbStory(model))
			s.alice.quit(t)
		})
	}
}
