package view

import (
	"errors"

	"github.com/emersion/go-imap/v2"
)

// ErrNoSuchMessage says that a set has a message number that the client does not
// count, which servers answer with BAD (RFC 9051, 9: seq-number).
var ErrNoSuchMessage = errors.New("no message has this number")

// SetToUpstream translates the client's set of message numbers, as FETCH, STORE,
// COPY and MOVE have it. Ranges may have their ends in either order; "*" is the
// last message of the view, and "n:*" with an n beyond it names none. The
// result is sorted and as short as can be, names no hidden message, and has no
// "*". The cost is in proportion to the ranges of the result.
//
// The error is [ErrNoSuchMessage], also for any set where the client counts no
// message. With nothing hidden the set is returned as it came, and it is the
// upstream that says so.
func (v *View) SetToUpstream(set imap.SeqSet) (imap.SeqSet, error) {
	if v.hidden.len() == 0 {
		return set, nil
	}
	count := v.Count()
	for _, r := range set {
		if count == 0 || r.Start > count || r.Stop > count { // "*" is 0
			return nil, ErrNoSuchMessage
		}
	}
	return v.seqsToUpstream(seqSpans(set, count)), nil
}

// SearchSetToUpstream is SetToUpstream for a set in a SEARCH, SORT or THREAD,
// where a number that the client does not count names nothing, as Dovecot has
// it. The result may be empty: then no message is named.
//
// A range stays one range, and so it may name hidden messages too: what is found
// of them is to be left out in any case, whatever the search is for.
func (v *View) SearchSetToUpstream(set imap.SeqSet) imap.SeqSet {
	if v.hidden.len() == 0 {
		return set
	}
	spans := seqSpans(set, v.Count())
	up := make(imap.SeqSet, 0, len(spans))
	for _, s := range spans {
		first, hasFirst := v.ToUpstream(ClientSeq(max(s.from, 1)))
		last, hasLast := v.ToUpstream(ClientSeq(min(s.to, uint64(v.Count()))))
		if hasFirst && hasLast && first <= last {
			up = append(up, imap.SeqRange{Start: uint32(first), Stop: uint32(last)})
		}
	}
	return up
}

// seqsToUpstream translates what the client counts of the spans.
func (v *View) seqsToUpstream(spans []span) imap.SeqSet {
	set := make(imap.SeqSet, 0, len(spans))
	for _, s := range spans {
		s.from, s.to = max(s.from, 1), min(s.to, uint64(v.Count()))
		if s.from <= s.to {
			set = v.appendUpstream(set, ClientSeq(s.from), ClientSeq(s.to))
		}
	}
	return set
}

// appendUpstream appends a range of numbers that the client counts, in pieces
// between the hidden messages.
func (v *View) appendUpstream(set imap.SeqSet, from, to ClientSeq) imap.SeqSet {
	first, behind := v.hidden.ahead(from), v.hidden.ahead(to)
	start, stop := uint32(from)+uint32(first), uint32(to)+uint32(behind)
	for i := first; i < behind; i++ {
		seq := uint32(v.hidden.seq(i))
		if start < seq {
			set = append(set, imap.SeqRange{Start: start, Stop: seq - 1})
		}
		start = seq + 1
	}
	return append(set, imap.SeqRange{Start: start, Stop: stop}) // the client counts stop: it is not hidden
}
