package views

import (
	"regexp"
	"strings"

	"pgregory.net/rapid"
)

var statusItem = regexp.MustCompile(`([A-Z]+) (\d+)`)

// statusOf finds a folder's STATUS response.
func statusOf(responses, name string) (map[string]uint32, bool) {
	for line := range strings.SplitSeq(responses, "\n") {
		for _, spelt := range []string{name, `"` + name + `"`} {
			rest, ok := strings.CutPrefix(line, "* STATUS "+spelt+" (")
			if !ok {
				continue
			}
			items := make(map[string]uint32)
			for _, found := range statusItem.FindAllStringSubmatch(rest, -1) {
				items[found[1]] = number(found[2])
			}
			return items, true
		}
	}
	return nil, false
}

const statusItems = "(MESSAGES UNSEEN UIDNEXT UIDVALIDITY)"

func (h *history) status() {
	s, name := h.any(), h.folderName("")
	s.settle() // of the open folder Dovecot tells what the session knows of it
	untagged := s.must(act{command: "STATUS " + name + " " + statusItems})
	s.counted(name, strings.Join(untagged, "\n"))
}

func (h *history) list() {
	s := h.any()
	s.settle()
	untagged := strings.Join(s.must(act{command: `LIST "" "*" RETURN (STATUS ` + statusItems + ")"}), "\n")
	for _, name := range h.names() {
		s.counted(name, untagged)
	}
}

// counted holds a STATUS to the model. Of what is gone past the guard, and of
// flags changed there, it may know too little until the folder is opened.
func (s *session) counted(name, responses string) {
	got, ok := statusOf(responses, name)
	f := s.h.model.folders[name]
	if !ok || got["UIDVALIDITY"] != f.validity || got["UIDNEXT"] != f.next {
		s.h.fail("%s: STATUS of %s: %v, and should have UIDVALIDITY %d and UIDNEXT %d", s.name, name, got, f.validity, f.next)
	}
	visible, unseen := s.h.model.visible(s.who, f), 0
	for _, m := range visible {
		if m.flags&seen == 0 {
			unseen++
		}
	}
	hidden, ghosts := s.h.model.hiddenIn(s.who, f)
	own := 0 // what this session does not show before it opens the folder again
	if s.folder == f {
		own = len(visible) - len(s.view())
	}
	if n := int(got["MESSAGES"]); n > len(visible) || n < len(visible)-max(ghosts, own) {
		s.h.fail("%s: STATUS of %s: %d messages, and should be %d; %d may not be settled", s.name, name, n, len(visible), max(ghosts, own))
	}
	slack := hidden + ghosts + own
	if n := int(got["UNSEEN"]); n > unseen+slack || n < unseen-slack || n > int(got["MESSAGES"]) {
		s.h.fail("%s: STATUS of %s: %d unseen, and should be %d (%d hidden)", s.name, name, n, unseen, slack)
	}
}

// actions are what happens, by name; several names make one more frequent. The
// one without a name is what is looked at after each.
func (h *history) actions() map[string]func(*rapid.T) {
	all := make(map[string]func(*rapid.T))
	for _, a := range []struct {
		name  string
		times int
		do    func(*history)
	}{
		{"noop", 1, (*history).noop},
		{"open", 3, (*history).open},
		{"select", 3, (*history).selects},
		{"store", 4, (*history).store},
		{"expunge", 2, (*history).expunge},
		{"mark and expunge", 4, (*history).markAndExpunge},
		{"move", 3, (*history).move},
		{"move back", 2, (*history).moveBack},
		{"move likewise", 3, (*history).moveLikewise},
		{"copy", 2, (*history).copy},
		{"fetch", 4, (*history).fetch},
		{"search", 4, (*history).search},
		{"sort", 1, (*history).sorted},
		{"status", 2, (*history).status},
		{"list", 1, (*history).list},
		{"together", 3, (*history).together},
		{"idle", 2, (*history).sleeps},
		{"append", 1, (*history).append},
		{"arrive", 2, (*history).arrive},
		{"vanish", 2, (*history).vanish},
		{"flag", 2, (*history).flag},
		{"close", 1, (*history).close},
		{"leave", 1, (*history).leave},
		{"beyond", 1, (*history).beyond},
		{"rename", 1, (*history).rename},
		{"recreate", 1, (*history).recreate},
		{"pop3", 1, (*history).download},
	} {
		for i := range a.times {
			all[a.name+" "+itoa(i)] = func(t *rapid.T) {
				h.T = t
				a.do(h)
				h.stage.operations++ // not where it was skipped
			}
		}
	}
	all[""] = func(t *rapid.T) {
		h.T = t
		if rapid.Bool().Draw(t, "all look") {
			h.check()
		}
		if rapid.IntRange(0, 9).Draw(t, "look upstream") == 0 {
			h.checkStored(h.model.folders[h.folderName("")])
		}
	}
	return all
}
