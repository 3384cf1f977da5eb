package upstream

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"time"
)

// searchParser reads search keys. The first problem stays.
type searchParser struct {
	view    *view
	args    []arg
	problem string
	sets    bool // there are numbers or UIDs in it
}

func (p *searchParser) fail(problem string) test {
	if p.problem == "" {
		p.problem = problem
	}
	return func(candidate) bool { return false }
}

// all reads the keys that are left: all have to match.
func (p *searchParser) all() test {
	var tests []test
	for len(p.args) > 0 && p.problem == "" {
		tests = append(tests, p.key())
	}
	return func(c candidate) bool {
		return !slices.ContainsFunc(tests, func(t test) bool { return !t(c) })
	}
}

func (p *searchParser) next() (a arg, ok bool) {
	if len(p.args) == 0 {
		return a, false
	}
	a, p.args = p.args[0], p.args[1:]
	return a, true
}

// key reads one search key.
func (p *searchParser) key() test {
	a, ok := p.next()
	switch {
	case !ok:
		return p.fail("Missing search parameters")
	case a.kind == list && len(a.list) == 0:
		return p.fail("No search parameters inside list")
	case a.kind != list && a.kind != atom:
		return p.fail("Unknown argument " + strings.ToUpper(a.text))
	case a.kind == list:
		inner := &searchParser{view: p.view, args: a.list}
		t := inner.all()
		p.sets = p.sets || inner.sets
		if inner.problem != "" {
			return p.fail(inner.problem)
		}
		return t
	}
	name := strings.ToUpper(a.text)
	switch name {
	case "NOT":
		t := p.key()
		return func(c candidate) bool { return !t(c) }
	case "OR":
		one, other := p.key(), p.key()
		return func(c candidate) bool { return one(c) || other(c) }
	}
	if t := flagKey(name); t != nil {
		return t
	}
	if set, ok := parseSet(a.text); ok {
		return p.numbers(set, false)
	}
	return p.withValue(name)
}

// flagKey are the keys without an argument.
func flagKey(name string) test {
	switch name {
	case "ALL":
		return func(candidate) bool { return true }
	case "RECENT":
		return func(c candidate) bool { return c.recent }
	case "OLD":
		return func(c candidate) bool { return !c.recent }
	case "NEW":
		return func(c candidate) bool { return c.recent && !c.flags.has(seen) }
	}
	plain, un := strings.CutPrefix(name, "UN")
	for i, flag := range systemNames {
		if strings.EqualFold(flag[1:], plain) {
			return func(c candidate) bool { return c.flags.has(1<<i) != un }
		}
	}
	return nil
}

// numbers matches a set.
func (p *searchParser) numbers(set set, uid bool) test {
	last := uint32(len(p.view.entries))
	if uid && last > 0 {
		last = p.view.entries[last-1].m.uid
	}
	if !uid { // in SEARCH "*" does not draw a range back from beyond the last message
		set = slices.DeleteFunc(set, func(r span) bool { return (r.low == star) != (r.high == star) && max(r.low, r.high) > last })
	}
	spans := set.resolve(last)
	match := func(c candidate) bool {
		n := uint32(c.number)
		if uid {
			n = c.m.uid
		}
		return slices.ContainsFunc(spans, func(r span) bool { return r.has(n) })
	}
	for i, e := range p.view.entries { // one that names no message counts for nothing
		p.sets = p.sets || match(candidate{m: e.m, number: i + 1})
	}
	return match
}

// withValue reads the keys that have an argument.
func (p *searchParser) withValue(name string) test {
	known := []string{
		"BCC", "BODY", "CC", "FROM", "HEADER", "KEYWORD", "LARGER", "SMALLER", "SUBJECT", "TEXT", "TO", "UID", "UNKEYWORD",
		"BEFORE", "ON", "SINCE", "SENTBEFORE", "SENTON", "SENTSINCE", "OLDER", "YOUNGER",
	}
	if !slices.Contains(known, name) {
		return p.fail("Unknown argument " + name)
	}
	a, ok := p.next()
	if !ok || !a.word() {
		return p.fail("Missing parameter for argument " + name)
	}
	switch name {
	case "UID":
		set, ok := parseSet(a.text)
		if !ok {
			return p.fail("Invalid UID messageset")
		}
		return p.numbers(set, true)
	case "KEYWORD":
		return func(c candidate) bool { return c.flags.keyword(a.text) }
	case "UNKEYWORD":
		return func(c candidate) bool { return !c.flags.keyword(a.text) }
	case "LARGER", "SMALLER", "OLDER", "YOUNGER":
		return p.amount(name, a.text)
	case "BODY", "TEXT":
		return contains(name == "TEXT", a.text)
	case "HEADER":
		value, ok := p.next()
		if !ok || !value.word() {
			return p.fail("Missing parameter for argument HEADER")
		}
		return headerContains(a.text, value.text)
	case "BCC", "CC", "FROM", "SUBJECT", "TO":
		return headerContains(name, a.text)
	}
	return p.day(name, a.text)
}

func (p *searchParser) amount(name, text string) test {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n == 0 && (name == "OLDER" || name == "YOUNGER") { // RFC 5032, 3
		return p.fail("Invalid search parameter")
	}
	age := time.Duration(n) * time.Second
	switch name {
	case "LARGER":
		return func(c candidate) bool { return c.readable() && c.m.size() > n }
	case "SMALLER":
		return func(c candidate) bool { return c.readable() && c.m.size() < n }
	case "OLDER":
		return func(c candidate) bool { return time.Since(c.m.date) >= age }
	}
	return func(c candidate) bool { return time.Since(c.m.date) <= age }
}

// contains looks for text in any case.
func contains(header bool, text string) test {
	want := bytes.ToLower([]byte(text))
	return func(c candidate) bool {
		if !c.readable() {
			return false
		}
		where := c.m.raw
		if !header {
			where = where[c.m.header:]
		}
		return bytes.Contains(bytes.ToLower(where), want)
	}
}

func headerContains(name, text string) test {
	want := strings.ToLower(text)
	return func(c candidate) bool {
		for field := range fields(c.m.raw[:c.m.header]) {
			if field.is(name) && strings.Contains(strings.ToLower(field.decoded()), want) {
				return true
			}
		}
		return false
	}
}

// day reads a date and compares days, without time and zone (RFC 9051, 6.4.4).
func (p *searchParser) day(name, text string) test {
	day, err := time.Parse("_2-Jan-2006", text)
	if err != nil {
		return p.fail("Invalid search date parameter")
	}
	rule, sent := strings.CutPrefix(name, "SENT")
	return func(c candidate) bool {
		date := c.m.date
		if sent {
			date = sentDay(c.m.text)
		}
		y, mo, d := date.Date()
		switch compared := time.Date(y, mo, d, 0, 0, 0, 0, time.UTC).Compare(day); rule {
		case "BEFORE":
			return compared < 0
		case "ON":
			return compared == 0
		}
		return time.Date(y, mo, d, 0, 0, 0, 0, time.UTC).Compare(day) >= 0
	}
}
