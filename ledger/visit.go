package ledger

import (
	"context"
	"database/sql"
	"errors"
	"net/netip"
	"slices"
	"time"

	"mailguard/member"
)

// Visit is one session of a member in a mailbox.
type Visit struct {
	Mailbox    member.Mailbox
	Member     member.Name
	Protocol   member.Protocol
	Proof      member.Proof
	Address    netip.Addr
	Client     string        // as the client named itself, "" unknown
	Configured []member.Name // the members that the configuration lists for the mailbox
	At         time.Time     // before the session was let in upstream: its listing is not older than this
}

// visitor is a visit's rows.
type visitor struct {
	mailbox int64
	member  int64
}

// Arrive records that a member uses a mailbox, without opening its maildrop.
func (l *Ledger) Arrive(ctx context.Context, v Visit) error {
	return l.commit(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := arrive(ctx, tx, v)
		return err
	})
}

// arrive makes the rows of a visit and notes when and from where it was.
func arrive(ctx context.Context, tx *sql.Tx, v Visit) (visitor, error) {
	var w visitor
	at := millis(v.At)
	err := tx.QueryRowContext(ctx, `INSERT INTO mailboxes (name, watched_since) VALUES (?, ?)
		ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id`, v.Mailbox, at).Scan(&w.mailbox)
	if err != nil {
		return w, err
	}
	err = tx.QueryRowContext(ctx, `INSERT INTO members (mailbox_id, name) VALUES (?, ?)
		ON CONFLICT (mailbox_id, name) DO UPDATE SET name = excluded.name RETURNING id`, w.mailbox, v.Member).Scan(&w.member)
	if err != nil {
		return w, err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO uses (member_id, protocol, first_at, last_at, proof, address, client)
		VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (member_id, protocol) DO UPDATE SET last_at = max(last_at, excluded.last_at),
			proof = excluded.proof, address = excluded.address, client = excluded.client`,
		w.member, v.Protocol, at, at, v.Proof, addressText(v.Address), v.Client)
	if err != nil {
		return w, err
	}
	return w, syncConfigured(ctx, tx, w.mailbox, v.Configured, at)
}

func addressText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// find returns the rows of a visit, zero where there are none yet.
func find(ctx context.Context, q querier, v Visit) (visitor, error) {
	var w visitor
	err := q.QueryRowContext(ctx, "SELECT id FROM mailboxes WHERE name = ?", v.Mailbox).Scan(&w.mailbox)
	if err == nil {
		err = q.QueryRowContext(ctx, "SELECT id FROM members WHERE mailbox_id = ? AND name = ?", w.mailbox, v.Member).Scan(&w.member)
	}
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return w, err
}

// syncConfigured follows the configured members of a mailbox. Somebody who is
// no longer listed keeps a row with the time at which that was noticed.
func syncConfigured(ctx context.Context, tx *sql.Tx, mailbox int64, configured []member.Name, at int64) error {
	var known []member.Name
	err := each(ctx, tx, func(rows *sql.Rows) error {
		var name member.Name
		err := rows.Scan(&name)
		known = append(known, name)
		return err
	}, "SELECT name FROM configured_members WHERE mailbox_id = ? AND removed_at IS NULL", mailbox)
	if err != nil {
		return err
	}
	for _, name := range known {
		if slices.Contains(configured, name) {
			continue
		}
		if _, err := tx.ExecContext(ctx, "UPDATE configured_members SET removed_at = ? WHERE mailbox_id = ? AND name = ?", at, mailbox, name); err != nil {
			return err
		}
	}
	for _, name := range configured {
		if slices.Contains(known, name) {
			continue
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO configured_members (mailbox_id, name) VALUES (?, ?)
			ON CONFLICT (mailbox_id, name) DO UPDATE SET removed_at = NULL`, mailbox, name); err != nil {
			return err
		}
	}
	return nil
}
