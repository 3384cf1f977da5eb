package policy

import (
	"net/netip"
	"time"

	"mailguard/member"
)

// Op is the kind of a deletion.
type Op string

// The ops, as rules write them.
const (
	POP3Dele         Op = "pop3.dele"
	IMAPExpunge      Op = "imap.expunge"
	IMAPMove         Op = "imap.move"
	IMAPReplace      Op = "imap.replace"
	IMAPDeleteFolder Op = "imap.delete_folder"
	IMAPRenameFolder Op = "imap.rename_folder"
)

// ofFolder reports whether a whole folder is what goes: there is no message to
// have facts of.
func (o Op) ofFolder() bool { return o == IMAPDeleteFolder || o == IMAPRenameFolder }

// Facts are all that a verdict and a release condition may rest on: one
// serialisable value. The guard fills it in, the ledger keeps it with the
// decision, and the same function reads it again to explain or to replay.
type Facts struct {
	Op             Op           `json:"op"`
	Folder         string       `json:"folder"`                    // without namespace prefix, "/" between levels
	Destination    string       `json:"destination,omitempty"`     // "" where there is none
	FolderUse      string       `json:"folder_use,omitempty"`      // RFC 6154 special use, lower case
	DestinationUse string       `json:"destination_use,omitempty"` // the same
	Mailbox        MailboxFacts `json:"mailbox"`
	Member         MemberFacts  `json:"member"`
	Message        MessageFacts `json:"message"`
	Now            time.Time    `json:"now"`
}

// MailboxFacts are the facts of the mailbox, its members included.
type MailboxFacts struct {
	Name      member.Mailbox `json:"name"`
	Shared    bool           `json:"shared"`
	QuotaUsed int            `json:"quota_used"` // whole percent; -1 unknown
	Everyone  Everyone       `json:"everyone"`
}

// MemberFacts are the facts of the one who deletes.
type MemberFacts struct {
	Name     member.Name     `json:"name"`
	Protocol member.Protocol `json:"protocol"`
	Address  netip.Addr      `json:"address"`
	Client   string          `json:"client,omitempty"` // as the client named itself (IMAP ID), "" unknown
	Proof    member.Proof    `json:"proof,omitempty"`
}

// MessageFacts are the facts of the message.
type MessageFacts struct {
	FirstSeen  time.Time  `json:"first_seen"` // INTERNALDATE, else when the guard first listed it
	Size       int64      `json:"size"`       // octets
	Flags      []string   `json:"flags,omitempty"`
	FlagsKnown bool       `json:"flags_known"` // false: the upstream has `imap:` and nobody has looked
	Fetched    []Progress `json:"fetched,omitempty"`
	Deleted    []Progress `json:"deleted,omitempty"` // who has deleted it, by which protocol
	LeftAlone  []Progress `json:"left_alone,omitempty"`
	Held       bool       `json:"held"`
	Pinned     bool       `json:"pinned"`
	Joined     bool       `json:"joined,omitempty"` // it is known by its POP3 unique-id and by its UID: what was done by both protocols is here
}

// Progress says that a member did something with the message by a protocol.
type Progress struct {
	Member   member.Name     `json:"member"`
	Protocol member.Protocol `json:"protocol"`
}

// Everyone is what is known about who uses a mailbox: what everyone_is_done()
// and everyone_has_fetched() rest on.
type Everyone struct {
	Configured   []member.Name `json:"configured,omitempty"` // the members that the configuration lists
	Leaving      []member.Name `json:"leaving,omitempty"`    // taken out of the configuration less than 7 days ago
	Used         []Use         `json:"used,omitempty"`       // by whom and by which protocol the mailbox was used, anonymous included
	WatchedSince time.Time     `json:"watched_since"`
	LearnFor     time.Duration `json:"learn_for"`              // how long members are learned from use
	AbsentAfter  time.Duration `json:"absent_after,omitempty"` // 0: nobody becomes done by staying away
	QuotaUsed    *int          `json:"-"`                      // for MailboxFacts: whole percent, as the ledger knows it; nil: nobody has looked lately
}

// Use is one member's use of the mailbox by one protocol.
type Use struct {
	Member   member.Name     `json:"member"` // "" is the anonymous member
	Protocol member.Protocol `json:"protocol"`
	LastSeen time.Time       `json:"last_seen"`
}
