package message

import (
	"errors"
	"time"
)

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

// Opened is what a server says of a folder when it is opened.
type Opened struct {
	UIDValidity uint32
	UIDNext     uint32 // 0: it does not say
}

// ErrNoFolder is the error of a folder that does not exist.
var ErrNoFolder = errors.New("no such folder")
