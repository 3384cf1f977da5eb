package views

import (
	"cmp"
	"maps"
	"slices"

	"pgregory.net/rapid"
)

// at brings a session of a member into a folder.
func (h *history) at(who string, f *folder) *session {
	var s *session
	for _, one := range h.sessions {
		if one.who == who {
			s = one
		}
	}
	if s == nil {
		s = h.enter(who)
	}
	if s.folder != f || s.readOnly {
		s.open(f.name, false)
	}
	s.settle()
	return s
}

// chance is a move that one member could make of one message, for what moves
// were made before.
type chance struct {
	who      string
	from, to spot
}

// chances are those of all members, for moves from what is first in a pair to
// what is second.
func (h *history) chances(pair func(at, original spot) (from, to spot)) (list []chance) {
	for _, at := range h.copies() {
		from, to := pair(at, h.model.copies[at])
		f, g := h.model.folders[from.folder], h.model.folders[to.folder]
		if f == nil || g == nil || f == g || f.place() != from.place || f.find(from.uid) == nil {
			continue
		}
		for _, who := range members {
			if h.model.person(who).hidden[from] == 0 {
				list = append(list, chance{who, from, to})
			}
		}
	}
	return list
}

// moveChance moves such a message, and some around it.
func (h *history) moveChance(list []chance) {
	if len(list) == 0 {
		h.T.Skip("nobody has moved anything")
	}
	c := rapid.SampledFrom(list).Draw(h.T, "chance")
	s := h.at(c.who, h.model.folders[c.from.folder])
	t := targets{uid: true, set: set{{first: c.from.uid, one: true}}}
	if rapid.Bool().Draw(h.T, "others too") {
		t.set = append(t.set, drawSet(h.T, s.folder.next, false)...)
	}
	for _, uid := range s.names {
		if t.set.has(uid, 0) {
			t.uids = append(t.uids, uid)
		}
	}
	s.moveTo(t, c.to.folder)
}

// moveBack moves a copy, that a deferred move made, to where its original is:
// mostly one that comes back.
func (h *history) moveBack() {
	list := h.chances(func(at, original spot) (spot, spot) { return at, original })
	hers := slices.DeleteFunc(slices.Clone(list), func(c chance) bool { return h.model.person(c.who).hidden[c.to] == 0 })
	if len(hers) > 0 && rapid.IntRange(0, 3).Draw(h.T, "her own") > 0 {
		list = hers
	}
	h.moveChance(list)
}

// moveLikewise moves what another member has moved to the same folder: there is
// to be one copy.
func (h *history) moveLikewise() {
	h.moveChance(h.chances(func(at, original spot) (spot, spot) { return original, at }))
}

// copies are those of deferred moves, in an order.
func (h *history) copies() []spot {
	return slices.SortedFunc(maps.Keys(h.model.copies), func(a, b spot) int {
		return cmp.Or(cmp.Compare(a.folder, b.folder), cmp.Compare(a.validity, b.validity), cmp.Compare(a.uid, b.uid))
	})
}
