package admin

import (
	"time"

	"mailguard/member"
	"mailguard/message"
	"mailguard/policy"
)

// HeldMessage is one held message as it is listed and shown.
type HeldMessage struct {
	ID        message.ID       `json:"id"`
	Mailbox   member.Mailbox   `json:"mailbox"`
	Folder    string           `json:"folder"`
	UniqueID  message.UniqueID `json:"unique_id,omitempty"`
	Size      int64            `json:"size"` // octets
	FirstSeen time.Time        `json:"first_seen"`
	HeldSince *time.Time       `json:"held_since,omitempty"` // the first deletion
	Deleted   []Deleted        `json:"deleted"`
	Fetched   []Fetched        `json:"fetched"`
	Pinned    bool             `json:"pinned"`
	Removing  bool             `json:"removing"` // a removal was sent, and it is not known yet whether it happened
	Gone      *time.Time       `json:"gone,omitempty"`
	GoneHow   string           `json:"gone_how,omitempty"` // released, allowed, observed, bypass
	Due       bool             `json:"due"`
	Why       string           `json:"why"` // why it is due, or what it waits for
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
	Member    member.Name
	Anonymous bool // only the anonymous member's; Member is ignored
	Rule      string
	OlderThan time.Duration // held for longer
}
