package upstream

import (
	"regexp"
	"strings"
)

// What RFC 5256, 2.1 takes off a subject.
var (
	blanks   = regexp.MustCompile(`[ \t]+`)
	trailer  = regexp.MustCompile(`(?i)(?:\(fwd\)|[ \t])+$`)
	blob     = regexp.MustCompile(`^\[[^][]*\][ \t]*`)
	leader   = regexp.MustCompile(`(?i)^(?:[ \t]|(?:\[[^][]*\][ \t]*)*(?:re|fwd?)[ \t]*(?:\[[^][]*\][ \t]*)?:)`)
	forwards = regexp.MustCompile(`(?i)^\[fwd:(.*)\]$`)
)

// baseSubject is the subject by which messages are sorted and threaded, and
// whether something was taken off that a reply or a forwarded message has.
func baseSubject(subject string) (base string, reply bool) {
	base = strings.TrimSpace(blanks.ReplaceAllString(subject, " "))
	for {
		before := base
		base = trailer.ReplaceAllString(base, "")
		reply = reply || strings.TrimSpace(before) != base
		for {
			rest := leader.ReplaceAllString(base, "")
			reply = reply || strings.TrimSpace(base) != strings.TrimSpace(rest)
			if shorter := blob.ReplaceAllString(rest, ""); shorter != "" {
				rest = shorter
			}
			if rest == base {
				break
			}
			base = rest
		}
		inner := forwards.FindStringSubmatch(base)
		if inner == nil {
			return strings.ToUpper(base), reply
		}
		base, reply = inner[1], true
	}
}

// subject is the base subject of a message.
func (t *text) subject() (base string, reply bool) {
	for f := range fields(t.raw[:t.header]) {
		if f.is("Subject") {
			return baseSubject(f.decoded())
		}
	}
	return "", false
}
