package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"mailguard/member"
	"mailguard/message"
	"mailguard/policy"
)

// Message is a message's row. Zero times mean: not so.
type Message struct {
	ID           message.ID
	UniqueID     message.UniqueID // "": it was seen over IMAP
	Folder       string
	UIDValidity  uint32      // of the folder; 0: it was seen over POP3
	UID          message.UID // in the folder; 0: it was seen over POP3
	Size         int64       // octets
	Fingerprint  *message.Fingerprint
	FirstSeen    time.Time
	InternalDate time.Time // as IMAP shows it
	HeldSince    time.Time // the first deletion that waits to be released
	Pinned       bool
	UnlessSeen   time.Time // when its rule's `unless` last held
	Approved     time.Time // when an administrator said that it may go
	PurgeReason  string    // why an administrator has it removed whatever policy says; "": nobody does
	Claimed      time.Time // when its removal was last claimed
	Gone         time.Time
	GoneHow      string // released, allowed, observed or bypass
}

// Deletion is one member's deletion of a message.
type Deletion struct {
	Member   member.Name
	Protocol member.Protocol
	Op       policy.Op
	Verdict  policy.Verdict
	Rule     string
	At       time.Time
}

// Fetched says that a member has a message (it, or an equal copy).
type Fetched struct {
	Member    member.Name
	Protocol  member.Protocol
	At        time.Time
	LeftAlone time.Time // since when the member is done with it without deleting it
}

// Held is a message with everything that was done about it.
type Held struct {
	Mailbox   member.Mailbox
	Message   Message
	Deletions []Deletion // in order of time
	Fetches   []Fetched
}

// Facts are the message's facts for policy. Flags are not known to the ledger.
func (h *Held) Facts() policy.MessageFacts {
	f := policy.MessageFacts{
		FirstSeen: h.Message.since(),
		Size:      h.Message.Size,
		Held:      !h.Message.HeldSince.IsZero(),
		Pinned:    h.Message.Pinned,
		Joined:    h.Message.UniqueID != "" && h.Message.UID != 0,
	}
	for _, d := range h.Deletions {
		f.Deleted = append(f.Deleted, policy.Progress{Member: d.Member, Protocol: d.Protocol})
	}
	for _, g := range h.Fetches {
		p := policy.Progress{Member: g.Member, Protocol: g.Protocol}
		f.Fetched = append(f.Fetched, p)
		if !g.LeftAlone.IsZero() {
			f.LeftAlone = append(f.LeftAlone, p)
		}
	}
	return f
}

// since is where a message's age counts from.
func (m *Message) since() time.Time {
	if m.InternalDate.IsZero() {
		return m.FirstSeen
	}
	return m.InternalDate
}

// Lookup returns one message of a mailbox with what was done about it, or nil
// if the mailbox has no such row.
func (l *Ledger) Lookup(ctx context.Context, mailbox member.Mailbox, id message.ID) (*Held, error) {
	var found []*Held
	err := l.reading(func(q querier) error {
		var err error
		found, err = loadHeld(ctx, q, mailbox, []message.ID{id})
		return err
	})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0], nil
}

// Find returns one message with what was done about it, held or not, or nil.
func (l *Ledger) Find(ctx context.Context, id message.ID) (*Held, error) {
	var found []*Held
	err := l.reading(func(q querier) error {
		var err error
		found, err = load(ctx, q, "m.id = ?", id)
		return err
	})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0], nil
}

// loadHeld loads messages of a mailbox by number; what is not there is left out.
func loadHeld(ctx context.Context, q querier, mailbox member.Mailbox, ids []message.ID) ([]*Held, error) {
	list, err := json.Marshal(ids)
	if err != nil {
		return nil, err
	}
	return load(ctx, q, "b.name = ? AND m.id IN (SELECT value FROM json_each(?))", mailbox, string(list))
}

// load loads the messages that a condition names: by mailbox, oldest deletion
// first.
func load(ctx context.Context, q querier, where string, args ...any) ([]*Held, error) {
	var all []*Held
	byID := make(map[message.ID]*Held)
	err := each(ctx, q, func(rows *sql.Rows) error {
		h, err := scanMessage(rows)
		if err == nil {
			all, byID[h.Message.ID] = append(all, h), h
		}
		return err
	}, `SELECT b.name, m.id, m.unique_id, m.folder, m.size, m.fingerprint, m.first_seen, m.held_since, m.pinned,
			m.unless_seen, m.claimed_at, m.gone_at, m.gone_how, m.uid_validity, m.uid, m.internal_date, m.approved_at, m.purge_reason
		FROM messages m JOIN mailboxes b ON b.id = m.mailbox_id WHERE `+where+` ORDER BY m.mailbox_id, m.held_since, m.id`, args...)
	if err != nil {
		return nil, err
	}
	if err := loadDeletions(ctx, q, byID, where, args); err != nil {
		return nil, err
	}
	return all, loadFetches(ctx, q, byID, where, args)
}

func scanMessage(rows *sql.Rows) (*Held, error) {
	h := &Held{}
	m := &h.Message
	var uniqueID, folder, goneHow, purge sql.NullString
	var fingerprint []byte
	var size, held, unless, claimed, gone, validity, uid, date, approved sql.NullInt64
	var seen int64
	err := rows.Scan(&h.Mailbox, &m.ID, &uniqueID, &folder, &size, &fingerprint, &seen, &held, &m.Pinned,
		&unless, &claimed, &gone, &goneHow, &validity, &uid, &date, &approved, &purge)
	m.UniqueID, m.Folder, m.GoneHow, m.Size = message.UniqueID(uniqueID.String), folder.String, goneHow.String, size.Int64
	m.FirstSeen, m.HeldSince, m.UnlessSeen = fromMillis(seen), fromNull(held), fromNull(unless)
	m.Claimed, m.Gone, m.InternalDate = fromNull(claimed), fromNull(gone), fromNull(date)
	m.Approved, m.PurgeReason = fromNull(approved), purge.String
	m.UIDValidity, m.UID = uint32(validity.Int64), message.UID(uid.Int64) //nolint:gosec // they were written from such values
	if len(fingerprint) == len(message.Fingerprint{}) {
		f := message.Fingerprint(fingerprint)
		m.Fingerprint = &f
	}
	return h, err
}

func loadDeletions(ctx context.Context, q querier, byID map[message.ID]*Held, where string, args []any) error {
	return each(ctx, q, func(rows *sql.Rows) error {
		var id message.ID
		var d Deletion
		var at int64
		err := rows.Scan(&id, &d.Member, &d.Protocol, &d.Op, &d.Verdict, &d.Rule, &at)
		d.At = fromMillis(at)
		if h := byID[id]; h != nil {
			h.Deletions = append(h.Deletions, d)
		}
		return err
	}, `SELECT m.id, n.name, d.protocol, d.op, d.verdict, d.rule, d.at
		FROM messages m JOIN mailboxes b ON b.id = m.mailbox_id
		JOIN deletions d ON d.message_id = m.id JOIN members n ON n.id = d.member_id WHERE `+where+` ORDER BY d.at`, args...)
}

// loadFetches takes equal copies together: a member who fetched one of them
// has them all. Leaving alone is of one copy.
func loadFetches(ctx context.Context, q querier, byID map[message.ID]*Held, where string, args []any) error {
	return each(ctx, q, func(rows *sql.Rows) error {
		var id message.ID
		var f Fetched
		var at int64
		var left sql.NullInt64
		err := rows.Scan(&id, &f.Member, &f.Protocol, &at, &left)
		f.At, f.LeftAlone = fromMillis(at), fromNull(left)
		if h := byID[id]; h != nil {
			h.addFetch(f)
		}
		return err
	}, `SELECT m.id, n.name, f.protocol, f.at, CASE WHEN f.message_id = m.id THEN f.left_alone_at END
		FROM messages m JOIN mailboxes b ON b.id = m.mailbox_id
		JOIN messages e ON e.id = m.id OR (e.mailbox_id = m.mailbox_id AND e.fingerprint = m.fingerprint AND e.size = m.size)
		JOIN fetches f ON f.message_id = e.id JOIN members n ON n.id = f.member_id WHERE `+where+` ORDER BY f.at`, args...)
}

// addFetch keeps one entry per member and protocol.
func (h *Held) addFetch(f Fetched) {
	for i, have := range h.Fetches {
		if have.Member == f.Member && have.Protocol == f.Protocol {
			if have.LeftAlone.IsZero() {
				h.Fetches[i].LeftAlone = f.LeftAlone
			}
			return
		}
	}
	h.Fetches = append(h.Fetches, f)
}
