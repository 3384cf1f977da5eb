package view

import (
	"fmt"

	"github.com/emersion/go-imap/v2"
)

// The functions of this file follow what the upstream says. Where it cannot be
// right the view stays as it is, and the error is [ErrOutOfStep]. With nothing
// hidden or pending nothing of the guard's own is in the client's numbers, and
// all is passed as it is.

// Exists follows the upstream's EXISTS. It returns what the client counts, and
// whether that is new to it.
func (v *View) Exists(n uint32) (count uint32, changed bool, err error) {
	if n < v.exists {
		if !v.identity() {
			return v.Count(), false, fmt.Errorf("%d messages exist after %d: %w", n, v.exists, ErrOutOfStep)
		}
		v.last = Place{}
	}
	changed = n != v.exists
	v.exists = n
	return v.Count(), changed, nil
}

// Expunged follows the upstream's EXPUNGE. It returns the number of the EXPUNGE
// to pass to the client, and false where the client has been told already. A
// message that is pending is told here, and not by Report.
func (v *View) Expunged(seq UpstreamSeq) (n ClientSeq, tell bool, err error) {
	if seq == 0 || uint32(seq) > v.exists {
		if v.identity() {
			v.exists -= min(v.exists, 1)
			v.last = Place{}
			return ClientSeq(seq), true, nil
		}
		return 0, false, fmt.Errorf("message %d of %d is expunged: %w", seq, v.exists, ErrOutOfStep)
	}
	n, tell = v.ToClient(seq)
	v.hidden.expunged(seq)
	v.pending.expunged(seq)
	switch {
	case v.last.Seq == seq:
		v.last = Place{}
	case v.last.Seq > seq:
		v.last.Seq--
	}
	v.exists--
	return n, tell, nil
}

// Vanished follows the upstream's VANISHED (RFC 7162, 3.2.10), which names every
// message that is gone by its UID, and none that was not there. It returns what
// of it the client has not been told yet: nothing, if the set is empty.
func (v *View) Vanished(set imap.UIDSet) (tell imap.UIDSet, err error) {
	gone := uidSpans(set)
	n := size(gone)
	if v.identity() {
		v.exists -= uint32(min(n, uint64(v.exists)))
		v.last = Place{}
		return set, nil
	}
	var all places
	all.add(v.hidden.settled())
	all.add(v.pending.settled())
	if _, ok := all.without(gone); !ok || n > uint64(v.exists) || set.Dynamic() {
		return nil, fmt.Errorf("%d messages of %d vanish: %w", n, v.exists, ErrOutOfStep)
	}
	tell = v.hidden.outside(gone)
	v.hidden, _ = v.hidden.without(gone) // all of them fit, and so do some
	v.pending, _ = v.pending.without(gone)
	v.last = Place{}
	v.exists -= uint32(n)
	return tell, nil
}

// identity reports whether the client's numbers are the upstream's, and will be
// after the next Report.
func (v *View) identity() bool { return v.hidden.len() == 0 && v.pending.len() == 0 }
