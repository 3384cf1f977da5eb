package upstream

import (
	"slices"
	"strings"
)

// system are the flags that RFC 9051, 2.3.2 names, less \Recent, which belongs
// to sessions.
type system uint8

const (
	answered system = 1 << iota
	flagged
	deleted
	seen
	draft
)

// systemNames are in the order of the bits, which is Dovecot's order too.
var systemNames = []string{`\Answered`, `\Flagged`, `\Deleted`, `\Seen`, `\Draft`}

// flags are a message's flags at one time. They do not change: a message gets
// others.
type flags struct {
	system   system
	keywords []string
	front    string // the system flags as they are written
	back     string // the keywords as they are written
}

func newFlags(bits system, keywords []string) *flags {
	return &flags{system: bits, keywords: keywords, front: strings.Join(bits.names(), " "), back: strings.Join(keywords, " ")}
}

func (b system) names() []string {
	var names []string
	for i, name := range systemNames {
		if b&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

func (f *flags) has(bit system) bool { return f.system&bit != 0 }

func (f *flags) keyword(name string) bool {
	return slices.ContainsFunc(f.keywords, func(k string) bool { return strings.EqualFold(k, name) })
}

func (f *flags) equal(g *flags) bool {
	return f.system == g.system && slices.Equal(f.keywords, g.keywords)
}

// names are the flags without \Recent.
func (f *flags) names() []string { return append(f.system.names(), f.keywords...) }

// append writes the flags as FETCH shows them.
func (f *flags) append(b []byte, recent bool) []byte {
	start := len(b)
	b = append(b, f.front...)
	if recent {
		b = append(blank(b, start), `\Recent`...)
	}
	if f.back != "" {
		b = append(blank(b, start), f.back...)
	}
	return b
}

func blank(b []byte, start int) []byte {
	if len(b) > start {
		b = append(b, ' ')
	}
	return b
}

// change is what STORE does to flags, and APPEND to none.
type change struct {
	mode     byte // '+', '-', or '=' for exactly these
	system   system
	keywords []string
}

// parseFlags reads a list of flags. bad is the first that cannot be set.
func parseFlags(mode byte, list []string) (c change, bad string) {
	c.mode = mode
	for _, name := range list {
		if !strings.HasPrefix(name, `\`) {
			c.keywords = append(c.keywords, name)
			continue
		}
		i := slices.IndexFunc(systemNames, func(s string) bool { return strings.EqualFold(s, name) })
		if i < 0 {
			return c, strings.ToUpper(name)
		}
		c.system |= 1 << i
	}
	return c, ""
}

// allowed leaves out what the rights do not allow: t is \Deleted, s is \Seen,
// w is everything else (RFC 4314, 4). Where the list stands for all flags, what
// may not be changed stays as it is.
func (c change) allowed(rights string, old *flags) change {
	var may system
	if strings.Contains(rights, "t") {
		may |= deleted
	}
	if strings.Contains(rights, "s") {
		may |= seen
	}
	if strings.Contains(rights, "w") {
		may |= answered | flagged | draft
	}
	c.system &= may
	if c.mode == '=' {
		c.system |= old.system &^ may
	}
	if !strings.Contains(rights, "w") {
		c.keywords = nil
		if c.mode == '=' {
			c.keywords = old.keywords
		}
	}
	return c
}

// apply gives the flags after the change. The keywords come in the folder's
// order, known.
func (c change) apply(old *flags, known []string) *flags {
	bits := c.system
	switch c.mode {
	case '+':
		bits |= old.system
	case '-':
		bits = old.system &^ bits
	}
	named := func(k string) bool {
		return slices.ContainsFunc(c.keywords, func(n string) bool { return strings.EqualFold(n, k) })
	}
	var keywords []string
	for _, k := range known {
		has := old.keyword(k)
		if c.mode == '+' && (has || named(k)) || c.mode == '-' && has && !named(k) || c.mode == '=' && named(k) {
			keywords = append(keywords, k)
		}
	}
	return newFlags(bits, keywords)
}
