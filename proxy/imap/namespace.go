package imap

import (
	"context"
	"strings"

	"mailguard/guard"
	"mailguard/member"
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

// target is what a folder's name means.
type target struct {
	name    string         // as the upstream knows it, in UTF-8
	mailbox member.Mailbox // whose it is; "" if nobody knows
	folder  string         // canonical: without prefix, "/" between levels, INBOX in upper case
}

// own reports whether the folder is in the login's own mailbox.
func (s *session) own(t target) bool { return t.mailbox == s.visitor.Mailbox }

// resolve says whose folder a name means, and what it is called in that mailbox.
// One folder has one name there, however it is spelt: two would be a way round
// the guard.
func (s *session) resolve(name string) target {
	for _, n := range s.upstream.Namespaces {
		for _, delimiter := range s.delimiters(name) {
			if box, rest, ok := n.mailboxOf(name, delimiter); ok {
				return target{name, box, canonical(rest, delimiter)}
			}
		}
	}
	for _, sp := range s.spaces.foreign {
		if sp.prefix != "" && sp.holds(name) {
			return target{name: name, folder: canonical(name, sp.delimiter)}
		}
	}
	for _, sp := range s.spaces.personal {
		if rest, ok := strings.CutPrefix(name, sp.prefix); ok && rest != "" {
			return target{name, s.visitor.Mailbox, s.ownFolder(rest, sp)}
		}
	}
	return target{name, s.visitor.Mailbox, canonical(name, "/")}
}

// ownFolder makes the name of a folder in the login's own mailbox canonical. A
// folder INBOX below the prefix INBOX is not the INBOX.
func (s *session) ownFolder(rest string, sp space) string {
	folder := canonical(rest, sp.delimiter)
	if folder == inbox && sp.prefix != "" {
		return inbox + "/" + inbox
	}
	return folder
}

// holds reports whether a name is in the namespace, or is its root.
func (sp space) holds(name string) bool {
	return strings.HasPrefix(name, sp.prefix) ||
		(sp.delimiter != "" && name == strings.TrimSuffix(sp.prefix, sp.delimiter))
}

// delimiters are those that may stand in a name.
func (s *session) delimiters(name string) []string {
	all := []string{"/"}
	for _, sp := range append(s.spaces.foreign, s.spaces.personal...) {
		if sp.delimiter != "" && sp.delimiter != "/" {
			all = append(all, sp.delimiter)
		}
	}
	return all
}

// inbox is the canonical name of the INBOX.
const inbox = "INBOX"

// canonical is a name with "/" between its levels and its first level INBOX in
// upper case; what is left of a name when the prefix was all of it is the
// INBOX.
func canonical(name, delimiter string) string {
	if delimiter != "" && delimiter != "/" {
		name = strings.ReplaceAll(name, delimiter, "/")
	}
	first, rest, deeper := strings.Cut(name, "/")
	switch {
	case name == "" || (strings.EqualFold(name, inbox)):
		return inbox
	case strings.EqualFold(first, inbox) && deeper:
		return inbox + "/" + rest
	}
	return name
}

// isRegular reports whether a canonical name has no empty levels: servers that
// allow them take "Keep", "Keep/" and "/Keep" for one folder (Cyrus).
func isRegular(folder string) bool {
	return !strings.HasPrefix(folder, "/") && !strings.HasSuffix(folder, "/") && !strings.Contains(folder, "//")
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

// visitorTo is who the login is in the folder's mailbox.
func (s *session) visitorTo(t target) guard.Visitor {
	v := s.visitor
	if !s.own(t) {
		v.Identity = v.Identity.In(t.mailbox)
	}
	return v
}
