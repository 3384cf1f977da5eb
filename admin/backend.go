package admin

import (
	"context"
	"errors"
	"slices"
	"time"

	"mailguard/ledger"
	"mailguard/member"
	"mailguard/message"
	"mailguard/policy"
)

// Backend answers from a ledger, and carries out orders in it.
type Backend struct {
	Ledger *ledger.Ledger
	// Explain says whether a held message is due, and why.
	Explain func(context.Context, *ledger.Held) (ledger.Ruling, error)
	// Facts are what the configuration says of a mailbox.
	Facts func(member.Mailbox, policy.Everyone) policy.MailboxFacts
	// Returned tells open sessions that messages are back in a member's view of
	// a folder; nil if there are none.
	Returned func(member.Mailbox, ledger.FolderKey, member.Name, []message.UID)
	// AsCopy puts a copy of a message into its folder, for everybody; nil if
	// nobody can.
	AsCopy func(context.Context, message.ID) error
	Now    func() time.Time
}

// ErrNotFound is the error of a message that the ledger does not know.
var ErrNotFound = errors.New("no such message in the ledger")

// pageSize is how many there are in a page of a list, if nobody asks for fewer.
const pageSize = 500

func page(limit int) int {
	if limit <= 0 || limit > pageSize {
		return pageSize
	}
	return limit
}

// chosen is a member by name, or the anonymous one; nil is everybody.
func chosen(name member.Name, anonymous bool) *member.Name {
	switch {
	case anonymous:
		return new(member.Name)
	case name == "":
		return nil
	default:
		return &name
	}
}

// Held returns a page of what is held. Its error is ledger.ErrCursor if the
// page begins nowhere.
func (b *Backend) Held(ctx context.Context, q HeldQuery) (HeldPage, error) {
	f := ledger.Filter{
		Mailbox: q.Mailbox, Folder: q.Folder, Member: chosen(q.Member, q.Anonymous), Rule: q.Rule,
		After: q.After, Limit: page(q.Limit),
	}
	if q.OlderThan > 0 {
		f.Before = b.Now().Add(-q.OlderThan)
	}
	held, next, err := b.Ledger.HeldPage(ctx, f)
	if err != nil {
		return HeldPage{}, err
	}
	answer := HeldPage{Held: make([]HeldMessage, 0, len(held)), Next: next}
	for _, h := range held {
		m, err := b.describe(ctx, h)
		if err != nil {
			return HeldPage{}, err
		}
		if q.DueWithin == 0 || m.dueBy(b.Now().Add(q.DueWithin)) {
			answer.Held = append(answer.Held, m)
		}
	}
	return answer, nil
}

// dueBy reports whether a message can be released until a time if nobody does
// anything about it.
func (m HeldMessage) dueBy(t time.Time) bool {
	return m.Due || m.DueAt != nil && !m.DueAt.After(t)
}

// Show describes one message, held or not.
func (b *Backend) Show(ctx context.Context, id message.ID) (HeldMessage, error) {
	h, err := b.Ledger.Find(ctx, id)
	if err != nil {
		return HeldMessage{}, err
	}
	if h == nil {
		return HeldMessage{}, ErrNotFound
	}
	m, err := b.describe(ctx, h)
	if err != nil {
		return HeldMessage{}, err
	}
	d, err := b.Ledger.Details(ctx, id)
	m.Sender, m.Subject = d.Sender, d.Subject
	for _, c := range d.Copies {
		m.Copies = append(m.Copies, Copy{Folder: c.Folder.Name, UIDValidity: c.Folder.UIDValidity, UID: c.UID, At: c.At})
	}
	return m, err
}

func (b *Backend) describe(ctx context.Context, h *ledger.Held) (HeldMessage, error) {
	m := HeldMessage{
		ID: h.Message.ID, Mailbox: h.Mailbox, Folder: h.Message.Folder, UniqueID: h.Message.UniqueID,
		UIDValidity: h.Message.UIDValidity, UID: h.Message.UID,
		Size: h.Message.Size, FirstSeen: h.Message.FirstSeen, HeldSince: optional(h.Message.HeldSince),
		Deleted: []Deleted{}, Fetched: []Fetched{}, Pinned: h.Message.Pinned,
		Approved: optional(h.Message.Approved), PurgeReason: h.Message.PurgeReason,
		Removing: !h.Message.Claimed.IsZero() && h.Message.Gone.IsZero(),
		Gone:     optional(h.Message.Gone), GoneHow: h.Message.GoneHow,
	}
	for _, d := range h.Deletions {
		m.Deleted = append(m.Deleted, Deleted{Member: d.Member, Protocol: d.Protocol, Rule: d.Rule, Verdict: d.Verdict, At: d.At})
	}
	for _, f := range h.Fetches {
		m.Fetched = append(m.Fetched, Fetched{Member: f.Member, Protocol: f.Protocol, At: f.At, LeftAlone: optional(f.LeftAlone)})
	}
	if !h.Message.Gone.IsZero() {
		m.Why = "it is gone (" + h.Message.GoneHow + ")"
		return m, nil
	}
	ruling, err := b.Explain(ctx, h)
	m.Due, m.Why, m.DueAt = ruling.Due && !m.Removing, ruling.Why, optional(ruling.Again)
	return m, err
}

func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// Mailboxes lists the mailboxes that were used through the guard.
func (b *Backend) Mailboxes(ctx context.Context) ([]Mailbox, error) {
	known, err := b.Ledger.Mailboxes(ctx)
	if err != nil {
		return nil, err
	}
	answer := make([]Mailbox, 0, len(known))
	for _, k := range known {
		facts := b.Facts(k.Name, policy.Everyone{})
		m := Mailbox{Name: k.Name, Shared: facts.Shared, WatchedSince: k.WatchedSince, Held: k.Held, Bypassed: k.Bypassed, Members: []Use{}}
		missing := slices.Clone(facts.Everyone.Configured)
		for _, u := range k.Uses {
			m.Members = append(m.Members, Use{
				Member: u.Member, Configured: slices.Contains(facts.Everyone.Configured, u.Member),
				Protocol: u.Protocol, Proof: u.Proof, Address: u.Address, Client: u.Client,
				First: optional(u.First), Last: optional(u.Last),
			})
			missing = slices.DeleteFunc(missing, func(n member.Name) bool { return n == u.Member })
		}
		for _, name := range missing {
			m.Members = append(m.Members, Use{Member: name, Configured: true})
		}
		answer = append(answer, m)
	}
	return answer, nil
}

// Audit returns a page of the record. Its error is ledger.ErrCursor if the page
// begins nowhere.
func (b *Backend) Audit(ctx context.Context, q AuditQuery) (AuditPage, error) {
	entries, next, err := b.Ledger.AuditLog(ctx, ledger.AuditFilter{
		Mailbox: q.Mailbox, Folder: q.Folder, Member: chosen(q.Member, q.Anonymous), Rule: q.Rule, Op: q.Op, Verdict: q.Verdict,
		Kind: q.Kind, Message: q.Message, Since: q.Since, Until: q.Until, After: q.After, Limit: page(q.Limit),
	})
	if err != nil {
		return AuditPage{}, err
	}
	answer := AuditPage{Entries: make([]Entry, len(entries)), Next: next}
	for i, e := range entries {
		answer.Entries[i] = describeEntry(e)
	}
	return answer, nil
}

func describeEntry(e *ledger.AuditEntry) Entry {
	d := Entry{
		At: e.At, Kind: e.Kind, Mailbox: e.Mailbox, Folder: e.Folder, ID: e.Message, Sender: e.Sender, Subject: e.Subject,
		Verdict: e.Verdict, Outcome: e.Outcome, Rule: e.Rule, Why: e.Why, Facts: e.Facts,
	}
	if e.Facts != nil {
		d.Destination = e.Facts.Destination
	}
	switch {
	case e.Kind == "verdict" && e.Facts != nil:
		d.By = by(e.Member, e.Facts)
	case e.Member != "":
		d.By = &By{Member: e.Member}
	}
	return d
}

func by(name member.Name, f *policy.Facts) *By {
	b := &By{Member: name, Proof: f.Member.Proof, Protocol: f.Member.Protocol, Client: f.Member.Client, Op: f.Op}
	if f.Member.Address.IsValid() {
		b.Address = f.Member.Address.String()
	}
	return b
}
