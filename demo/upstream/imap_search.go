package upstream

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// candidate is a message that SEARCH looks at.
type candidate struct {
	m      *message
	number int // from 1
	flags  *flags
	recent bool
}

// test is one key of SEARCH.
type test func(candidate) bool

// cmdSearch is SEARCH and UID SEARCH (RFC 9051, 6.4.4; RFC 4731).
func (s *imapSession) cmdSearch(c *command) string {
	args, results, extended := returnOptions(c.args)
	if extended && !s.can("ESEARCH") {
		return c.bad("Unknown argument RETURN")
	}
	if len(args) > 1 && args[0].is("CHARSET") {
		charset := strings.ToUpper(args[1].text)
		if charset != "UTF-8" && charset != "US-ASCII" {
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
	found := s.open.find(match, c.uid)
	if extended {
		s.say(fmt.Sprintf(`* ESEARCH (TAG %s)`, quote(c.tag)) + esearch(found, results, c.uid))
	} else {
		s.sayFound(found)
	}
	return "OK Search completed."
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

// find gives the numbers or UIDs of what matches.
func (v *view) find(match test, uid bool) (found []uint32) {
	for i, e := range v.entries {
		if match(candidate{e.m, i + 1, e.m.flags.Load(), v.isRecent(e.m)}) {
			if uid {
				found = append(found, e.m.uid)
			} else {
				found = append(found, uint32(i+1))
			}
		}
	}
	return found
}

func (s *imapSession) sayFound(found []uint32) {
	_, _ = s.w.WriteString("* SEARCH")
	for _, n := range found {
		_, _ = s.w.Write(strconv.AppendUint(append(s.w.AvailableBuffer(), ' '), uint64(n), 10))
	}
	s.say("")
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
