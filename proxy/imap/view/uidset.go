package view

import (
	"errors"
	"fmt"

	"github.com/emersion/go-imap/v2"
)

// ErrLastUnknown says that a set of UIDs speaks of the last message of the view,
// whose UID is not known: see [View.Last].
var ErrLastUnknown = errors.New("the UID of the last message is not known")

// ErrSaved says that a set is "$", the result of the last search: the upstream
// keeps it, and hidden messages may be in it.
var ErrSaved = errors.New("the result of a search cannot be used here")

// UIDsToUpstream is the client's set of UIDs less the hidden ones. "*" is the
// last message of the view, and so is "n:*" where n is higher than its UID (RFC
// 9051, 6.4.9). The upstream's last message may be another at any moment, and so
// "*" becomes a UID, or a range up to the largest UID that there can be: a
// message that is about to arrive is not lost.
//
// The result is sorted and as short as can be: UIDs that no message can have,
// between two hidden ones, are left out or in. It may be empty, as nothing of
// the set is there to be seen, and then nothing may go upstream. UIDs of messages
// that do not exist may be in it.
//
// The error is [ErrLastUnknown]: the caller asks the upstream for the UID of the
// message with the number v.Last().Seq, gives the answer to [View.Learn], and
// tries again. Or it is [ErrSaved]. With nothing hidden the set is returned as
// it came.
func (v *View) UIDsToUpstream(set imap.UIDSet) (imap.UIDSet, error) {
	if v.hidden.len() == 0 {
		return set, nil
	}
	if imap.IsSearchRes(set) {
		return nil, ErrSaved
	}
	spans, err := v.withoutStar(uidSpans(set))
	if err != nil {
		return nil, err
	}
	return v.hidden.outside(spans), nil
}

// UIDsAround is UIDsToUpstream with the hidden messages that are within the
// ranges: a short set, for a command whose answers the caller sorts out and that
// does nothing to what is hidden.
func (v *View) UIDsAround(set imap.UIDSet) (imap.UIDSet, error) {
	if v.hidden.len() == 0 {
		return set, nil
	}
	if imap.IsSearchRes(set) {
		return nil, ErrSaved
	}
	spans, err := v.withoutStar(uidSpans(set))
	if err != nil {
		return nil, err
	}
	var around imap.UIDSet
	for _, s := range spans {
		around = appendEnd(around, s.from, s.to)
	}
	return around, nil
}

// withoutStar says in numbers what the last span means, if it ends in "*".
func (v *View) withoutStar(spans []span) ([]span, error) {
	n := len(spans) - 1
	if n < 0 || spans[n].to != star {
		return spans, nil
	}
	from := spans[n].from
	spans = spans[:n]
	last := v.Last()
	lowest, _ := v.bounds(last.Seq)
	switch {
	case last.Seq == 0 || from <= uint64(lowest): // there is none, or it is in the span as any other
	case last.UID == 0:
		return nil, ErrLastUnknown
	default:
		spans = append(spans, span{uint64(last.UID), uint64(last.UID)})
		if from > uint64(last.UID) { // nothing is left in it but what arrives
			from = max(from, uint64(v.hidden.uid(v.hidden.len()-1))+1)
		}
	}
	if from <= maxUID {
		spans = append(spans, span{from, maxUID})
	}
	return normal(spans), nil
}

// Last is the last message of the view. Its number is 0 where the client counts
// none, its UID is 0 where that is not known.
func (v *View) Last() Place {
	seq, ok := v.ToUpstream(ClientSeq(v.Count()))
	if !ok {
		return Place{}
	}
	if v.last.Seq == seq {
		return v.last
	}
	if i, found := v.pending.find(seq); found {
		return v.pending.at(i)
	}
	if lowest, highest := v.bounds(seq); lowest == highest {
		return Place{Seq: seq, UID: lowest}
	}
	return Place{Seq: seq}
}

// Learn takes the UID of the last message of the view. A place that is no longer
// the last is forgotten. One that cannot be right is not kept, and the error is
// [ErrOutOfStep].
func (v *View) Learn(last Place) error {
	if last.Seq != v.Last().Seq {
		return nil
	}
	if !v.hidden.fits(last) || !v.pending.fits(last) {
		return fmt.Errorf("message %d has the UID %d: %w", last.Seq, last.UID, ErrOutOfStep)
	}
	v.last = last
	return nil
}

// bounds are the lowest and the highest UID that the last message of the view can
// have: those behind it are hidden, and between it and the last hidden one before
// it each message has a UID.
func (v *View) bounds(seq UpstreamSeq) (lowest, highest imap.UID) {
	i, _ := v.hidden.find(seq)
	before := v.hidden.before(i)
	lowest, highest = before.UID+imap.UID(seq-before.Seq), star-1
	if i < v.hidden.len() {
		highest = v.hidden.uid(i) - 1
	}
	return lowest, highest
}

// outside is what of the spans none of these messages has. UIDs that no message
// can have are left out.
func (p *places) outside(spans []span) imap.UIDSet {
	set := make(imap.UIDSet, 0, len(spans))
	for _, s := range spans {
		set = p.appendOutside(set, s)
	}
	return set
}

// maxUID is the highest UID that goes upstream as a number. One more would be the
// last that there can be, and that is "*" to Cyrus: the last message, whatever its
// UID, and hidden perhaps.
const maxUID = star - 2

// appendEnd appends what is left of a span behind the last hidden message in it.
func appendEnd(set imap.UIDSet, from, to uint64) imap.UIDSet {
	if to == star { // "*" is 0
		return append(set, imap.UIDRange{Start: imap.UID(from & (star - 1))})
	}
	if from > maxUID {
		return set
	}
	return append(set, imap.UIDRange{Start: imap.UID(from), Stop: imap.UID(min(to, maxUID))})
}

func (p *places) appendOutside(set imap.UIDSet, s span) imap.UIDSet {
	start, i := s.from, p.len()
	if start < star {
		i = p.findUID(imap.UID(start))
	}
	for ; i < p.len() && uint64(p.uid(i)) <= s.to; i++ {
		uid := uint64(p.uid(i))
		if start < uid && !p.follows(i) {
			set = append(set, imap.UIDRange{Start: imap.UID(start), Stop: imap.UID(uid - 1)})
		}
		start = uid + 1
	}
	if start <= s.to && (i == p.len() || !p.follows(i)) {
		set = appendEnd(set, start, s.to)
	}
	return set
}
