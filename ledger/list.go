package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"mailguard/member"
	"mailguard/message"
)

// Filter chooses held messages. Empty fields choose all.
type Filter struct {
	Mailbox member.Mailbox
	Folder  string
	Member  *member.Name // who deleted it; a pointer to "" chooses the anonymous member's
	Rule    string
	Before  time.Time // first deleted before

	After Cursor // behind the page that returned it
	Limit int    // how many at most; 0: all
}

// Held lists what is held, as HeldPage does.
func (l *Ledger) Held(ctx context.Context, f Filter) ([]*Held, error) {
	found, _, err := l.HeldPage(ctx, f)
	return found, err
}

// HeldPage returns a page of what is held and the cursor for the next one: ""
// behind the last. Mailboxes come one after the other, in each of them what was
// deleted first.
func (l *Ledger) HeldPage(ctx context.Context, f Filter) (found []*Held, next Cursor, err error) {
	query, args, err := f.query()
	if err != nil {
		return nil, "", err
	}
	err = l.reading(func(q querier) error {
		var ids []message.ID
		if ids, next, err = heldIDs(ctx, q, query, args); err != nil {
			return err
		}
		if f.Limit == 0 || len(ids) < f.Limit {
			next = ""
		}
		list, err := json.Marshal(ids)
		if err != nil {
			return err
		}
		found, err = load(ctx, q, isHeld+" AND m.id IN (SELECT value FROM json_each(?))", string(list))
		return err
	})
	if err != nil {
		return nil, "", err
	}
	return found, next, nil
}

const isHeld = "m.held_since IS NOT NULL AND m.gone_at IS NULL"

// heldIDs are the messages that a query for a page names.
func heldIDs(ctx context.Context, q querier, query string, args []any) (ids []message.ID, last Cursor, err error) {
	err = each(ctx, q, func(rows *sql.Rows) error {
		var mailbox, since, id int64
		err := rows.Scan(&mailbox, &since, &id)
		ids, last = append(ids, message.ID(id)), newCursor(mailbox, since, id)
		return err
	}, query, args...)
	return ids, last, err
}

// query reads in the order of the index of what is held.
func (f Filter) query() (string, []any, error) {
	c := conditions{}
	c.add(isHeld)
	c.addIf(f.Mailbox != "", "m.mailbox_id = (SELECT id FROM mailboxes WHERE name = ?)", f.Mailbox)
	c.addIf(f.Folder != "", "m.folder = ?", f.Folder)
	c.addIf(f.Rule != "", "EXISTS (SELECT 1 FROM deletions x WHERE x.message_id = m.id AND x.rule = ?)", f.Rule)
	c.addIf(!f.Before.IsZero(), "m.held_since < ?", millis(f.Before))
	if f.Member != nil {
		c.add("EXISTS (SELECT 1 FROM deletions x JOIN members y ON y.id = x.member_id WHERE x.message_id = m.id AND y.name = ?)", *f.Member)
	}
	if f.After != "" {
		after, err := f.After.numbers(3)
		if err != nil {
			return "", nil, err
		}
		c.add("(m.mailbox_id, m.held_since, m.id) > (?, ?, ?)", after[0], after[1], after[2])
	}
	return "SELECT m.mailbox_id, m.held_since, m.id FROM messages m WHERE " + c.where() +
		" ORDER BY m.mailbox_id, m.held_since, m.id" + limited(f.Limit), c.args, nil
}

// Details are what the ledger knows of a message besides what was done about it.
type Details struct {
	Sender  string // as far as it is kept
	Subject string // the same
	Copies  []Copy // that deferred moves made of it and that are not known to be gone, oldest first
}

// Copy is a copy of a message.
type Copy struct {
	Folder FolderKey
	UID    message.UID
	At     time.Time
}

// Details returns the details of a message, none if there is no such.
func (l *Ledger) Details(ctx context.Context, id message.ID) (d Details, err error) {
	err = l.reading(func(q querier) error {
		err := q.QueryRowContext(ctx, "SELECT coalesce(sender, ''), coalesce(subject, '') FROM messages WHERE id = ?", id).Scan(&d.Sender, &d.Subject)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		return each(ctx, q, func(rows *sql.Rows) error {
			var c Copy
			var at int64
			err := rows.Scan(&c.Folder.Name, &c.Folder.UIDValidity, &c.UID, &at)
			c.At = fromMillis(at)
			d.Copies = append(d.Copies, c)
			return err
		}, "SELECT folder, uid_validity, uid, at FROM moved_copies WHERE message_id = ? ORDER BY at, folder, uid", id)
	})
	return d, err
}

// MailboxUse is what the ledger knows of a mailbox and of who uses it.
type MailboxUse struct {
	Name         member.Mailbox
	WatchedSince time.Time
	Held         int
	Bypassed     int // messages that disappeared without a release, in the last 30 days
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
	if err != nil {
		return nil, err
	}
	return all, l.countBypasses(ctx, all)
}

func (l *Ledger) countBypasses(ctx context.Context, all []*MailboxUse) error {
	return l.reading(func(q querier) error {
		counts, err := bypassed(ctx, q, l.now().Add(-bypassesShown))
		for _, box := range all {
			box.Bypassed = counts[box.Name]
		}
		return err
	})
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
