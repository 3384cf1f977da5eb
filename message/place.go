package message

import (
	"fmt"
	"strconv"
	"strings"
)

// Place is where a message lies in a folder whose name is known otherwise.
type Place struct {
	UIDValidity uint32
	UID         UID
}

// Place reads a unique-id that names a place in the INBOX: the formats of
// Dovecot (pop3_uidl_format = %08Xu%08Xv: UID and UIDVALIDITY in sixteen
// hexadecimal digits) and of Cyrus ("UIDVALIDITY.UID" in decimal ones). Others
// may look the same: it is a guess until the folder is known to have this
// UIDVALIDITY, and the message there this size.
func (u UniqueID) Place() (Place, bool) {
	if validity, uid, ok := strings.Cut(string(u), "."); ok {
		return place(validity, uid, 10)
	}
	if len(u) != 16 {
		return Place{}, false
	}
	return place(string(u[8:]), string(u[:8]), 16)
}

func place(validity, uid string, base int) (Place, bool) {
	v, err := strconv.ParseUint(validity, base, 32)
	if err != nil || v == 0 {
		return Place{}, false
	}
	n, err := strconv.ParseUint(uid, base, 32)
	if err != nil || n == 0 {
		return Place{}, false
	}
	p := Place{uint32(v), UID(n)}
	return p, base == 16 || p.decimal() == validity+"."+uid // "+7" and "007" are numbers, too
}

func (p Place) decimal() string { return fmt.Sprintf("%d.%d", p.UIDValidity, p.UID) }

// UniqueIDs are all unique-ids of which Place says that they name this place.
func (p Place) UniqueIDs() []UniqueID {
	hex := fmt.Sprintf("%08x%08x", uint32(p.UID), p.UIDValidity)
	return []UniqueID{UniqueID(hex), UniqueID(strings.ToUpper(hex)), UniqueID(p.decimal())}
}
