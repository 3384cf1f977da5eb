package views

import (
	"strings"

	"pgregory.net/rapid"
)

func (h *history) rename() {
	from, to := "Archive", "Attic"
	if h.model.folders[from] == nil {
		from, to = to, from
	}
	f := h.model.folders[from]
	h.evict(f)
	h.past("EXAMINE INBOX") // it must not lie open anywhere
	if h.bypass {
		h.past("RENAME " + from + " " + to)
		h.model.rename(from, to, false)
		h.renamed(f)
		return
	}
	s := h.any()
	s.do(act{"RENAME " + from + " " + to, func(_ []string, tagged string) {
		ok := strings.HasPrefix(tagged, "OK")
		may := h.mixed && !h.model.holds(f)
		if ok != may && !(h.mixed && h.model.remembered(from)) {
			h.fail("%s: RENAME of %s, which may be renamed: %v: %s", s.name, from, may, tagged)
		}
		if ok {
			h.model.rename(from, to, true)
			h.renamed(f)
		}
	}})
}

// renamed reads what has become of a folder's numbers.
func (h *history) renamed(f *folder) {
	now := h.look(f.name)
	if now.validity != f.validity || now.next != f.next {
		h.fail("%s has UIDVALIDITY %d and UIDNEXT %d now, and had %d and %d", f.name, now.validity, now.next, f.validity, f.next)
	}
}

// evict has all sessions leave a folder.
func (h *history) evict(f *folder) {
	for _, s := range h.sessions {
		if s.folder == f {
			s.must(act{"UNSELECT", func([]string, string) { s.leave(); s.picture.selecting() }})
		}
	}
}

// recreate deletes a folder past the guard and makes it anew.
func (h *history) recreate() {
	name := rapid.SampledFrom([]string{"Trash", "Archive"}).Draw(h.T, "folder")
	f := h.model.folders[name]
	if f == nil {
		h.T.Skip("it has another name")
	}
	h.evict(f)
	h.past("EXAMINE INBOX")
	h.past("DELETE " + name)
	h.past("CREATE " + name)
	anew := h.look(name)
	if anew.validity == f.validity {
		h.fail("%s has its old UIDVALIDITY", name)
	}
	h.model.folders[name] = anew
}
