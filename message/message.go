package message

// ID is the ledger's own number of one copy of a message in one mailbox. It
// never leaves the ledger's mailbox and is never used again for another
// message. Zero means that the ledger has not seen the message.
type ID int64

// UniqueID is a message's unique-id as the upstream's UIDL lists it: 1 to 70
// octets from 0x21 to 0x7E (RFC 1939, 7). It is kept and shown unchanged.
type UniqueID string

// maxUniqueID is the longest unique-id, in octets (RFC 1939, 7).
const maxUniqueID = 70

// Valid reports whether u is a unique-id as RFC 1939 defines it. A message
// without a valid one cannot be remembered safely.
func (u UniqueID) Valid() bool {
	if len(u) == 0 || len(u) > maxUniqueID {
		return false
	}
	for i := range len(u) {
		if u[i] < 0x21 || u[i] > 0x7e {
			return false
		}
	}
	return true
}

// Listed is one line of a maildrop's listing: what UIDL and LIST say of a
// message. The order of a listing is the upstream's.
type Listed struct {
	UniqueID UniqueID
	Size     int64 // octets, as LIST says
}
