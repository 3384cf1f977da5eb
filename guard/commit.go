package guard

import (
	"context"
	"errors"
	"fmt"

	"mailguard/ledger"
	"mailguard/message"
)

// onRecord is a ruling as the ledger keeps it.
func (m *Maildrop) onRecord(r Ruling) ledger.Decision {
	return ledger.Decision{
		Message: m.ID(r.Index), Verdict: r.Decision.Verdict, Rule: r.Decision.Rule,
		Outcome: r.Outcome, Facts: r.Facts,
	}
}

// Commit puts a session that ended with QUIT on record: its deletions, what it
// fetched, and which messages it was shown and left alone. Only when Commit
// has returned nil may the client be told that anything was deleted, and only
// the messages that it names may be removed upstream. The error wraps
// ErrTemporary: nothing was recorded, nothing may be removed.
func (m *Maildrop) Commit(ctx context.Context, deletions []Ruling, leftAlone []int) (remove []int, err error) {
	record := ledger.Record{At: m.guard.Now(), Decisions: m.audit, Fetches: m.fetches}
	for _, r := range deletions {
		record.Decisions = append(record.Decisions, m.onRecord(r))
	}
	for _, i := range leftAlone {
		if id := m.ID(i); id != 0 {
			record.LeftAlone = append(record.LeftAlone, id)
		}
	}
	claimed, err := m.record(ctx, record)
	switch {
	case err == nil:
		return m.indexes(deletions, claimed), nil
	case len(deletions) == 0 || m.watching: // nothing that the client is told depends on it
		m.guard.Log.Warn().Err(err).Str("mailbox", string(m.visitor.Mailbox)).Msg("session not recorded")
		return nil, nil
	default:
		return nil, fmt.Errorf("%w: %w", ErrTemporary, err)
	}
}

// record writes to the ledger. A session that has nothing to say and could
// not say it anyway does not fail.
func (m *Maildrop) record(ctx context.Context, r ledger.Record) ([]message.ID, error) {
	if m.drop == nil || m.readOnly {
		if len(r.Decisions) > 0 && !m.watching {
			return nil, errors.New("the session is not on record")
		}
		return nil, nil
	}
	if len(r.Decisions)+len(r.Fetches)+len(r.LeftAlone) == 0 {
		return nil, nil
	}
	claimed, err := m.guard.Ledger.Record(ctx, m.visit, m.drop, r)
	if err == nil {
		m.audit, m.fetches = nil, nil
	}
	return claimed, err
}

func (m *Maildrop) indexes(deletions []Ruling, claimed []message.ID) []int {
	want := make(map[message.ID]bool, len(claimed))
	for _, id := range claimed {
		want[id] = true
	}
	var remove []int
	for _, r := range deletions {
		if want[m.ID(r.Index)] {
			remove = append(remove, r.Index)
		}
	}
	return remove
}

// Save puts on record what stands even if the session does not end with QUIT:
// what was fetched, and what was refused. It does not matter much if it fails:
// a release waits longer.
func (m *Maildrop) Save(ctx context.Context) error {
	_, err := m.record(ctx, ledger.Record{At: m.guard.Now(), Decisions: m.audit, Fetches: m.fetches})
	return err
}
