package imapconn

import (
	"fmt"
	"slices"
)

// folder is what a client knows of the selected folder, from the responses that
// it got.
type folder struct {
	exists  int          // messages
	known   []message    // those with a known UID, in order
	gone    map[int]int  // UIDs that were reported as expunged, and when
	next    int          // UIDNEXT at SELECT, 0 for unknown
	old     int          // how many of the first messages were there at SELECT
	missing map[int]bool // numbers that a FETCH should have shown, and did not
}

// message is one whose UID is known.
type message struct{ number, uid int }

func newFolder(exists int) folder {
	return folder{exists: exists, gone: make(map[int]int), missing: make(map[int]bool)}
}

// at is the place in known of a number, and whether it stands there.
func (f *folder) at(number int) (int, bool) {
	return slices.BinarySearchFunc(f.known, number, func(m message, n int) int { return m.number - n })
}

// uid is that of a number, 0 for unknown.
func (f *folder) uid(number int) int {
	if i, ok := f.at(number); ok {
		return f.known[i].uid
	}
	return 0
}

// number is that of a UID, 0 for unknown.
func (f *folder) number(uid int) int {
	i, ok := slices.BinarySearchFunc(f.known, uid, func(m message, uid int) int { return m.uid - uid })
	if !ok {
		return 0
	}
	return f.known[i].number
}

// expunge takes a message out; those behind it move up.
func (f *folder) expunge(number, when int) {
	i, ok := f.at(number)
	if ok {
		f.gone[f.known[i].uid] = when
		f.known = slices.Delete(f.known, i, i+1)
	}
	for j := i; j < len(f.known); j++ {
		f.known[j].number--
	}
	f.exists--
	if number <= f.old {
		f.old--
	}
	f.moveMissing(number)
}

func (f *folder) moveMissing(expunged int) {
	if len(f.missing) == 0 {
		return
	}
	moved := make(map[int]bool)
	for n := range f.missing {
		if n > expunged {
			n--
		} else if n == expunged {
			continue // so that is why
		}
		moved[n] = true
	}
	f.missing = moved
}

// vanish takes messages out by their UIDs. Where one was not known nobody can
// tell which numbers the messages behind it have.
func (f *folder) vanish(set string, when int) {
	clear(f.missing)
	_ = eachRange(set, func(low, high int) { // whoever counted has seen that it is a set
		for uid := low; uid <= high; uid++ {
			if n := f.number(uid); n > 0 {
				f.expunge(n, when)
				continue
			}
			f.gone[uid] = when
			f.known = slices.DeleteFunc(f.known, func(m message) bool { return m.uid > uid })
			f.exists--
			f.old = 0
			f.next = 0
		}
	})
}

// learn takes the UID of a message from a FETCH response.
func (f *folder) learn(number, uid int) string {
	i, ok := f.at(number)
	if ok && f.known[i].uid != uid {
		return fmt.Sprintf("message %d had UID %d and has UID %d now (RFC 9051, 2.3.1.1)", number, f.known[i].uid, uid)
	}
	if ok {
		return ""
	}
	if _, back := f.gone[uid]; back {
		return fmt.Sprintf("UID %d was reported as expunged, and is back", uid)
	}
	if i > 0 && f.known[i-1].uid >= uid || i < len(f.known) && f.known[i].uid <= uid {
		return fmt.Sprintf("UID %d of message %d is not in order (RFC 9051, 2.3.1.1)", uid, number)
	}
	if f.next > 0 && (number <= f.old) != (uid < f.next) {
		return fmt.Sprintf("UID %d of message %d does not go with UIDNEXT %d (RFC 9051, 2.3.1.1)", uid, number, f.next)
	}
	f.known = slices.Insert(f.known, i, message{number, uid})
	return ""
}

// highest is the largest UID that the client has heard of.
func (f *folder) highest() int {
	highest := 0
	for uid := range f.gone {
		highest = max(highest, uid)
	}
	if len(f.known) > 0 {
		highest = max(highest, f.known[len(f.known)-1].uid)
	}
	return highest
}

// goneIn is a UID of a set that was reported as expunged before a time, 0 for
// none.
func (f *folder) goneIn(set string, before int) int {
	found := 0
	_ = eachRange(set, func(low, high int) { // what is no set holds nothing
		for uid, when := range f.gone {
			if low <= uid && uid <= high && when < before {
				found = uid
			}
		}
	})
	return found
}
