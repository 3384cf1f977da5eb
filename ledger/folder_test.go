package ledger

import (
	"mailguard/member"
)

var inbox = FolderKey{Name: "INBOX", UIDValidity: 7}

// visitIMAP is visit by IMAP.
func (f *fixture) visitIMAP(name member.Name) Visit {
	v := f.visit(name)
	v.Protocol = member.IMAP
	return v
}
