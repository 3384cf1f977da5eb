package policy

import "time"

// Verdict is what policy says to a deletion.
type Verdict string

// The three verdicts.
const (
	Allow  Verdict = "allow"
	Refuse Verdict = "refuse"
	Defer  Verdict = "defer"
)

// Anonymous is what a deferral does to somebody who cannot be told apart.
type Anonymous string

// What a rule's `anonymous` may say.
const (
	AnonymousHide   Anonymous = "hide"   // one view for all of them: the default
	AnonymousRefuse Anonymous = "refuse" // visible to the client
	AnonymousAccept Anonymous = "accept" // success is reported, the message stays visible
)

// Rule is one rule as it is written in the configuration.
type Rule struct {
	Name      string
	When      string // a CEL expression that is a boolean
	Then      Verdict
	Message   string // for a refusal: a sentence for the person at the client
	Anonymous Anonymous
	Release   *Release // nil: never released by policy
}

// Release is a rule's release condition: whatever holds first, never while
// Unless holds. Empty fields name no condition.
type Release struct {
	When   string        // a CEL expression
	After  time.Duration // since the first deletion; 0: no such condition
	Unless string        // a CEL expression
}

// Decision is a verdict with where it came from.
type Decision struct {
	Verdict   Verdict
	Rule      string    // the name of the rule that decided
	Message   string    // of a refusal: the rule's own sentence, or ""
	Anonymous Anonymous // of a deferral
}

// RuleError is a mistake in one rule. Line and Column are within the field's
// text, both counted from 1; a mistake of the whole rule has Line 0.
type RuleError struct {
	Rule   int    // index in the list of rules
	Field  string // "when", "then", "release.when", "release.unless", ...
	Line   int
	Column int
	Text   string // what is wrong, and what would be right
}

func (e *RuleError) Error() string { return e.Text }
