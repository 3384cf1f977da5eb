package upstream

import (
	"fmt"
	"slices"
	"strings"
)

// candidate is a message that SEARCH looks at.
type candidate struct {
	m      *message
	number int // from 1
	flags  *flags
	recent bool
	lost   *bool // set where a text was needed that another session removed
}

// readable reports whether the text is still there.
func (c candidate) readable() bool {
	gone := c.m.gone.Load()
	*c.lost = *c.lost || gone
	return !gone
}

// test is one key of SEARCH.
type test func(candidate) bool

// cmdSearch is SEARCH and UID SEARCH (RFC 9051, 6.4.4; RFC 4731).
func (s *imapSession) cmdSearch(c *command) string {
	args, results, extended := returnOptions(c.args)
	if problem := s.checkResults(results, extended, "ESEARCH"); problem != "" {
		return c.bad(problem)
	}
	if len(args) > 1 && args[0].is("CHARSET") {
		if !knownCharset(args[1].text) {
			return "NO [BADCHARSET] Unknown charset."
		}
		args = args[2:]
	}
	if len(args) == 0 {
		return c.bad("Missing search parameters")
	}
	p := &searchParser{view: s.open, args: args}
	match := p.all()
	if p.problem != "" {
		return c.bad(p.problem)
	}
	c.hasSets = p.sets
	found, lost := s.open.find(match)
	numbers := numbersOf(found, c.uid)
	if extended {
		s.say(fmt.Sprintf(`* ESEARCH (TAG %s)`, quote(c.tag)) + esearch(numbers, results, c.uid))
	} else {
		s.sayFound("SEARCH", numbers)
	}
	return foundAll(lost, "Search")
}

func knownCharset(name string) bool {
	return strings.EqualFold(name, "UTF-8") || strings.EqualFold(name, "US-ASCII")
}

// foundAll is the answer where a search came to its end.
func foundAll(lost bool, what string) string {
	if lost {
		return "OK [EXPUNGEISSUED] " + what + " completed, but some messages were already expunged."
	}
	return "OK " + what + " completed."
}

// returnOptions takes RETURN (...) off.
func returnOptions(args []arg) (rest []arg, results []string, extended bool) {
	if len(args) < 2 || !args[0].is("RETURN") || args[1].kind != list {
		return args, nil, false
	}
	for _, a := range args[1].list {
		results = append(results, strings.ToUpper(a.text))
	}
	if len(results) == 0 {
		results = []string{"ALL"}
	}
	return args[2:], results, true
}

// checkResults says what is wrong with the options of a search's RETURN.
func (s *imapSession) checkResults(results []string, extended bool, needs string) string {
	if extended && !s.can(needs) {
		return "Unknown argument RETURN"
	}
	for _, r := range results {
		if !slices.Contains([]string{"MIN", "MAX", "ALL", "COUNT"}, r) {
			return "Unknown search return option " + r
		}
	}
	return ""
}

// find gives what matches. lost says that a message could not be read.
func (v *view) find(match test) (found []numbered, lost bool) {
	for i, e := range v.entries {
		if match(candidate{e.m, i + 1, e.told, v.isRecent(e.m), &lost}) {
			found = append(found, numbered{i + 1, e.m})
		}
	}
	return found, lost
}

func esearch(found []uint32, results []string, uid bool) string {
	var b strings.Builder
	if uid {
		b.WriteString(" UID")
	}
	want := func(name string) bool { return slices.Contains(results, name) }
	if n := len(found); n > 0 {
		if want("MIN") {
			fmt.Fprintf(&b, " MIN %d", found[0])
		}
		if want("MAX") {
			fmt.Fprintf(&b, " MAX %d", found[n-1])
		}
		if want("ALL") {
			b.WriteString(" ALL " + formatSet(found))
		}
	}
	if want("COUNT") {
		fmt.Fprintf(&b, " COUNT %d", len(found))
	}
	return b.String()
}
