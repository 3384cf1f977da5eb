package imap

import (
	"cmp"
	"slices"
	"strings"

	"mailguard/member"
)

// target is what a folder's name means.
type target struct {
	name    string         // as the client wrote it, in UTF-8
	mailbox member.Mailbox // whose it is; "" if nobody knows: nothing is deleted there
	folder  string         // canonical: without prefix, "/" between levels, INBOX in upper case
}

// names says whose folder a name means, and what it is called in that mailbox.
// One folder has one name there, however it is spelt: two would be a way round
// the guard. What could be read in two ways belongs to nobody.
type names struct {
	own        member.Mailbox // the login's
	configured []Namespace
	personal   []space // none: the upstream has no NAMESPACE
	foreign    []space
}

func (n names) resolve(name string) target {
	if strings.EqualFold(name, inbox) {
		return target{name, n.own, inbox}
	}
	plain := n.withoutEmptyLevels(name)
	for _, c := range n.configured {
		if t, ok := c.resolve(name, plain); ok {
			return t
		}
	}
	for _, sp := range n.foreign {
		if sp.prefix != "" && sp.holds(plain) {
			return nobodys(name, plain)
		}
	}
	return n.resolveOwn(name, plain)
}

// nobodys is a folder of which nobody knows whose it is.
func nobodys(name, plain string) target { return target{name: name, folder: plain} }

// withoutEmptyLevels takes delimiters away that stand at the ends or twice:
// Cyrus opens "Keep", "Keep//" and "/Keep" as one folder.
func (n names) withoutEmptyLevels(name string) string {
	for _, d := range n.delimiters() {
		for strings.Contains(name, d+d) {
			name = strings.ReplaceAll(name, d+d, d)
		}
		name = strings.TrimSuffix(strings.TrimPrefix(name, d), d)
	}
	return name
}

// delimiters are those that the upstream, or the configuration, uses.
func (n names) delimiters() []string {
	all := []string{"/"}
	for _, sp := range slices.Concat(n.personal, n.foreign) {
		all = append(all, sp.delimiter)
	}
	for _, c := range n.configured {
		all = append(all, c.delimiter())
	}
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(d string) bool { return d == "" })
}

// resolveOwn is for a name that no other mailbox's namespace holds.
func (n names) resolveOwn(name, plain string) target {
	if len(n.personal) == 0 {
		return target{name, n.own, canonical(plain, "/")}
	}
	byLength := slices.Clone(n.personal)
	slices.SortFunc(byLength, func(a, b space) int { return cmp.Compare(len(b.prefix), len(a.prefix)) })
	for _, sp := range byLength {
		switch rest, is := sp.cut(plain); {
		case !is:
		case rest == "" || sp.prefix != "" && isInbox(rest, sp.delimiter):
			return nobodys(name, plain) // on some servers the INBOX (Dovecot), on others a folder beside it
		default:
			return target{name, n.own, canonical(rest, sp.delimiter)}
		}
	}
	return nobodys(name, plain)
}

// isInbox reports whether a name is INBOX, or a folder below it.
func isInbox(name, delimiter string) bool {
	first := name
	if delimiter != "" {
		first, _, _ = strings.Cut(name, delimiter)
	}
	return strings.EqualFold(first, inbox)
}

// cut takes the namespace's prefix off a name. The prefix INBOX is taken in any
// case, as servers do.
func (sp space) cut(name string) (rest string, is bool) {
	p := len(sp.prefix)
	if len(name) < p || p > 0 && !sp.begins(name[:p]) {
		return "", false
	}
	return name[p:], true
}

func (sp space) begins(start string) bool {
	if isInbox(sp.prefix, sp.delimiter) {
		return strings.EqualFold(start, sp.prefix)
	}
	return start == sp.prefix
}

// holds reports whether a name is in the namespace, or is its root, in any case:
// what is spelt otherwise on a server that tells cases apart is a folder of the
// login's own, and closed for nothing worse than a strange name.
func (sp space) holds(name string) bool {
	root := strings.TrimSuffix(sp.prefix, sp.delimiter)
	if len(name) < len(root) || !strings.EqualFold(name[:len(root)], root) {
		return false
	}
	return len(name) == len(root) || sp.delimiter != "" && strings.HasPrefix(name[len(root):], sp.delimiter)
}

// delimiter is what stands between the levels of a configured namespace: the
// character behind {user}, else the last one before it.
func (c Namespace) delimiter() string {
	before, after, _ := strings.Cut(c.Prefix, userWord)
	switch {
	case after != "":
		return after[:1]
	case before != "":
		return before[len(before)-1:]
	}
	return ""
}

const userWord = "{user}"

// resolve reads the name of a folder below a configured namespace. A prefix in
// another case, an owner who cannot be one, and the namespace's own root belong
// to nobody.
func (c Namespace) resolve(name, plain string) (t target, ok bool) {
	d := c.delimiter()
	before, after, _ := strings.Cut(c.Prefix, userWord)
	if !(space{prefix: before, delimiter: d}).holds(plain) {
		return target{}, false
	}
	tail, exact := strings.CutPrefix(plain, before)
	user, rest, deeper := strings.Cut(tail, d)
	if middle := strings.Trim(after, d); exact && middle != "" {
		rest, exact = strings.CutPrefix(rest, middle)
		rest = strings.TrimPrefix(rest, d)
	}
	box, err := member.ParseMailbox(strings.ReplaceAll(c.Mailbox, userWord, user))
	if !exact || user == "" || err != nil || deeper && rest == "" {
		return nobodys(name, plain), true
	}
	return target{name, box, canonical(rest, d)}, true
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
