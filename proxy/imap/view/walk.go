package view

import "github.com/emersion/go-imap/v2"

// Walk looks up many messages of a View, one after another. Where they ascend, as
// in the answer to a SEARCH, each costs a step or two and no search. It is for
// as long as the view does not change.
type Walk struct {
	hidden *places
	at     int // how many hidden messages stand before the last one that was looked up
}

// Walk begins to look messages up.
func (v *View) Walk() Walk { return Walk{hidden: &v.hidden} }

// ToClient is [View.ToClient].
func (w *Walk) ToClient(seq UpstreamSeq) (ClientSeq, bool) {
	if !w.step(func(i int) bool { return w.hidden.seq(i) >= seq }) {
		w.at, _ = w.hidden.find(seq)
	}
	if seq == 0 || w.at < w.hidden.len() && w.hidden.seq(w.at) == seq {
		return 0, false
	}
	return ClientSeq(seq) - ClientSeq(w.at), true
}

// Hides is [View.Hides].
func (w *Walk) Hides(uid imap.UID) bool {
	if !w.step(func(i int) bool { return w.hidden.uid(i) >= uid }) {
		w.at = w.hidden.findUID(uid)
	}
	return w.at < w.hidden.len() && w.hidden.uid(w.at) == uid
}

// stepsAtMost is how many hidden messages are passed before it is searched.
const stepsAtMost = 4

// step goes on to the first hidden message that is not before what is looked
// for, and reports whether it was near.
func (w *Walk) step(reached func(i int) bool) bool {
	if w.at > 0 && reached(w.at-1) {
		return false
	}
	for range stepsAtMost {
		if w.at == w.hidden.len() || reached(w.at) {
			return true
		}
		w.at++
	}
	return false
}
