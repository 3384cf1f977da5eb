package policy

import (
	"errors"
	"fmt"

	"mailguard/member"
)

// Chosen are the rules that can apply to one mailbox and protocol. It never
// changes and may be used by any number of goroutines.
type Chosen struct {
	rules []chosenRule
}

type chosenRule struct {
	*rule
	always bool // its condition holds whatever is deleted
}

// For chooses the rules that can apply to a mailbox and protocol. Rules that
// cannot hold there are left out, and what stands behind a rule that always
// holds. It looks only at what stays the same while the mailbox is open:
// mailbox.name, .domain, .shared, the configured .members and member.protocol.
// Once one of these changes the rules must be chosen anew.
func (p *Policy) For(mailbox MailboxFacts, protocol member.Protocol) *Chosen {
	a := &activation{opening: true, facts: &Facts{Mailbox: mailbox, Member: MemberFacts{Protocol: protocol}}}
	chosen := &Chosen{}
	for _, r := range p.rules {
		switch r.when.chance(a) {
		case never:
		case perhaps:
			chosen.rules = append(chosen.rules, chosenRule{r, false})
		case always:
			chosen.rules = append(chosen.rules, chosenRule{r, true})
			return chosen
		}
	}
	return chosen
}

// OnlyAllows reports whether every verdict that can come out is allow: then
// policy can never touch this mailbox.
func (c *Chosen) OnlyAllows() bool {
	for _, r := range c.rules {
		if r.Then != Allow {
			return false
		}
	}
	return len(c.rules) > 0
}

var (
	errNoFacts = errors.New("there are no facts to decide on")
	errNoRule  = errors.New("no rule holds, not even a built-in one")
)

// Decide is the verdict of the first rule that holds. An error means that a
// fact which the verdict needs could not be had (a *FactError), or that a rule
// could not be evaluated; the caller fails the deletion closed.
func (c *Chosen) Decide(f *Facts) (Decision, error) {
	if f == nil {
		return Decision{}, errNoFacts
	}
	a := &activation{facts: f}
	for i := range c.rules {
		r := &c.rules[i]
		if r.always {
			return r.decision(), nil
		}
		holds, err := r.when.holds(a)
		if err != nil {
			// Going on would let a later rule allow what this one keeps.
			return Decision{}, fmt.Errorf("rule %q: %w", r.Name, err)
		}
		if holds {
			return r.decision(), nil
		}
	}
	return Decision{}, errNoRule
}

func (r *rule) decision() Decision {
	return Decision{Verdict: r.Then, Rule: r.Name, Message: r.Message, Anonymous: r.Anonymous}
}
