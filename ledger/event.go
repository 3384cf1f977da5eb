package ledger

import (
	"context"
	"encoding/json"
	"time"

	"mailguard/member"
	"mailguard/message"
	"mailguard/policy"
)

// What the record is about, beside verdicts.
const (
	kindVerdict  = "verdict"
	kindReleased = "released"
	kindFrozen   = "frozen"
)

// event is something on record that is no verdict.
type event struct {
	at      time.Time
	kind    string
	message message.ID
	by      member.Name // in whose session, "" nobody's
	rule    string
	why     string
	facts   *policy.Facts // nil: none
}

// recordEvent puts an event about a message on record, in the transaction of
// what it tells.
func recordEvent(ctx context.Context, tx execer, e event) error {
	facts := []byte("{}")
	if e.facts != nil {
		var err error
		if facts, err = json.Marshal(e.facts); err != nil {
			return err
		}
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO decisions (at, mailbox_id, message_id, member, verdict, outcome, rule, facts, kind, why)
		SELECT ?, mailbox_id, id, ?, '', '', ?, ?, ?, ? FROM messages WHERE id = ?`,
		millis(e.at), e.by, e.rule, string(facts), e.kind, e.why, e.message)
	return err
}
