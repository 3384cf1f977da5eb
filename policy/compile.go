package policy

import (
	"fmt"
	"slices"
	"strings"
)

// Policy is a compiled list of rules, with the built-in ones behind them. It
// never changes and may be used by any number of goroutines.
type Policy struct {
	rules  []*rule
	byName map[string]*rule
}

// rule is one rule, ready to be evaluated.
type rule struct {
	Rule
	when    *expression
	release *expression // nil: no such condition
	unless  *expression // nil: no such condition
}

// Compile checks the rules and returns the policy: these rules, and behind them
// the built-in ones. It reports all mistakes at once, and no policy with them.
func Compile(rules []Rule) (*Policy, []*RuleError) {
	p := &Policy{byName: map[string]*rule{}}
	c := checker{names: map[string]int{}}
	all := append(append([]Rule(nil), rules...), Builtin()...)
	c.builtin = len(rules)
	for i := c.builtin; i < len(all); i++ {
		c.names[all[i].Name] = i
	}
	for i := range all {
		c.index, c.rule = i, &all[i]
		compiled := c.check()
		p.rules = append(p.rules, compiled)
		p.byName[compiled.Name] = compiled
	}
	if len(c.found) > 0 {
		return nil, c.found
	}
	return p, nil
}

// Asks reports whether any rule names a variable, in whichever of its
// conditions.
func (p *Policy) Asks(variable string) bool {
	return slices.ContainsFunc(p.rules, func(r *rule) bool {
		return slices.ContainsFunc([]*expression{r.when, r.release, r.unless}, func(e *expression) bool { return e != nil && e.asks[variable] })
	})
}

// checker collects the mistakes of all rules.
type checker struct {
	names   map[string]int // by name, the rule that has it
	builtin int            // the index of the first built-in rule
	index   int
	rule    *Rule
	found   []*RuleError
}

// check checks one rule and compiles it. What it returns is of no use once a
// mistake was found.
func (c *checker) check() *rule {
	compiled := &rule{Rule: *c.rule}
	c.name()
	if strings.TrimSpace(c.rule.When) == "" {
		c.whole("when", "the rule needs a condition: when, for example mailbox.shared, or true if it always holds")
	} else {
		compiled.when = c.expression("when", c.rule.When)
	}
	c.then()
	c.message()
	c.anonymous()
	if compiled.Then == Defer && compiled.Anonymous == "" {
		compiled.Anonymous = AnonymousHide
	}
	if c.rule.Release != nil {
		c.release(compiled)
	}
	return compiled
}

func (c *checker) name() {
	name := c.rule.Name
	if strings.TrimSpace(name) == "" {
		c.whole("name", "the rule needs a name: held messages and the audit record refer to it")
		return
	}
	other, taken := c.names[name]
	switch {
	case !taken:
		c.names[name] = c.index
	case other == c.index: // a built-in rule itself
	case other >= c.builtin:
		c.at("name", 1, 1, fmt.Sprintf("%q is the name of a built-in rule", name))
	default:
		c.at("name", 1, 1, fmt.Sprintf("%q is the name of rule %d too: held messages refer to a rule by its name", name, other+1))
	}
}

func (c *checker) then() {
	c.word("then", string(c.rule.Then), []string{string(Allow), string(Refuse), string(Defer)})
}

func (c *checker) anonymous() {
	switch {
	case c.rule.Anonymous == "":
	case c.rule.Then != Defer:
		c.at("anonymous", 1, 1, "anonymous goes with then: defer only")
	default:
		c.word("anonymous", string(c.rule.Anonymous),
			[]string{string(AnonymousHide), string(AnonymousRefuse), string(AnonymousAccept)})
	}
}

func (c *checker) message() {
	refuses := c.rule.Then == Refuse || c.rule.Anonymous == AnonymousRefuse
	if c.rule.Message != "" && !refuses {
		c.at("message", 1, 1, "nobody would read the message: it goes with then: refuse, or with anonymous: refuse")
	}
}

func (c *checker) release(compiled *rule) {
	release := c.rule.Release
	if c.rule.Then != Defer {
		c.whole("release", "release goes with then: defer only: nothing else is held")
	}
	if release.After < 0 {
		c.at("release.after", 1, 1, "after is a time since the first deletion, and cannot be negative")
	}
	if strings.TrimSpace(release.When) == "" && release.After == 0 {
		c.whole("release", "release names no condition: it needs when or after; leave release out to keep messages until an administrator decides")
	}
	compiled.release = c.optional("release.when", release.When)
	compiled.unless = c.optional("release.unless", release.Unless)
}

func (c *checker) optional(field, text string) *expression {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	return c.expression(field, text)
}

func (c *checker) expression(field, text string) *expression {
	compiled, mistakes := compile(text)
	for _, m := range mistakes {
		c.at(field, m.line, m.column, m.text)
	}
	return compiled
}

// word checks a field that is one of a few words.
func (c *checker) word(field, text string, words []string) {
	for _, word := range words {
		if text == word {
			return
		}
	}
	choice := fmt.Sprintf("%s is %s", field, enumerate(words, "or"))
	if text == "" {
		c.whole(field, choice)
		return
	}
	if similar := nearest(text, words); similar != "" {
		choice = fmt.Sprintf("did you mean %s?", similar)
	}
	c.at(field, 1, 1, fmt.Sprintf("%s cannot be %q: %s", field, text, choice))
}

// whole reports a mistake that has no place in a field's text.
func (c *checker) whole(field, text string) { c.at(field, 0, 0, text) }

func (c *checker) at(field string, line, column int, text string) {
	c.found = append(c.found, &RuleError{Rule: c.index, Field: field, Line: line, Column: column, Text: text})
}
