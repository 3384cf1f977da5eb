package pop3

import "mailguard/message"

// maildrop is the maildrop as this member sees it: what the upstream lists,
// less what is hidden, numbered 1..n. Numbers do not change within a session
// (RFC 1939, 3). It is pure; the places of messages in the upstream's listing
// count from 0.
type maildrop struct {
	listing []message.Listed
	visible []int                    // the place of each message that the member sees, in order
	deleted map[int]bool             // by number-1
	taken   map[int]bool             // the places of the messages that the deletions are of
	twins   map[message.Listed][]int // places of visible messages that cannot be told apart
}

// newMaildrop returns the view of a listing.
func newMaildrop(listing []message.Listed, hidden []bool) *maildrop {
	d := &maildrop{listing: listing, deleted: make(map[int]bool), taken: make(map[int]bool), twins: make(map[message.Listed][]int)}
	first := make(map[message.Listed]int, len(listing))
	for i, m := range listing {
		if hidden[i] {
			continue
		}
		d.visible = append(d.visible, i)
		if j, twin := first[m]; !twin {
			first[m] = i
		} else if len(d.twins[m]) == 0 {
			d.twins[m] = []int{j, i}
		} else {
			d.twins[m] = append(d.twins[m], i)
		}
	}
	return d
}

// place returns the place of message number n, and false if there is no such
// message or this session has deleted it (RFC 1939, 5).
func (d *maildrop) place(n int) (int, bool) {
	if n < 1 || n > len(d.visible) {
		return 0, false
	}
	return d.visible[n-1], !d.deleted[n-1]
}

// victim returns the place of the message that a deletion of number n is of.
// Of messages that POP3 cannot tell apart the first is taken that this session
// has not deleted yet: k deletions are then of the first k, for everybody, and
// can be compared.
func (d *maildrop) victim(n int) (int, bool) {
	i, ok := d.place(n)
	if !ok {
		return 0, false
	}
	for _, j := range d.twins[d.listing[i]] {
		if !d.taken[j] {
			return j, true
		}
	}
	return i, true
}

// delete marks number n as deleted; its victim is what victim returned.
func (d *maildrop) delete(n, victim int) {
	d.deleted[n-1] = true
	d.taken[victim] = true
}

// reset takes all deletions of the session back (RFC 1939, 5, RSET).
func (d *maildrop) reset() {
	clear(d.deleted)
	clear(d.taken)
}

// each calls f for every message that is there, with its number.
func (d *maildrop) each(f func(n, place int)) {
	for k, i := range d.visible {
		if !d.deleted[k] {
			f(k+1, i)
		}
	}
}

// stat returns how many messages there are, and their octets.
func (d *maildrop) stat() (count int, octets int64) {
	d.each(func(_, i int) {
		count++
		octets += d.listing[i].Size
	})
	return count, octets
}
