package guard

import (
	"mailguard/member"
	"mailguard/message"
)

const box = "support@example.com"

func visitor(mailbox member.Mailbox, who member.Name) Visitor {
	return Visitor{Identity: member.Identity{Mailbox: mailbox, Member: who}, Protocol: member.POP3, NoFlags: true}
}

var listing = []message.Listed{{UniqueID: "u1", Size: 100}, {UniqueID: "u2", Size: 200}}
