package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"mailguard/member"
	"mailguard/message"
	"mailguard/policy"
)

// AuditFilter chooses entries of the record. Empty fields choose all.
type AuditFilter struct {
	Mailbox member.Mailbox
	Folder  string       // that the message was in
	Member  *member.Name // whose deletion it was; a pointer to "" chooses the anonymous member's
	Rule    string
	Op      policy.Op
	Verdict policy.Verdict
	Kind    string // verdict, released, bypass, approved, restored, pinned, unpinned, purged or frozen
	Message message.ID
	Since   time.Time // not before
	Until   time.Time // before

	After Cursor // behind the page that returned it
	Limit int    // how many at most; 0: all
}

// AuditEntry is one entry of the record.
type AuditEntry struct {
	At      time.Time
	Mailbox member.Mailbox
	Folder  string // "" if nobody knows
	Kind    string
	Message message.ID    // 0: it is about no message of the ledger's
	Facts   *policy.Facts // of a verdict, as they were; nil for all else
	Member  member.Name   // who deleted, of a verdict; "" is the anonymous member
	Verdict policy.Verdict
	Outcome policy.Outcome
	Rule    string
	Why     string // of what is no verdict
	Sender  string // as far as it is kept
	Subject string // the same
}

// AuditLog returns a page of the record, newest first, and the cursor for the
// next one: "" behind the last.
func (l *Ledger) AuditLog(ctx context.Context, f AuditFilter) ([]*AuditEntry, Cursor, error) {
	query, args, err := f.query()
	if err != nil {
		return nil, "", err
	}
	var all []*AuditEntry
	var last Cursor
	err = l.reading(func(q querier) error {
		return each(ctx, q, func(rows *sql.Rows) error {
			e, at, id, err := scanEntry(rows)
			all, last = append(all, e), newCursor(at, id)
			return err
		}, query, args...)
	})
	if err != nil {
		return nil, "", err
	}
	if f.Limit == 0 || len(all) < f.Limit {
		last = ""
	}
	return all, last, nil
}

// query reads in the order of one of the indexes: a page costs what it shows,
// and what the filter leaves out on the way.
func (f AuditFilter) query() (string, []any, error) {
	c := conditions{}
	c.addIf(f.Mailbox != "", "d.mailbox_id = (SELECT id FROM mailboxes WHERE name = ?)", f.Mailbox)
	c.addIf(f.Message != 0, "d.message_id = ?", f.Message)
	c.addIf(!f.Since.IsZero(), "d.at >= ?", millis(f.Since))
	c.addIf(!f.Until.IsZero(), "d.at < ?", millis(f.Until))
	c.addIf(f.Rule != "", "d.rule = ?", f.Rule)
	c.addIf(f.Verdict != "", "d.verdict = ?", f.Verdict)
	c.addIf(f.Kind != "", "d.kind = ?", f.Kind)
	c.addIf(f.Op != "", "json_extract(d.facts, '$.op') = ?", f.Op)
	c.addIf(f.Folder != "", auditFolder+" = ?", f.Folder)
	if f.Member != nil {
		c.add("d.kind = 'verdict' AND d.member = ?", *f.Member)
	}
	if f.After != "" {
		after, err := f.After.numbers(2)
		if err != nil {
			return "", nil, err
		}
		c.add("(d.at, d.id) < (?, ?)", after[0], after[1])
	}
	return `SELECT d.id, d.at, b.name, coalesce(` + auditFolder + `, ''), d.kind, coalesce(d.message_id, 0), d.member, d.verdict, d.outcome,
			d.rule, d.why, d.facts, coalesce(m.sender, ''), coalesce(m.subject, '')
		FROM decisions d JOIN mailboxes b ON b.id = d.mailbox_id LEFT JOIN messages m ON m.id = d.message_id
		WHERE ` + c.where() + ` ORDER BY d.at DESC, d.id DESC` + limited(f.Limit), c.args, nil
}

// auditFolder is the folder that an entry is about: as it was called then, if it
// is on record.
const auditFolder = "coalesce(json_extract(d.facts, '$.folder'), m.folder)"

func scanEntry(rows *sql.Rows) (e *AuditEntry, at, id int64, err error) {
	e = &AuditEntry{}
	var facts string
	if err := rows.Scan(&id, &at, &e.Mailbox, &e.Folder, &e.Kind, &e.Message, &e.Member, &e.Verdict, &e.Outcome,
		&e.Rule, &e.Why, &facts, &e.Sender, &e.Subject); err != nil {
		return nil, 0, 0, err
	}
	e.At = fromMillis(at)
	if facts == "{}" {
		return e, at, id, nil
	}
	if err := json.Unmarshal([]byte(facts), &e.Facts); err != nil {
		return nil, 0, 0, fmt.Errorf("entry %d of the record: %w", id, err)
	}
	return e, at, id, nil
}

// ForgetDecisions deletes the entries of the record that were made before a
// time, and returns how many. What was only kept for them goes with the next
// Forget. It works in small pieces, and other writers come in between. After an
// error the next call does the rest.
func (l *Ledger) ForgetDecisions(ctx context.Context, before time.Time) (n int, err error) {
	for {
		var gone int64
		err := l.commit(ctx, func(ctx context.Context, tx *sql.Tx) error {
			result, err := tx.ExecContext(ctx, forgetDecisions, millis(before), chunk)
			if err == nil {
				gone, err = result.RowsAffected()
			}
			return err
		})
		if err != nil || gone == 0 {
			return n, err
		}
		n += int(gone)
	}
}

const forgetDecisions = "DELETE FROM decisions WHERE id IN (SELECT id FROM decisions WHERE at < ? ORDER BY at LIMIT ?)"

// maxHeader is how much of a header is kept, in octets: enough to recognise a
// message by.
const maxHeader = 200

// NoteHeader keeps a message's sender and subject, as the configuration asks
// for it; "" is nothing to keep. What is kept stands, and nothing is kept of
// what is to be purged.
func (l *Ledger) NoteHeader(ctx context.Context, id message.ID, sender, subject string) error {
	return l.commit(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE messages SET sender = coalesce(sender, nullif(?, '')), subject = coalesce(subject, nullif(?, ''))
			WHERE id = ? AND purge_reason IS NULL`, shortened(sender), shortened(subject), id)
		return err
	})
}

// shortened is the beginning of a text, whole characters of it.
func shortened(text string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= maxHeader {
		return text
	}
	return strings.ToValidUTF8(text[:maxHeader], "")
}
