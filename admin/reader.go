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

// Reader answers from a ledger.
type Reader struct {
	Ledger *ledger.Ledger
	// Explain says whether a held message is due, and why.
	Explain func(context.Context, *ledger.Held) (ledger.Ruling, error)
	// Facts are what the configuration says of a mailbox.
	Facts func(member.Mailbox, policy.Everyone) policy.MailboxFacts
	Now   func() time.Time
}

// ErrNotFound is the error of a message that the ledger does not know.
var ErrNotFound = errors.New("no such message in the ledger")

// Held lists what is held, oldest first.
func (r *Reader) Held(ctx context.Context, q HeldQuery) ([]HeldMessage, error) {
	f := ledger.Filter{Mailbox: q.Mailbox, Rule: q.Rule}
	if q.Member != "" || q.Anonymous {
		name := q.Member
		if q.Anonymous {
			name = ""
		}
		f.Member = &name
	}
	if q.OlderThan > 0 {
		f.Before = r.Now().Add(-q.OlderThan)
	}
	held, err := r.Ledger.Held(ctx, f)
	if err != nil {
		return nil, err
	}
	answer := make([]HeldMessage, 0, len(held))
	for _, h := range held {
		m, err := r.describe(ctx, h)
		if err != nil {
			return nil, err
		}
		answer = append(answer, m)
	}
	return answer, nil
}

// Show describes one message, held or not.
func (r *Reader) Show(ctx context.Context, id message.ID) (HeldMessage, error) {
	h, err := r.Ledger.Find(ctx, id)
	if err != nil {
		return HeldMessage{}, err
	}
	if h == nil {
		return HeldMessage{}, ErrNotFound
	}
	return r.describe(ctx, h)
}

func (r *Reader) describe(ctx context.Context, h *ledger.Held) (HeldMessage, error) {
	m := HeldMessage{
		ID: h.Message.ID, Mailbox: h.Mailbox, Folder: h.Message.Folder, UniqueID: h.Message.UniqueID,
		Size: h.Message.Size, FirstSeen: h.Message.FirstSeen, HeldSince: optional(h.Message.HeldSince),
		Deleted: []Deleted{}, Fetched: []Fetched{}, Pinned: h.Message.Pinned,
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
	ruling, err := r.Explain(ctx, h)
	m.Due, m.Why = ruling.Due, ruling.Why
	return m, err
}

func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// Mailboxes lists the mailboxes that were used through the guard.
func (r *Reader) Mailboxes(ctx context.Context) ([]Mailbox, error) {
	known, err := r.Ledger.Mailboxes(ctx)
	if err != nil {
		return nil, err
	}
	answer := make([]Mailbox, 0, len(known))
	for _, k := range known {
		facts := r.Facts(k.Name, policy.Everyone{})
		m := Mailbox{Name: k.Name, Shared: facts.Shared, WatchedSince: k.WatchedSince, Held: k.Held, Members: []Use{}}
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
