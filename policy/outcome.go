package policy

// Outcome is what was done about a deletion: the verdict, after observe mode
// and the rule for anonymous members had their say.
type Outcome string

// The outcomes.
const (
	Allowed  Outcome = "allow"   // removed upstream, and out of the member's view
	Refused  Outcome = "refuse"  // the client was told so
	Deferred Outcome = "defer"   // out of the member's view, and held
	Accepted Outcome = "accept"  // success was reported, nothing else happened
	Observed Outcome = "observe" // removed upstream, whatever the verdict
)
