package config

import (
	"slices"
	"strings"
	"time"

	"mailguard/guard"
	"mailguard/member"
)

// mailboxes checks which mailboxes are shared, and by whom.
func (c *checker) mailboxes() {
	c.cfg.LearnFor = orDuration(c.file.LearnFor, 30*24*time.Hour)
	before := entries{exact: make(map[string]int)}
	for i, m := range c.file.Mailboxes {
		p := path{"mailboxes", i}
		c.match(p, m.Match)
		if m.Match != "" {
			c.firstMatch(i, m.Match, &before)
		}
		c.cfg.Mailboxes = append(c.cfg.Mailboxes, guard.Entry{Match: m.Match, Settings: c.settings(p, m)})
		if m.SecretFile != "" {
			c.laterKey(p.of("secret_file"))
			c.secretFile(p.of("secret_file"), m.SecretFile)
		}
	}
}

func orDuration(written duration, otherwise time.Duration) time.Duration {
	if written == 0 {
		return otherwise
	}
	return time.Duration(written)
}

// match checks that a pattern is written as mailboxes are called.
func (c *checker) match(p path, match string) {
	at := p.of("match")
	if match == "" {
		if c.written(at) {
			c.wrong(at, "`match` is empty; write a mailbox such as \"support@example.com\", or \"*\" for every one")
		} else {
			c.missing(p, "`match` is missing: a mailbox such as \"support@example.com\", or \"*@example.com\"")
		}
		return
	}
	_, err := member.ParseMailbox(strings.ReplaceAll(match, "*", "x"))
	domain := c.file.DefaultDomain
	switch {
	case strings.Count(match, "@") > 1:
		c.wrong(at, "a mailbox has one `@` at most, not %d", strings.Count(match, "@"))
	case err != nil:
		c.wrong(at, "%s is not the name of a mailbox: write it without blanks and without `%% / \\`, with text on both sides of the `@`", quote(match))
	case strings.ToLower(match) != match:
		c.wrong(at, "mailboxes are written in lower case: %s", quote(strings.ToLower(match)))
	case c.cfg.Identity.Separator != "" && strings.Contains(match, c.cfg.Identity.Separator):
		c.wrong(at, "a mailbox cannot have the login separator %s in it: what follows there is a member's name", quote(c.cfg.Identity.Separator))
	case domain != "" && !strings.ContainsAny(match, "@*"):
		c.wrong(at, "`default_domain` completes every login name: write %s", quote(match+"@"+domain))
	}
}

// entries are the matches so far: the exact names by name, so that thousands of
// them stay quick, and those with a "*" in order.
type entries struct {
	exact    map[string]int
	patterns []int
}

// firstMatch reports an entry that is never reached, because an earlier one
// fits every mailbox that it fits. It would look as if it did something.
func (c *checker) firstMatch(i int, match string, before *entries) {
	at := path{"mailboxes", i, "match"}
	earlier := func(j int) int { return c.line(path{"mailboxes", j, "match"}) }
	if j, twice := before.exact[match]; twice {
		c.wrong(at, "%s is already in line %d; put both into one entry", quote(match), earlier(j))
		return
	}
	for _, j := range before.patterns {
		if pattern := c.file.Mailboxes[j].Match; covers(pattern, match) {
			c.wrong(at, "%s is never reached: %s in line %d comes first and fits it too; put this entry before that one",
				quote(match), quote(pattern), earlier(j))
			break
		}
	}
	before.exact[match] = i
	if strings.Contains(match, "*") {
		before.patterns = append(before.patterns, i)
	}
}

// covers reports whether a pattern fits all that another one fits. The other's
// "*" is only met by a "*".
func covers(pattern, other string) bool {
	head, rest, star := strings.Cut(pattern, "*")
	if !strings.HasPrefix(other, head) {
		return false
	}
	if other = other[len(head):]; !star {
		return other == ""
	}
	parts := strings.Split(rest, "*")
	last := parts[len(parts)-1]
	for _, part := range parts[:len(parts)-1] {
		_, after, found := strings.Cut(other, part)
		if !found {
			return false
		}
		other = after
	}
	return strings.HasSuffix(other, last)
}

func (c *checker) settings(p path, m mailboxKeys) guard.Settings {
	s := guard.Settings{
		Shared:      sharing(m.Shared),
		AbsentAfter: time.Duration(m.AbsentAfter),
		Mode:        guard.Mode(m.Mode),
	}
	for i, name := range m.Members {
		at := p.of("members", i)
		if name == "" {
			c.wrong(at, "`members[%d]` is empty; remove it", i)
			continue
		}
		who := c.memberName(at, name)
		if who != "" && slices.Contains(s.Members, who) {
			c.wrong(at, "%s is listed twice", quote(name))
		}
		s.Members = append(s.Members, who)
	}
	switch {
	case len(m.Members) == 0 || !c.trusted(p):
	case m.Shared == "":
		c.warn(p.of("members"), "this mailbox has `members` but does not say `shared: true`: it is guarded only once two of them have used it")
	case s.Shared == guard.SharedNo:
		c.warn(p.of("members"), "`members` does nothing where `shared` is false")
	}
	return s
}

// sharing returns what a mailbox's `shared` says.
func sharing(word string) guard.Sharing {
	switch word {
	case "true":
		return guard.SharedYes
	case "false":
		return guard.SharedNo
	}
	return guard.SharedAuto
}
