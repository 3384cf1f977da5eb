package ledger

import (
	"context"
	"database/sql"
	"strings"

	"mailguard/member"
	"mailguard/message"
)

// Restore is what an administrator wants to give back.
type Restore struct {
	IDs    []message.ID
	Member *member.Name // to whom; "" is the anonymous member, nil everybody who has deleted them
	Pin    bool         // so that the same client does not have them released again
	Why    string
}

// Restored is one message that is back in a member's view for one protocol.
type Restored struct {
	ID       message.ID
	Mailbox  member.Mailbox
	Folder   FolderKey   // its UIDVALIDITY is 0 where IMAP does not know the message
	UID      message.UID // the same
	Member   member.Name
	Protocol member.Protocol
}

// Restoration is what a Restore has done.
type Restoration struct {
	Administered

	Returned []Restored // what Done names, for each member and protocol
}

// firstDeletion is since when a message is held by its deletions, NULL if it is
// not. Over IMAP a deletion that hides nothing is one that was only allowed.
const firstDeletion = "(SELECT min(at) FROM deletions WHERE message_id = messages.id AND (protocol = 'pop3' OR hides = 1))"

// stillHeld is firstDeletion for a message that may be held for a purge alone.
const stillHeld = "coalesce(" + firstDeletion + ", CASE WHEN purge_reason IS NOT NULL THEN held_since END)"

// Restore takes deletions back, by whatever protocol they were made: the
// messages return to the members' views when they open the folder or the
// maildrop again, and are held only by whom else has deleted them. An approval
// ends. What is being removed or gone is refused, and so is what is to be purged, unless
// it is pinned as well: an erasure must not end by the way. The copy that a
// deferred move has made stays where it is.
func (l *Ledger) Restore(ctx context.Context, r Restore) (Restoration, error) {
	var all Restoration
	done, err := l.administer(ctx, r.IDs, r.Why, func(ctx context.Context, w word, s standing) (string, error) {
		if refused := s.refuses(r); refused != "" {
			return refused, nil
		}
		back, err := w.takeBack(ctx, s, r)
		if err != nil {
			return "", err
		}
		if len(back) == 0 && !s.purged {
			return r.nobody(), nil
		}
		all.Returned = append(all.Returned, back...)
		return "", w.change(ctx, s, kindRestored, r.note(back),
			"approved_at = NULL, purge_reason = NULL, held_since = "+firstDeletion+", pinned = max(pinned, ?)", r.Pin)
	})
	if err != nil {
		return Restoration{}, err
	}
	all.Administered = done
	return all, nil
}

func (s standing) refuses(r Restore) string {
	if s.purged && !r.Pin && s.tooLate() == "" {
		return "it is to be purged: pin it to keep it after all"
	}
	return s.tooLate()
}

func (r Restore) nobody() string {
	if r.Member == nil {
		return "nobody has deleted it"
	}
	return nameText(*r.Member) + " has not deleted it"
}

// note says to whom messages came back: the record has no column for it.
func (r Restore) note(back []Restored) string {
	var names []string
	for _, b := range back {
		names = append(names, nameText(b.Member)+" ("+string(b.Protocol)+")")
	}
	text := "for " + strings.Join(names, ", ")
	if len(names) == 0 {
		text = "not purged"
	}
	if r.Pin {
		text += ", and pinned"
	}
	if r.Why != "" {
		text += ": " + r.Why
	}
	return text
}

func nameText(n member.Name) string {
	if n.Anonymous() {
		return "(anonymous)"
	}
	return string(n)
}

// takeBack withdraws the deletions of one message that are to be taken back.
func (w word) takeBack(ctx context.Context, s standing, r Restore) ([]Restored, error) {
	var back []Restored
	var who []int64
	if err := each(ctx, w.tx.tx, func(rows *sql.Rows) error {
		one := Restored{ID: s.id}
		var id int64
		err := rows.Scan(&one.Mailbox, &id, &one.Member, &one.Protocol, &one.Folder.Name, &one.Folder.UIDValidity, &one.UID)
		back, who = append(back, one), append(who, id)
		return err
	}, `SELECT b.name, n.id, n.name, d.protocol, coalesce(m.folder, ''), coalesce(m.uid_validity, 0), coalesce(m.uid, 0)
		FROM deletions d JOIN messages m ON m.id = d.message_id JOIN mailboxes b ON b.id = m.mailbox_id JOIN members n ON n.id = d.member_id
		WHERE d.message_id = ?1 AND n.name = coalesce(?2, n.name) ORDER BY n.name, d.protocol`, s.id, r.Member); err != nil {
		return nil, err
	}
	for i, one := range back {
		if _, err := w.tx.ExecContext(ctx, "DELETE FROM deletions WHERE message_id = ? AND member_id = ? AND protocol = ?",
			s.id, who[i], one.Protocol); err != nil {
			return nil, err
		}
		// It may be a copy that was hidden because its original came back. Now
		// the member has both: the one no longer stands for the other.
		if _, err := w.tx.ExecContext(ctx, "DELETE FROM undone_moves WHERE copy_id = ? AND member_id = ?", s.id, who[i]); err != nil {
			return nil, err
		}
	}
	return back, nil
}

// RestoredAsCopy puts on record that a copy of a message was put into its
// folder, for everybody. Nothing about the message itself changes: whoever has
// deleted it does not see it.
func (l *Ledger) RestoredAsCopy(ctx context.Context, id message.ID, why string) error {
	note := "as a copy"
	if why != "" {
		note += ": " + why
	}
	_, err := l.administer(ctx, []message.ID{id}, note, func(ctx context.Context, w word, s standing) (string, error) {
		return "", w.record(ctx, s, kindRestored, w.why)
	})
	return err
}
