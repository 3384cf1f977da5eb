package imap

import (
	"context"
	"strings"

	"mailguard/guard"
	"mailguard/proxy/imap/wire"
)

// namespaces is what the upstream says of its folders' names (RFC 2342), once
// somebody has logged in.
type namespaces struct {
	personal []space
	foreign  []space // other users' and shared ones
}

// space is one namespace. Its prefix is in UTF-8.
type space struct{ prefix, delimiter string }

// parseNamespaces reads the answer to NAMESPACE: three lists, or NIL for each.
// What cannot be read is left out.
func parseNamespaces(text []byte) (n namespaces) {
	for i, list := range splitLists(string(text)) {
		for _, pair := range splitLists(strings.TrimSuffix(strings.TrimPrefix(list, "("), ")")) {
			if sp, ok := parseSpace(pair); ok && i == 0 {
				n.personal = append(n.personal, sp)
			} else if ok {
				n.foreign = append(n.foreign, sp)
			}
		}
	}
	return n
}

// splitLists returns the lists that stand at the top level of text; NIL is "".
func splitLists(text string) (lists []string) {
	depth, start, quoted := 0, 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '(':
			if depth == 0 {
				start = i
			}
			depth++
		case c == ')':
			if depth--; depth == 0 {
				lists = append(lists, text[start:i+1])
			}
		case depth == 0 && strings.HasPrefix(text[i:], "NIL"):
			lists = append(lists, "")
		}
	}
	return lists
}

// parseSpace reads ("prefix" "delimiter" ...).
func parseSpace(pair string) (space, bool) {
	pair = strings.TrimPrefix(pair, "(")
	prefix, rest, ok := cutQuoted(pair)
	if !ok {
		return space{}, false
	}
	delimiter, _, _ := cutQuoted(strings.TrimPrefix(rest, " ")) // NIL: the names are flat
	decoded, err := wire.DecodeUTF7(prefix)
	if err != nil {
		decoded = prefix // already UTF-8, or what the server alone understands
	}
	return space{decoded, delimiter}, true
}

// cutQuoted reads a quoted string at the beginning of s.
func cutQuoted(s string) (value, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		return "", s, false
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:], true
		case '\\':
			i++
			if i == len(s) {
				return "", s, false
			}
		}
		b.WriteByte(s[i])
	}
	return "", s, false
}

// stanceTo says how a folder is treated at this moment: a mailbox that nobody
// shared when the session began may be shared now. In one that belongs to nobody
// whom the configuration knows nothing is deleted.
func (s *session) stanceTo(ctx context.Context, t target) guard.Stance {
	switch {
	case s.own(t) && s.stance != guard.Relay:
		return s.stance
	case t.mailbox == "":
		if s.Guard.Mode == guard.Observe {
			return guard.Relay
		}
		return guard.Protect
	}
	return s.Guard.Admit(ctx, s.visitorTo(t))
}

// own reports whether the folder is in the login's own mailbox.
func (s *session) own(t target) bool { return t.mailbox == s.visitor.Mailbox }

// resolve says whose folder a name means; see names.
func (s *session) resolve(name string) target {
	n := names{own: s.visitor.Mailbox, configured: s.upstream.Namespaces, personal: s.spaces.personal, foreign: s.spaces.foreign}
	return n.resolve(name)
}

// visitorTo is who the login is in the folder's mailbox.
func (s *session) visitorTo(t target) guard.Visitor {
	v := s.visitor
	if !s.own(t) {
		v.Identity, v.Neighbour = v.Identity.In(t.mailbox), true
	}
	return v
}
