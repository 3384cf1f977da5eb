package config

import (
	"strings"
	"time"

	"mailguard/guard"
	"mailguard/policy"
)

// policy checks the rules and makes them ready.
func (c *checker) policy() {
	keys, p := c.file.Policy, path{"policy"}
	c.cfg.Mode = guard.Mode(choice(keys.Mode, string(guard.Enforce)))
	if keys.Preset != "" {
		c.laterKey(p.of("preset"))
	}
	if keys.Breaker != nil {
		c.laterKey(p.of("breaker"))
		c.breaker(p.of("breaker"), keys.Breaker)
	}
	rules := make([]policy.Rule, len(keys.Rules))
	for i, r := range keys.Rules {
		c.rule(p.of("rules", i), r)
		rules[i] = ruleOf(r)
	}
	compiled, mistakes := policy.Compile(rules)
	c.cfg.Policy = compiled
	for _, m := range mistakes {
		c.ruleMistake(m)
	}
}

func ruleOf(r ruleKeys) policy.Rule {
	rule := policy.Rule{
		Name:      r.Name,
		When:      r.When,
		Then:      policy.Verdict(r.Then),
		Message:   strings.TrimSpace(r.Message), // a block ends in a line end
		Anonymous: policy.Anonymous(r.Anonymous),
	}
	if r.Release != nil {
		rule.Release = &policy.Release{When: r.Release.When, After: time.Duration(r.Release.After), Unless: r.Release.Unless}
	}
	return rule
}

// rule checks what the compiler does not know of: what logs and clients can
// take. What belongs together in a rule, and its expressions, are checked where
// they are compiled.
func (c *checker) rule(p path, r ruleKeys) {
	if hasControl(r.Name) || strings.TrimSpace(r.Name) != r.Name {
		c.wrong(p.of("name"), "`name` is a word for logs and records, without blanks around it and control characters")
	}
	if hasControl(strings.TrimSpace(r.Message)) {
		c.wrong(p.of("message"), "`message` is one line of text, without control characters")
	}
}

func (c *checker) breaker(p path, keys *breakerKeys) {
	if keys.Messages == nil && keys.Share == nil {
		c.missing(p, "`breaker` needs `messages` (how many deletions are too many), `share` (of a folder, in percent), or both")
	}
	if keys.Messages != nil {
		c.within(p.of("messages"), *keys.Messages, 1, 1_000_000_000)
	}
	if keys.Share != nil {
		c.within(p.of("share"), *keys.Share, 1, 100)
	}
	if keys.Within == 0 {
		c.missing(p, "`within` is missing: the time in which deletions are counted, such as 10m")
	}
}

// ruleMistake reports what the rules' compiler has found, at its place in the
// file. Where a part of the rule could not be read, the compiler has only seen
// what was left: then it is believed about expressions, which stand for
// themselves, and about nothing else.
func (c *checker) ruleMistake(m *policy.RuleError) {
	rule := path{"policy", "rules", m.Rule}
	p := rule
	for step := range strings.SplitSeq(m.Field, ".") {
		if step != "" {
			p = p.of(step)
		}
	}
	n, found := c.src.node(p)
	expression := found && (strings.HasSuffix(m.Field, "when") || strings.HasSuffix(m.Field, "unless"))
	if c.blamed[n] || !expression && !c.trusted(rule) {
		return
	}
	at := positionOf(n)
	if expression && m.Line > 0 {
		at = c.src.inScalar(n, m.Line, m.Column)
	}
	c.report(at, m.Text)
}
