package admin

import (
	"time"

	"mailguard/ledger"
	"mailguard/member"
	"mailguard/message"
	"mailguard/policy"
)

// HeldMessage is one held message as it is listed and shown.
type HeldMessage struct {
	ID          message.ID       `json:"id"`
	Mailbox     member.Mailbox   `json:"mailbox"`
	Folder      string           `json:"folder"`
	UIDValidity uint32           `json:"uid_validity,omitempty"` // of the folder; 0: IMAP does not know the message
	UID         message.UID      `json:"uid,omitempty"`          // the same
	UniqueID    message.UniqueID `json:"unique_id,omitempty"`    // "": POP3 does not know the message
	Size        int64            `json:"size"`                   // octets
	FirstSeen   time.Time        `json:"first_seen"`
	HeldSince   *time.Time       `json:"held_since,omitempty"` // the first deletion
	Deleted     []Deleted        `json:"deleted"`
	Fetched     []Fetched        `json:"fetched"`
	Pinned      bool             `json:"pinned"`
	Approved    *time.Time       `json:"approved,omitempty"`     // since when an administrator says that it may go
	PurgeReason string           `json:"purge_reason,omitempty"` // why an administrator has it removed whatever policy says
	Removing    bool             `json:"removing"`               // a removal was sent, and it is not known yet whether it happened
	Gone        *time.Time       `json:"gone,omitempty"`
	GoneHow     string           `json:"gone_how,omitempty"` // released, allowed, observed, bypass
	Due         bool             `json:"due"`
	DueAt       *time.Time       `json:"due_at,omitempty"` // when time alone makes it due, at the earliest
	Why         string           `json:"why"`              // why it is due, or what it waits for
	Sender      string           `json:"sender,omitempty"` // shown, not listed, and only as far as the configuration has it kept
	Subject     string           `json:"subject,omitempty"`
	Copies      []Copy           `json:"copies,omitempty"` // shown, not listed: that deferred moves made
}

// Copy is a copy of a message in a folder.
type Copy struct {
	Folder      string      `json:"folder"`
	UIDValidity uint32      `json:"uid_validity"`
	UID         message.UID `json:"uid"`
	At          time.Time   `json:"at"`
}

// HeldPage is a piece of what is held. Mailboxes come one after the other, in
// each of them what was deleted first.
type HeldPage struct {
	Held []HeldMessage `json:"held"`
	Next ledger.Cursor `json:"next,omitempty"` // for the next page; "" behind the last. A page may be empty and not the last
}

// Deleted is one member's deletion. Member is "" for the anonymous one.
type Deleted struct {
	Member   member.Name     `json:"member"`
	Protocol member.Protocol `json:"protocol"`
	Rule     string          `json:"rule"`
	Verdict  policy.Verdict  `json:"verdict"`
	At       time.Time       `json:"at"`
}

// Fetched says that a member has the message.
type Fetched struct {
	Member    member.Name     `json:"member"`
	Protocol  member.Protocol `json:"protocol"`
	At        time.Time       `json:"at"`
	LeftAlone *time.Time      `json:"left_alone,omitempty"`
}

// Mailbox is one mailbox and who uses it.
type Mailbox struct {
	Name         member.Mailbox `json:"name"`
	Shared       bool           `json:"shared"`
	WatchedSince time.Time      `json:"watched_since"`
	Held         int            `json:"held"`
	Bypassed     int            `json:"bypassed"` // messages that disappeared without a release, in the last 30 days
	Members      []Use          `json:"members"`
}

// Use is one member's use of a mailbox by one protocol. A member who is
// configured and never came has no protocol.
type Use struct {
	Member     member.Name     `json:"member"`
	Configured bool            `json:"configured"`
	Protocol   member.Protocol `json:"protocol,omitempty"`
	Proof      member.Proof    `json:"proof,omitempty"` // how the member was told: password and certificate prove it
	Address    string          `json:"address,omitempty"`
	Client     string          `json:"client,omitempty"`
	First      *time.Time      `json:"first,omitempty"`
	Last       *time.Time      `json:"last,omitempty"`
}

// HeldQuery chooses held messages. Empty fields choose all.
type HeldQuery struct {
	Mailbox   member.Mailbox
	Folder    string
	Member    member.Name
	Anonymous bool // only the anonymous member's; Member is ignored
	Rule      string
	OlderThan time.Duration // held for longer
	DueWithin time.Duration // due now, or within that time by the clock alone

	After ledger.Cursor // behind the page that returned it
	Limit int           // how many at most; 0: as many as make a page
}

// Entry is one entry of the record.
type Entry struct {
	At          time.Time      `json:"at"`
	Kind        string         `json:"kind"` // verdict, released, bypass, approved, restored, pinned, unpinned, purged, frozen
	Mailbox     member.Mailbox `json:"mailbox"`
	Folder      string         `json:"folder,omitempty"`
	Destination string         `json:"destination,omitempty"`
	ID          message.ID     `json:"id,omitempty"` // the message's number; 0: it is about none
	Sender      string         `json:"sender,omitempty"`
	Subject     string         `json:"subject,omitempty"`
	Verdict     policy.Verdict `json:"verdict,omitempty"`
	Outcome     policy.Outcome `json:"outcome,omitempty"` // what was done
	Rule        string         `json:"rule,omitempty"`
	Why         string         `json:"why,omitempty"` // of what is no verdict
	By          *By            `json:"by,omitempty"`  // whose deletion it was, of a verdict; else in whose session it happened
	Facts       *policy.Facts  `json:"facts,omitempty"`
}

// By is who deleted, and how sure that is.
type By struct {
	Member   member.Name     `json:"member"` // "" for the anonymous one
	Proof    member.Proof    `json:"proof,omitempty"`
	Protocol member.Protocol `json:"protocol,omitempty"`
	Address  string          `json:"address,omitempty"`
	Client   string          `json:"client,omitempty"`
	Op       policy.Op       `json:"op,omitempty"`
}

// AuditPage is a piece of the record, newest first.
type AuditPage struct {
	Entries []Entry       `json:"entries"`
	Next    ledger.Cursor `json:"next,omitempty"` // for the next page; "" behind the last
}

// AuditQuery chooses entries of the record. Empty fields choose all.
type AuditQuery struct {
	Mailbox   member.Mailbox
	Folder    string
	Member    member.Name
	Anonymous bool // only the anonymous member's; Member is ignored
	Rule      string
	Op        policy.Op
	Verdict   policy.Verdict
	Kind      string
	Message   message.ID
	Since     time.Time // not before
	Until     time.Time // before

	After ledger.Cursor // behind the page that returned it
	Limit int           // how many at most; 0: as many as make a page
}
