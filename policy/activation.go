package policy

import (
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// The variables that the calls everyone_is_done() and everyone_has_fetched()
// are rewritten to. Nobody can write such a name in a rule.
const (
	doneVariable    = "@everyone_is_done"
	fetchedVariable = "@everyone_has_fetched"
)

// activation gives an evaluation its facts, one by one as they are asked for.
// It lives for one decision and is used by one goroutine.
type activation struct {
	facts      *Facts
	opening    bool // only what is known when a mailbox is opened; the rest is open
	staleFlags bool // message.flags are not fresh enough for a release
	done       answer
	fetched    answer
}

var _ cel.Activation = (*activation)(nil)

// answer keeps what one of the everyone functions said, so that it is worked
// out once for all rules, and its reason for the people who ask.
type answer struct {
	asked bool
	holds bool
	why   string
}

// Parent is part of cel.Activation.
func (a *activation) Parent() cel.Activation { return nil }

// ResolveName is part of cel.Activation.
func (a *activation) ResolveName(name string) (any, bool) {
	switch name {
	case doneVariable:
		return a.everyone(&a.done, EveryoneIsDone), true
	case fetchedVariable:
		return a.everyone(&a.fetched, EveryoneHasFetched), true
	}
	v := variableOf[name]
	if v == nil {
		return nil, false
	}
	return a.value(v), true
}

// noMessage is why a folder has no facts of a message: zero values in their
// place would say of a full folder that it is small and that nobody wants it.
const noMessage = "a whole folder is no message"

func (a *activation) value(v *variable) ref.Val {
	if a.opening && !a.knownAtOpening(v) {
		return types.NewUnknown(0, nil)
	}
	if a.facts.Op.ofFolder() && strings.HasPrefix(v.name, "message.") {
		return missing(v.name, noMessage)
	}
	if a.staleFlags && v.name == "message.flags" {
		return types.WrapErr(&FactError{Fact: v.name, Why: "the flags were not read afresh", Stale: true})
	}
	return v.value(a.facts)
}

// knownAtOpening says whether a variable cannot change while the mailbox is
// open. Members that are learned from use can.
func (a *activation) knownAtOpening(v *variable) bool {
	if v.name == "mailbox.members" {
		return len(a.facts.Mailbox.Everyone.Configured) > 0
	}
	return v.atOpening
}

func (a *activation) everyone(kept *answer, ask func(*Facts) (bool, string)) ref.Val {
	if a.opening {
		return types.NewUnknown(0, nil)
	}
	if a.facts.Now.IsZero() {
		return missing("now", "the time was not recorded")
	}
	if a.facts.Op.ofFolder() {
		return missing("who is done with the message", noMessage)
	}
	if !kept.asked {
		kept.asked = true
		kept.holds, kept.why = ask(a.facts)
	}
	return types.Bool(kept.holds)
}
