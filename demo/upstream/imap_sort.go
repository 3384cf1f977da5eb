package upstream

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// sortKey compares two messages by one criterion.
type sortKey func(a, b *message) int

// cmdSort is SORT and UID SORT (RFC 5256, 3; with RETURN it is RFC 5267, 3).
func (s *imapSession) cmdSort(c *command) string {
	args, results, extended := returnOptions(c.args)
	if problem := s.checkResults(results, extended, "ESORT"); problem != "" {
		return c.bad(problem)
	}
	if len(args) < 3 || args[0].kind != list {
		return c.bad("Missing or invalid sort program")
	}
	order, problem := sortProgram(args[0].list)
	if problem != "" {
		return c.bad(problem)
	}
	found, lost, problem := s.findIn(c, args[1:])
	if problem != "" {
		return problem
	}
	slices.SortStableFunc(found, func(a, b numbered) int { return order(a.m, b.m) })
	numbers := numbersOf(found, c.uid)
	if extended {
		s.say(fmt.Sprintf(`* ESEARCH (TAG %s)`, quote(c.tag)) + esearch(numbers, results, c.uid))
	} else {
		s.sayFound("SORT", numbers)
	}
	return foundAll(lost, "Sort")
}

// findIn runs the search of SORT and THREAD: a charset, and keys.
func (s *imapSession) findIn(c *command, args []arg) (found []numbered, lost bool, problem string) {
	if !knownCharset(args[0].text) {
		return nil, false, "NO [BADCHARSET] Unknown charset."
	}
	p := &searchParser{view: s.open, args: args[1:]}
	match := p.all()
	if p.problem != "" {
		return nil, false, c.bad(p.problem)
	}
	c.hasSets = p.sets && strings.HasSuffix(c.name, "SORT")
	found, lost = s.open.find(match)
	return found, lost, ""
}

// sortProgram reads RFC 5256, 3, sort-criteria.
func sortProgram(args []arg) (sortKey, string) {
	var keys []sortKey
	reverse := false
	for _, a := range args {
		name := strings.ToUpper(a.text)
		if name == "REVERSE" && !reverse {
			reverse = true
			continue
		}
		key := sortKeys[name]
		if key == nil || !a.word() {
			return nil, "Unknown sort key " + name
		}
		if reverse {
			plain := key
			key = func(a, b *message) int { return plain(b, a) }
		}
		keys, reverse = append(keys, key), false
	}
	if len(keys) == 0 || reverse {
		return nil, "Empty sort program"
	}
	return func(a, b *message) int {
		for _, key := range keys {
			if d := key(a, b); d != 0 {
				return d
			}
		}
		return 0
	}, ""
}

// sortKeys are the criteria. The order of the folder decides where they do not.
var sortKeys = map[string]sortKey{
	"ARRIVAL": func(a, b *message) int { return compareSeconds(a.date, b.date) },
	"DATE":    func(a, b *message) int { return compareSeconds(a.sent(), b.sent()) },
	"SIZE":    func(a, b *message) int { return cmp.Compare(a.size(), b.size()) },
	"FROM":    byAddress("From"),
	"TO":      byAddress("To"),
	"CC":      byAddress("Cc"),
	"SUBJECT": func(a, b *message) int {
		one, _ := a.subject()
		other, _ := b.subject()
		return cmp.Compare(one, other)
	},
}

func compareSeconds(a, b time.Time) int { return cmp.Compare(a.Unix(), b.Unix()) }

// sent is the time of the Date field, or of the arrival where there is none
// (RFC 5256, 2.2).
func (m *message) sent() time.Time {
	if date, err := sentDate(m.text); err == nil {
		return date
	}
	return m.date
}

// byAddress compares the first address's part before the @.
func byAddress(name string) sortKey {
	local := func(m *message) string {
		value, _ := headerValue(m.raw[:m.header], name)
		return strings.ToUpper(firstLocal(value))
	}
	return func(a, b *message) int { return cmp.Compare(local(a), local(b)) }
}

// numbersOf are UIDs or message numbers.
func numbersOf(found []numbered, uid bool) []uint32 {
	numbers := make([]uint32, len(found))
	for i, f := range found {
		numbers[i] = uint32(f.number)
		if uid {
			numbers[i] = f.m.uid
		}
	}
	return numbers
}

// sayFound tells numbers in their order.
func (s *imapSession) sayFound(what string, numbers []uint32) {
	_, _ = s.w.WriteString("* " + what)
	for _, n := range numbers {
		_, _ = s.w.Write(strconv.AppendUint(append(s.w.AvailableBuffer(), ' '), uint64(n), 10))
	}
	s.say("")
}
