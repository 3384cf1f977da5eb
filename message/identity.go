package message

// Identity is what a removal must find again before it removes a message: if
// any of it no longer fits, it is another message.
type Identity struct {
	ID          ID
	UniqueID    UniqueID
	Size        int64        // octets
	Fingerprint *Fingerprint // nil: never taken
}
