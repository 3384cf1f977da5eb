package message

import "time"

// UID is a message's unique identifier in one folder, as IMAP shows it: never
// 0, and never given to another message while the folder keeps its UIDVALIDITY
// (RFC 9051, 2.3.1.1).
type UID uint32

// Seen is what a FETCH showed of a message in a folder.
type Seen struct {
	UID          UID
	Size         int64     // octets; 0: not known
	InternalDate time.Time // zero: not known
	Flags        []string  // as they are upstream, spelt as in RFC 9051
}

// Found is what somebody who can remove messages read of one.
type Found struct {
	Seen

	Fingerprint *Fingerprint // nil: not asked for, or there is none
	Deleted     bool         // \Deleted is set upstream
}
