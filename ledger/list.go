package ledger

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"mailguard/member"
)

// Filter chooses held messages. Empty fields choose all.
type Filter struct {
	Mailbox member.Mailbox
	Member  *member.Name // who deleted it; a pointer to "" chooses the anonymous member's
	Rule    string
	Before  time.Time // first deleted before
}

// Held lists what is held, oldest first.
func (l *Ledger) Held(ctx context.Context, f Filter) ([]*Held, error) {
	where, args := f.where()
	var found []*Held
	err := l.reading(func(q querier) error {
		var err error
		found, err = load(ctx, q, where, args...)
		return err
	})
	return found, err
}

func (f Filter) where() (string, []any) {
	conditions, args := []string{"m.held_since IS NOT NULL AND m.gone_at IS NULL"}, []any{}
	add := func(condition string, arg any) {
		conditions, args = append(conditions, condition), append(args, arg)
	}
	if f.Mailbox != "" {
		add("b.name = ?", f.Mailbox)
	}
	if f.Member != nil {
		add("m.id IN (SELECT x.message_id FROM deletions x JOIN members y ON y.id = x.member_id WHERE y.name = ?)", *f.Member)
	}
	if f.Rule != "" {
		add("m.id IN (SELECT x.message_id FROM deletions x WHERE x.rule = ?)", f.Rule)
	}
	if !f.Before.IsZero() {
		add("m.held_since < ?", millis(f.Before))
	}
	return strings.Join(conditions, " AND "), args
}

// MailboxUse is what the ledger knows of a mailbox and of who uses it.
type MailboxUse struct {
	Name         member.Mailbox
	WatchedSince time.Time
	Held         int
	Uses         []MemberUse
}

// MemberUse is one member's use of a mailbox by one protocol.
type MemberUse struct {
	Member   member.Name
	Protocol member.Protocol
	Proof    member.Proof
	Address  string // the last one
	Client   string // as it last named itself
	First    time.Time
	Last     time.Time
}

// Mailboxes lists the mailboxes that were used through the guard, by name.
func (l *Ledger) Mailboxes(ctx context.Context) ([]*MailboxUse, error) {
	var all []*MailboxUse
	err := l.reading(func(q querier) error {
		return each(ctx, q, func(rows *sql.Rows) error {
			var name member.Mailbox
			var since, first, last int64
			var held int
			var u MemberUse
			err := rows.Scan(&name, &since, &held, &u.Member, &u.Protocol, &u.Proof, &u.Address, &u.Client, &first, &last)
			u.First, u.Last = fromMillis(first), fromMillis(last)
			if n := len(all); n == 0 || all[n-1].Name != name {
				all = append(all, &MailboxUse{Name: name, WatchedSince: fromMillis(since), Held: held})
			}
			box := all[len(all)-1]
			box.Uses = append(box.Uses, u)
			return err
		}, `SELECT b.name, b.watched_since,
				(SELECT count(*) FROM messages m WHERE m.mailbox_id = b.id AND m.held_since IS NOT NULL
					AND m.gone_at IS NULL AND m.claimed_at IS NULL),
				n.name, u.protocol, u.proof, u.address, u.client, u.first_at, u.last_at
			FROM mailboxes b JOIN members n ON n.mailbox_id = b.id JOIN uses u ON u.member_id = n.id
			ORDER BY b.name, n.name, u.protocol`)
	})
	return all, err
}

// NamedMembers returns every mailbox's members who are told apart: two of
// them make a mailbox a shared one.
func (l *Ledger) NamedMembers(ctx context.Context) (map[member.Mailbox][]member.Name, error) {
	named := make(map[member.Mailbox][]member.Name)
	err := l.reading(func(q querier) error {
		return each(ctx, q, func(rows *sql.Rows) error {
			var box member.Mailbox
			var name member.Name
			err := rows.Scan(&box, &name)
			named[box] = append(named[box], name)
			return err
		}, "SELECT b.name, n.name FROM members n JOIN mailboxes b ON b.id = n.mailbox_id WHERE n.name <> '' ORDER BY b.name, n.name")
	})
	return named, err
}
