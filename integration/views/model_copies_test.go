package views

import (
	"maps"
	"slices"
)

// copiedTo is that a member has copied a message by COPY. Only the last copy
// counts.
func (m *model) copiedTo(who string, from, to spot) { m.person(who).copied[from] = to }

// forgetCopy is that a message is a copy no longer that makes a move of an
// expunge: the member has deleted it, or it is gone.
func (p *person) forgetCopy(at spot) {
	maps.DeleteFunc(p.copied, func(_, to spot) bool { return to == at })
}

// expunge is a member's expunge that is deferred. What the member has copied
// before is moved by it: the copy is from then on one as a move makes it.
func (m *model) expunge(who string, at spot) how {
	to, moved := m.person(who).copied[at]
	if !moved {
		return byExpunge
	}
	m.moved(at, to)
	return byMove
}

// moved is that a deferred move has made a copy. What is a copy already stays
// the copy of what it was.
func (m *model) moved(original, made spot) {
	if _, known := m.copies[made]; !known {
		m.copies[made] = original
	}
}

// undo is that a member has moved a copy back: the original comes back in its
// stead.
func (m *model) undo(who string, copied, original spot) {
	p := m.person(who)
	delete(p.hidden, original)
	p.undone[original] = copied
}

// returnCopy is that an original is gone. Whoever had got it back and has not
// opened its folder since has the copy again.
func (p *person) returnCopy(original spot) (copied spot, undone bool) {
	if copied, undone = p.undone[original]; undone {
		delete(p.hidden, copied)
		delete(p.undone, original)
	}
	return copied, undone
}

// lookedFor is that a member has opened a folder: the guard looks whether what
// came back to the member is there. Mostly it is, and then for everybody. It may
// have gone while the folder had another name, past the guard: then whoever had
// got it back has the copy again. These are returned.
func (m *model) lookedFor(who string, f *folder) map[string]spot {
	back := make(map[string]spot)
	for original := range maps.Clone(m.person(who).undone) {
		if original.place != f.place() {
			continue
		}
		there := slices.ContainsFunc(f.messages, func(msg *message) bool { return msg.uid == original.uid })
		for name, p := range m.people {
			if there {
				delete(p.undone, original)
			} else if copied, undone := p.returnCopy(original); undone {
				back[name] = copied
			}
		}
	}
	return back
}

// tied reports whether a message is the copy that a deferred move made, or may
// still make, or the original of one, under whichever name its folder had then.
// When one of the two vanishes past the guard it is noticed only once its folder is
// opened, and until then a move may name it (guard: TestUndone). Histories leave that
// out.
func (m *model) tied(at spot) bool {
	same := func(other spot) bool { return other.validity == at.validity && other.uid == at.uid }
	for copied, original := range m.copies {
		if same(copied) || same(original) {
			return true
		}
	}
	for _, p := range m.people {
		if slices.ContainsFunc(slices.Collect(maps.Values(p.copied)), same) {
			return true
		}
	}
	return false
}

// rename gives a folder another name. The ledger goes with it if the guard saw
// it; else what was deleted under the old name stays there.
func (m *model) rename(from, to string, guardSaw bool) {
	f := m.folders[from]
	delete(m.folders, from)
	f.name = to
	m.folders[to] = f
	if !guardSaw {
		return
	}
	for _, p := range m.people {
		p.renamed(from, to)
	}
	renamed(m.copies, from, to)
	for c, original := range m.copies {
		m.copies[c] = original.renamed(from, to)
	}
}

// renamed is rename for one member. Whatever lay under the new name is gone. What
// was copied from the folder is remembered under its old name only.
func (p *person) renamed(from, to string) {
	for original := range maps.Clone(p.undone) {
		if original.folder == to {
			p.returnCopy(original)
		}
	}
	renamed(p.hidden, from, to)
	renamed(p.marks, from, to)
	renamed(p.ghosts, from, to)
	renamed(p.undone, from, to)
	for original, copied := range p.undone {
		p.undone[original] = copied.renamed(from, to)
	}
	maps.DeleteFunc(p.copied, func(_, copied spot) bool { return copied.folder == from || copied.folder == to })
}

// renamed gives all that lay in a folder, in whichever of its lives, its new
// place; what lay there before is forgotten.
func renamed[V any](list map[spot]V, from, to string) {
	maps.DeleteFunc(list, func(at spot, _ V) bool { return at.folder == to })
	for at, v := range maps.Clone(list) {
		if at.folder == from {
			delete(list, at)
			list[at.renamed(from, to)] = v
		}
	}
}

func (at spot) renamed(from, to string) spot {
	if at.folder == from {
		at.folder = to
	}
	return at
}
