package account

import (
	"errors"
	"slices"

	"github.com/emersion/go-imap/v2"

	"mailguard/message"
)

// longestSet is the longest set that is sent, in octets: Exchange takes lines of
// about 10 kB.
const longestSet = 8000

// errNoUID is the error of the number 0, which is no message's. On the wire it
// would become "*", and name the last one.
var errNoUID = errors.New("0 is not the UID of a message")

// pieces makes sets of exactly these UIDs, each short enough for a command. No
// UID at all makes none.
func pieces(uids []message.UID) ([]imap.UIDSet, error) {
	sorted := slices.Clone(uids)
	slices.Sort(sorted)
	sorted = slices.Compact(sorted)
	if len(sorted) > 0 && sorted[0] == 0 {
		return nil, errNoUID
	}
	var all []imap.UIDSet
	var set imap.UIDSet
	length := 0
	for _, r := range ranges(sorted) {
		own := len(imap.UIDSet{r}.String()) + len(",")
		if length+own > longestSet {
			all, set, length = append(all, set), nil, 0
		}
		set, length = append(set, r), length+own
	}
	if len(set) > 0 {
		all = append(all, set)
	}
	return all, nil
}

// ranges joins what follows each other in sorted UIDs.
func ranges(sorted []message.UID) []imap.UIDRange {
	var all []imap.UIDRange
	for _, u := range sorted {
		uid := imap.UID(u)
		if n := len(all); n > 0 && all[n-1].Stop+1 == uid {
			all[n-1].Stop = uid
			continue
		}
		all = append(all, imap.UIDRange{Start: uid, Stop: uid})
	}
	return all
}
