package policy

import (
	"errors"
	"fmt"
	"time"
)

// unlessLasts is how long a message is kept after its rule's `unless` ceased to
// hold: a star that a member took off by mistake can be put back.
const unlessLasts = 24 * time.Hour

// HeldFacts are all that the release of a held message may rest on.
type HeldFacts struct {
	Facts        *Facts    // as they are now, with the Op of the deletion that is held
	FirstDeleted time.Time // when the first member deleted the message
	UnlessSeen   time.Time // when `unless` last held; zero: never
	FlagsFresh   bool      // message.flags were read in this very session, or the upstream has no imap
	Approved     bool      // an administrator said that it may go
}

// Releasability says whether a held message may be released now.
type Releasability struct {
	Due         bool
	UnlessHolds bool   // `unless` holds right now: the caller remembers the time
	Why         string // for people: why it is due, or what it waits for
	// NeedsFlags says that only the message's flags, which are not fresh, stand
	// between it and its release: it is worth reading them.
	NeedsFlags bool
	// Again is when the answer changes by the passing of time alone, as far as
	// that can be told; zero: it cannot.
	Again time.Time
}

// Releasable says whether a held message may be released, by the rule that
// deferred its deletion. Nothing is remembered from an earlier answer. With an
// error the message is not due.
func (p *Policy) Releasable(name string, h HeldFacts) (Releasability, error) {
	r := p.byName[name]
	switch {
	case h.Facts == nil || h.Facts.Now.IsZero():
		return waits("the facts are missing"), errNoFacts
	case r == nil && !h.Approved:
		return waits("the rule %q no longer exists: only an administrator can release it", name), nil
	case r == nil || r.Then != Defer || r.Release == nil:
		return h.withoutCondition(name), nil
	}
	q := question{rule: r, held: h, activation: &activation{facts: h.Facts, staleFlags: !h.FlagsFresh}}
	return q.answer()
}

// approved is what people read of an administrator's word.
const approved = "an administrator has approved it"

// withoutCondition is for a message whose rule says nothing of its release.
func (h *HeldFacts) withoutCondition(name string) Releasability {
	switch {
	case h.Facts.Message.Pinned:
		return waits("it is pinned")
	case h.Approved:
		return Releasability{Due: true, Why: approved}
	}
	return waits("the rule %q names no release condition: only an administrator can release it", name)
}

// question is one held message and its rule.
type question struct {
	rule       *rule
	held       HeldFacts
	activation *activation
}

func (q *question) answer() (Releasability, error) {
	// First, and for pinned messages too: the caller keeps the time when it
	// last held.
	unless, err := q.holds("unless", q.rule.unless)
	stale := err != nil && isStale(err)
	if err != nil && !stale {
		return q.failed(err)
	}
	if kept := q.kept(unless); kept != "" {
		return Releasability{UnlessHolds: unless, Why: kept, Again: q.keptUntil(unless)}, nil
	}
	is, err := q.due()
	switch {
	case err != nil && (!isStale(err) || q.held.Facts.Message.Pinned):
		return q.failed(err)
	case err != nil, is.Due && stale:
		return Releasability{Why: waitsForFlags, NeedsFlags: true, Again: is.Again}, nil
	}
	return is, nil
}

const waitsForFlags = "waits until the message's flags can be read afresh, over IMAP or by the service account"

// due says whether the condition holds, where nothing keeps the message.
func (q *question) due() (Releasability, error) {
	if q.held.Approved {
		return Releasability{Due: true, Why: approved}, nil
	}
	// What after says is said before when is asked: it holds whatever the flags
	// are, so that it need not wait for somebody who can read them.
	passed, afterWhy, err := q.after()
	if err != nil {
		return Releasability{}, err
	}
	holds, err := q.holds("when", q.rule.release)
	if err != nil && (!isStale(err) || !passed) {
		return Releasability{Again: q.passes()}, err
	}
	switch {
	case holds:
		return Releasability{Due: true, Why: q.conditionWhy(true)}, nil
	case passed:
		return Releasability{Due: true, Why: afterWhy}, nil
	case q.rule.release == nil:
		return Releasability{Why: "waits " + afterWhy, Again: q.passes()}, nil
	case afterWhy == "":
		return waits("%s", q.conditionWhy(false)), nil
	}
	return Releasability{Why: q.conditionWhy(false) + "; at the latest " + afterWhy, Again: q.passes()}, nil
}

// passes is when the time since the first deletion is over; zero if the rule
// has no such condition.
func (q *question) passes() time.Time {
	if q.rule.Release.After <= 0 || q.held.FirstDeleted.IsZero() {
		return time.Time{}
	}
	return q.held.FirstDeleted.Add(q.rule.Release.After)
}

// keptUntil is when the day after the rule's unless is over; zero while it
// holds, and where it is something else that keeps the message.
func (q *question) keptUntil(unless bool) time.Time {
	if unless || q.held.Facts.Message.Pinned {
		return time.Time{}
	}
	return q.held.UnlessSeen.Add(unlessLasts)
}

// kept says what keeps the message whatever its condition says, or nothing.
func (q *question) kept(unless bool) string {
	switch {
	case q.held.Facts.Message.Pinned:
		return "it is pinned"
	case unless:
		return "it is kept as long as this holds: " + q.rule.unless.text
	case !q.held.UnlessSeen.IsZero() && since(q.held.Facts.Now, q.held.UnlessSeen) < unlessLasts:
		return "it is kept until " + moment(q.held.UnlessSeen.Add(unlessLasts)) + ", a day after its rule's unless last held"
	}
	return ""
}

// after says whether the time since the first deletion has passed, and how
// that is told; nothing if the rule has no such condition.
func (q *question) after() (bool, string, error) {
	after := q.rule.Release.After
	switch {
	case after <= 0:
		return false, "", nil
	case q.held.FirstDeleted.IsZero():
		return false, "", errors.New("nobody knows when the message was first deleted")
	case since(q.held.Facts.Now, q.held.FirstDeleted) >= after:
		return true, fmt.Sprintf("the first deletion is at least %s ago", span(after)), nil
	}
	return false, fmt.Sprintf("until %s, %s after the first deletion", moment(q.held.FirstDeleted.Add(after)), span(after)), nil
}

// conditionWhy tells about the condition: by what everyone does where it asks
// for that, else by its text.
func (q *question) conditionWhy(holds bool) string {
	for _, a := range []answer{q.activation.done, q.activation.fetched} {
		if a.asked && a.holds == holds {
			return a.why
		}
	}
	if holds {
		return "this holds: " + q.rule.release.text
	}
	return "waits until this holds: " + q.rule.release.text
}

// holds evaluates a condition; one that is not named does not hold.
func (q *question) holds(field string, e *expression) (bool, error) {
	if e == nil {
		return false, nil
	}
	holds, err := e.holds(q.activation)
	if err != nil {
		return false, fmt.Errorf("rule %q, release.%s: %w", q.rule.Name, field, err)
	}
	return holds, nil
}

// failed makes an answer of an error. Flags that are not fresh are no fault:
// the message waits for a session that can read them.
func (q *question) failed(err error) (Releasability, error) {
	if isStale(err) {
		return waits(waitsForFlags), nil
	}
	return waits("cannot be decided: %v", err), err
}

func isStale(err error) bool {
	var missing *FactError
	return errors.As(err, &missing) && missing.Stale
}

func waits(format string, args ...any) Releasability {
	return Releasability{Why: fmt.Sprintf(format, args...)}
}

// span writes a duration as the configuration does.
func span(d time.Duration) string {
	if d%day == 0 {
		if d == day {
			return "1 day"
		}
		return fmt.Sprintf("%d days", d/day)
	}
	return d.String()
}
