package imap

import (
	"slices"

	"github.com/emersion/go-imap/v2"

	"mailguard/message"
	"mailguard/proxy/imap/command"
	"mailguard/proxy/imap/view"
	"mailguard/proxy/imap/wire"
)

// uidSet is a set of exactly these UIDs.
func uidSet(uids []message.UID) imap.UIDSet {
	sorted := slices.Sorted(slices.Values(uids))
	var set imap.UIDSet
	for _, u := range sorted { // ascending: AddNum is slow in any other order
		set.AddNum(imap.UID(u))
	}
	return set
}

// byUID names messages by their UIDs.
func byUID(uids []message.UID) command.Messages {
	return command.Messages{Set: uidSet(uids), UID: true}
}

// chunks cuts a set into pieces that every server takes. Message numbers stay
// what they are from one piece to the next where the pieces are FETCH, STORE or
// SEARCH: nothing goes in the answers to these (RFC 9051, 7.5.1).
func chunks(m command.Messages) (all []command.Messages) {
	switch set := m.Set.(type) {
	case imap.UIDSet:
		for _, chunk := range wire.ChunkUIDSet(set, maxSet) {
			all = append(all, command.Messages{Set: chunk, UID: true})
		}
	case imap.SeqSet:
		for _, chunk := range wire.ChunkSeqSet(set, maxSet) {
			all = append(all, command.Messages{Set: chunk})
		}
	default:
		all = []command.Messages{m}
	}
	return all
}

// uidsOf are the UIDs of places.
func uidsOf(places []view.Place) []message.UID {
	uids := make([]message.UID, len(places))
	for i, p := range places {
		uids[i] = message.UID(p.UID)
	}
	return uids
}

// wireUIDs are UIDs as the view has them.
func wireUIDs(uids []message.UID) []imap.UID {
	all := make([]imap.UID, len(uids))
	for i, u := range uids {
		all[i] = imap.UID(u)
	}
	return all
}

// isEmpty reports whether no messages are named.
func isEmpty(m command.Messages) bool {
	switch set := m.Set.(type) {
	case imap.UIDSet:
		return len(set) == 0
	case imap.SeqSet:
		return len(set) == 0
	}
	return true
}
