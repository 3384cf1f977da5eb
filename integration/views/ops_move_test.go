package views

import (
	"regexp"
	"slices"
	"strings"
)

func (h *history) copy() {
	s := h.reader()
	s.settle()
	t, to := s.target(true), h.roomy("")
	s.do(act{t.command("COPY", to), func(untagged []string, tagged string) {
		list := s.there(t.uids)
		if !strings.HasPrefix(tagged, "OK") {
			h.fail("%s: COPY: %s", s.name, tagged)
		}
		dest := h.model.folders[to]
		pairs := s.copyUIDs(dest, append(untagged, tagged), list)
		for _, m := range list {
			if pairs[m.uid] != dest.next {
				h.fail("%s: the copy of %d has the UID %d, and should have %d", s.name, m.uid, pairs[m.uid], dest.next)
			}
			made := h.model.add(dest, m.token, m.class, m.flags)
			h.model.copiedTo(s.who, spot{s.folder.place(), m.uid}, spot{dest.place(), made.uid})
		}
		h.touched(dest, nil)
	}})
}

var copyUID = regexp.MustCompile(`\[COPYUID (\d+) ([\d:,]+) ([\d:,]+)\]`)

// copyUIDs reads all of COPYUID: each message has one copy (RFC 4315, 3).
func (s *session) copyUIDs(dest *folder, responses []string, list []*message) map[uint32]uint32 {
	pairs := make(map[uint32]uint32)
	for _, r := range responses {
		found := copyUID.FindStringSubmatch(r)
		if found == nil {
			continue
		}
		from, err1 := expand(found[2])
		to, err2 := expand(found[3])
		if err1 != nil || err2 != nil || len(from) != len(to) || number(found[1]) != dest.validity {
			s.h.fail("%s: %s into UIDVALIDITY %d", s.name, r, dest.validity)
		}
		for i, uid := range from {
			if pairs[uid] != 0 {
				s.h.fail("%s: two copies of %d", s.name, uid)
			}
			pairs[uid] = to[i]
		}
	}
	if len(pairs) != len(list) {
		s.h.fail("%s: COPYUID names %v, of %v", s.name, pairs, uidsOf(list))
	}
	for _, m := range list {
		if pairs[m.uid] == 0 {
			s.h.fail("%s: COPYUID names no copy of %d", s.name, m.uid)
		}
	}
	return pairs
}

func (h *history) move() {
	s := h.reader()
	s.settle()
	if s.readOnly && !h.allowReadOnly() {
		return
	}
	s.moveTo(s.target(true), h.roomy(s.folder.name))
}

// roomy draws a folder for copies that is not too large yet: histories are to
// be read.
func (h *history) roomy(but string) string {
	name := h.folderName(but)
	if len(h.model.folders[name].messages) > 25 {
		h.T.Skip("enough mail is there")
	}
	return name
}

func (s *session) moveTo(t targets, to string) {
	dest := s.h.model.folders[to]
	// What of a set is withdrawn and what is moved afresh is decided by parts:
	// the model takes one of them.
	if back := s.withdrawn(s.there(t.uids), dest); len(back) > 0 && len(back) < len(s.there(t.uids)) {
		t = targets{uid: true, uids: back}
		for _, uid := range back {
			t.set = append(t.set, span{first: uid, one: true})
		}
	}
	if s.h.model.owes() || len(s.withdrawn(s.there(t.uids), dest)) > 0 {
		s.h.mayComeBack()
	}
	s.do(act{t.command("MOVE", to), func(untagged []string, tagged string) {
		s.moved(s.there(t.uids), dest, append(untagged, tagged), tagged)
	}})
}

// withdrawn are those that have to come back rather than be moved. Of two copies
// of one original it is the first.
func (s *session) withdrawn(list []*message, dest *folder) (uids []uint32) {
	back := make(map[spot]bool)
	for _, m := range list {
		original, is := s.h.model.copies[spot{s.folder.place(), m.uid}]
		if is && original.place == dest.place() && s.h.model.person(s.who).hidden[original] == byMove && s.h.model.verdict(m) != refused && !back[original] {
			back[original] = true
			uids = append(uids, m.uid)
		}
	}
	return uids
}

func (s *session) moved(list []*message, dest *folder, responses []string, tagged string) {
	refusals, defers := 0, 0
	for _, m := range list {
		switch s.h.model.verdict(m) {
		case refused:
			refusals++
		case deferred:
			defers++
		}
	}
	if ok := strings.HasPrefix(tagged, "OK"); ok == (s.readOnly || refusals > 0) {
		s.h.fail("%s: MOVE of %d messages, %d to be refused: %s", s.name, len(list), refusals, tagged)
	}
	if s.readOnly || refusals > 0 || len(list) == 0 {
		return
	}
	pairs := s.copyUIDs(dest, responses, list)
	back := s.withdrawn(list, dest)
	for _, m := range list {
		s.movedOne(m, dest, pairs[m.uid], slices.Contains(back, m.uid), defers > 0)
	}
	s.h.touched(s.folder, s)
	s.h.touched(dest, nil)
}

// movedOne is one message of a move whose copy has this UID, as COPYUID says.
func (s *session) movedOne(m *message, dest *folder, uid uint32, back, defers bool) {
	model, from := s.h.model, spot{s.folder.place(), m.uid}
	at := spot{dest.place(), uid}
	original := model.copies[from]
	switch {
	case back && original == at:
		s.h.hide(s.who, s.folder, m.uid, byMove)
		model.undo(s.who, from, at)
		s.h.back(s.who, at)
		s.h.stage.withdrawn++
	case back:
		s.h.fail("%s: moved %d back, whose original is %v, and COPYUID names %d", s.name, m.uid, original, uid)
	case uid != dest.next: // a copy that is there
		s.mayRely(at, from, dest)
		s.h.hide(s.who, s.folder, m.uid, byMove)
		s.h.stage.reused++
	default:
		model.add(dest, m.token, m.class, m.flags)
		if !defers { // moved in earnest, whatever others have copied
			s.h.remove(s.folder, m.uid, s)
			return
		}
		s.mayCopy(from, at, dest)
		model.moved(from, at)
		s.h.hide(s.who, s.folder, m.uid, byMove)
	}
}

// mayRely looks whether a copy is one that a later mover may be given.
func (s *session) mayRely(at, from spot, dest *folder) {
	model := s.h.model
	switch {
	case model.copies[at] != from:
		s.h.fail("%s: moved %d, and COPYUID names %d, which is no copy of it", s.name, from.uid, at.uid)
	case dest.find(at.uid) == nil:
		s.h.fail("%s: moved %d, and COPYUID names %d, which is not there", s.name, from.uid, at.uid)
	case model.held(at, "\x00"):
		s.h.fail("%s: moved %d, and COPYUID names %d, which somebody has deleted", s.name, from.uid, at.uid)
	case !model.held(from, s.who):
		s.h.fail("%s: moved %d, which nobody else has moved, and COPYUID names %d", s.name, from.uid, at.uid)
	}
}

// mayCopy looks that there is no copy of a held message yet that a mover could
// have been given.
func (s *session) mayCopy(from, made spot, dest *folder) {
	model := s.h.model
	if !model.held(from, "\x00") {
		return
	}
	for at, original := range model.copies {
		if at != made && original == from && at.place == dest.place() && dest.find(at.uid) != nil && !model.held(at, "\x00") {
			s.h.fail("%s: moved %d, and got a second copy: %d is one", s.name, from.uid, at.uid)
		}
	}
}
