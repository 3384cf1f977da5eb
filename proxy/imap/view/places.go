package view

import (
	"cmp"
	"slices"
	"sort"

	"github.com/emersion/go-imap/v2"
)

// places are messages in the order of their numbers, which is that of their
// UIDs as well (RFC 9051, 2.3.1.1).
//
// An EXPUNGE moves every message behind it. That is not written down for each of
// them: from split on, the numbers in the list are too high by lag. EXPUNGEs come
// in sweeps, up or down the folder, and so split moves a little each time. Where
// they come in no order it moves over a third of the list on average.
type places struct {
	list  []Place
	split int
	lag   UpstreamSeq // may wrap around, as what is stored does
}

func (p *places) len() int { return len(p.list) }

func (p *places) seq(i int) UpstreamSeq {
	if i >= p.split {
		return p.list[i].Seq - p.lag
	}
	return p.list[i].Seq
}

func (p *places) uid(i int) imap.UID { return p.list[i].UID }

func (p *places) at(i int) Place { return Place{Seq: p.seq(i), UID: p.uid(i)} }

// find returns how many messages stand before a number, and whether it is one of
// the messages itself.
func (p *places) find(seq UpstreamSeq) (int, bool) {
	i := sort.Search(len(p.list), func(i int) bool { return p.seq(i) >= seq })
	return i, i < len(p.list) && p.seq(i) == seq
}

func (p *places) has(seq UpstreamSeq) bool {
	_, found := p.find(seq)
	return found
}

// findUID returns how many messages have a lower UID.
func (p *places) findUID(uid imap.UID) int {
	return sort.Search(len(p.list), func(i int) bool { return p.uid(i) >= uid })
}

// ahead returns how many messages stand before the one that is the n-th when
// they are not counted: message i has seq(i)-i-1 others before it.
func (p *places) ahead(n ClientSeq) int {
	return sort.Search(len(p.list), func(i int) bool { return uint32(p.seq(i))-uint32(i) > uint32(n) })
}

// before is the message in front of message i, or the zero Place, which stands
// before every message.
func (p *places) before(i int) Place {
	if i == 0 {
		return Place{}
	}
	return p.at(i - 1)
}

// follows reports whether no message stands between message i and the one
// before it, or the beginning of the folder. Then no message has a UID
// between theirs, nor ever will.
func (p *places) follows(i int) bool { return p.seq(i) == p.before(i).Seq+1 }

// fits reports whether a place can be right beside these.
func (p *places) fits(q Place) bool {
	i, found := p.find(q.Seq)
	if found {
		return p.uid(i) == q.UID
	}
	return p.before(i).precedes(q) && (i == len(p.list) || q.precedes(p.at(i)))
}

// precedes reports whether p can stand before q: it has a lower number, and a
// UID that leaves one for each message between them.
func (p Place) precedes(q Place) bool {
	return p.Seq < q.Seq && p.UID < q.UID && uint32(q.UID-p.UID) >= uint32(q.Seq-p.Seq)
}

func bySeq(a, b Place) int { return cmp.Compare(a.Seq, b.Seq) }

// add puts messages in that are not in yet. They are in order.
func (p *places) add(more []Place) {
	i, j := len(p.list)-1, len(more)-1
	p.list = append(p.settled(), more...)
	for k := len(p.list) - 1; j >= 0; k-- { // from the end: nothing is overwritten before it has moved
		if i >= 0 && p.list[i].Seq > more[j].Seq {
			p.list[k] = p.list[i]
			i--
		} else {
			p.list[k] = more[j]
			j--
		}
	}
	p.split = len(p.list)
}

// settled writes the lag down for all, and returns the list.
func (p *places) settled() []Place {
	p.moveSplit(len(p.list))
	return p.list
}

func (p *places) moveSplit(to int) {
	for ; p.split < to; p.split++ {
		p.list[p.split].Seq -= p.lag
	}
	for p.split > to {
		p.split--
		p.list[p.split].Seq += p.lag
	}
}

// expunged follows the upstream's EXPUNGE.
func (p *places) expunged(seq UpstreamSeq) {
	i, found := p.find(seq)
	p.moveSplit(i)
	if found {
		p.list = slices.Delete(p.list, i, i+1)
	}
	p.lag++
}

// without is what is left when the messages of the spans are gone, and false
// where that cannot be.
func (p *places) without(gone []span) (places, bool) {
	left := places{list: make([]Place, 0, len(p.list))}
	var lower uint64 // UIDs that are gone, lower than the message's
	for i := range p.list {
		q := p.at(i)
		for len(gone) > 0 && gone[0].to < uint64(q.UID) {
			lower += gone[0].size()
			gone = gone[1:]
		}
		if len(gone) > 0 && gone[0].from <= uint64(q.UID) {
			continue
		}
		if lower >= uint64(q.Seq) {
			return places{}, false
		}
		q.Seq -= UpstreamSeq(lower)
		if !left.before(len(left.list)).precedes(q) {
			return places{}, false
		}
		left.list = append(left.list, q)
	}
	return left, true
}
