package view

import (
	"errors"
	"fmt"
	"slices"

	"github.com/emersion/go-imap/v2"
)

// ClientSeq is a message number as this member's client counts, from 1.
type ClientSeq uint32

// ErrOutOfStep says that the upstream's message numbers do not fit together: a
// number that is not there, a folder that shrinks without an EXPUNGE, two
// messages in one place. From then on a number may mean another message than
// the client's, so the session has to end.
var ErrOutOfStep = errors.New("the upstream's message numbers do not fit together")

// View is what one member sees of the open folder. A message that this member
// deletes leaves it in two steps: [View.Hide] makes it pending, which the client
// does not know yet, and [View.Report] makes it hidden.
//
// There is no way back: a message that is restored cannot be put between others
// that the client has numbered already. It returns when the folder is next
// opened.
//
// Memory is in proportion to what is hidden, never to the folder. With nothing
// hidden every translation is the identity, and a set is returned as it came. A
// View belongs to one owner. The zero value is that of an empty folder.
type View struct {
	exists  uint32 // messages upstream
	hidden  places // the client does not count them
	pending places // the client counts them still
	last    Place  // as given to Learn; it may no longer be the last
}

// Count is the number of messages that the client counts: those that are
// pending are among them.
func (v *View) Count() uint32 { return v.exists - uint32(v.hidden.len()) }

// Upstream is the number of messages upstream, hidden ones among them.
func (v *View) Upstream() uint32 { return v.exists }

// Pending is the number of messages that the next Report tells of.
func (v *View) Pending() int { return v.pending.len() }

// Len is the number of hidden messages, without those that are pending.
func (v *View) Len() int { return v.hidden.len() }

// Hide makes messages pending: the client counts each until it is reported, and
// may fetch it. Places are those of this moment. Messages that are pending or
// hidden already stay so. Where the places cannot be right nothing is hidden, and
// the error is [ErrOutOfStep].
func (v *View) Hide(messages ...Place) error {
	sorted := slices.Clone(messages)
	slices.SortFunc(sorted, bySeq)
	sorted = slices.Compact(sorted)
	fresh, before := sorted[:0], Place{}
	for _, p := range sorted {
		if uint32(p.Seq) > v.exists || !before.precedes(p) || !v.hidden.fits(p) || !v.pending.fits(p) {
			return fmt.Errorf("hide message %d with UID %d: %w", p.Seq, p.UID, ErrOutOfStep)
		}
		before = p
		if !v.hidden.has(p.Seq) && !v.pending.has(p.Seq) {
			fresh = append(fresh, p)
		}
	}
	v.pending.add(fresh)
	return nil
}

// Report hides all that is pending and returns the numbers of the EXPUNGEs to
// send. It is called only at a moment when the client may be told
// (RFC 9051, 7.5.1: not while nothing is under way, nor in the answer to FETCH,
// STORE or SEARCH). The highest number comes first: an EXPUNGE moves only what
// stands behind it, so each number is right when its turn comes.
func (v *View) Report() []ClientSeq {
	n := v.pending.len()
	if n == 0 {
		return nil
	}
	numbers := make([]ClientSeq, n)
	for i := range n {
		numbers[n-1-i], _ = v.ToClient(v.pending.seq(i)) // what is pending is not hidden
	}
	v.hidden.add(v.pending.settled())
	v.pending = places{}
	return numbers
}

// ToClient is the client's number of a message, and false where the client does
// not count it. Where the message of the upstream's UNSEEN code is not
// counted, the first one unseen is another, which only a search can find.
func (v *View) ToClient(seq UpstreamSeq) (ClientSeq, bool) {
	i, hidden := v.hidden.find(seq)
	if hidden || seq == 0 {
		return 0, false
	}
	return ClientSeq(seq) - ClientSeq(i), true
}

// ToUpstream is the upstream's number of a message that the client counts, and
// false where there is none with this number.
func (v *View) ToUpstream(n ClientSeq) (UpstreamSeq, bool) {
	if n == 0 || uint32(n) > v.Count() {
		return 0, false
	}
	return UpstreamSeq(n) + UpstreamSeq(v.hidden.ahead(n)), true
}

// PendingUIDs are the messages that the next Report tells of, in ascending order.
func (v *View) PendingUIDs() imap.UIDSet {
	var set imap.UIDSet
	for i := range v.pending.len() {
		set.AddNum(v.pending.uid(i))
	}
	return set
}

// Hides reports whether the message with this UID is hidden.
func (v *View) Hides(uid imap.UID) bool {
	i := v.hidden.findUID(uid)
	return i < v.hidden.len() && v.hidden.uid(i) == uid
}

// Hidden are the hidden messages, as few ranges as there can be: a range may
// span UIDs that no message has.
func (v *View) Hidden() imap.UIDSet {
	var set imap.UIDSet
	for i := range v.hidden.len() {
		uid := v.hidden.uid(i)
		if i > 0 && v.hidden.follows(i) {
			set[len(set)-1].Stop = uid
		} else {
			set = append(set, imap.UIDRange{Start: uid, Stop: uid})
		}
	}
	return set
}
