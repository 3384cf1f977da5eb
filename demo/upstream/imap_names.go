package upstream

import (
	"maps"
	"slices"
	"strings"
)

// place is where a name on the wire leads: a folder that is there or could be.
type place struct {
	box  *mailbox
	name string // "/" between levels
}

// folder is the one there, or nil. Without the right to look it is not there.
func (s *imapSession) folder(p place) *folder {
	if p.box == nil || !strings.Contains(p.box.rightsOf(s.user), "l") {
		return nil
	}
	return p.box.folder(p.name)
}

// find is the folder of a name on the wire, or the answer that there is none.
func (s *imapSession) find(name string) (*folder, string) {
	p, problem := s.place(name)
	if problem != "" {
		return nil, problem
	}
	if f := s.folder(p); f != nil {
		return f, ""
	}
	return nil, "Mailbox doesn't exist: " + name + "."
}

// place reads a name on the wire. problem says what is wrong with it.
func (s *imapSession) place(name string) (p place, problem string) {
	delimiter := s.delimiter()
	if problem := checkName(name, delimiter); problem != "" {
		return p, problem
	}
	if strings.EqualFold(name, inboxName) {
		return place{s.account, inboxName}, ""
	}
	if rest, others := strings.CutPrefix(name, s.others()); others {
		return s.otherPlace(rest), ""
	}
	rest, personal := cutPrefixFold(name, s.IMAP.Prefix)
	if !personal {
		return p, "[CANNOT] Invalid mailbox name: it begins with none of the namespaces."
	}
	rest = strings.TrimSuffix(rest, delimiter)
	return place{s.account, strings.ReplaceAll(rest, delimiter, "/")}, ""
}

// otherPlace reads what is behind the other users' prefix: a name, which may
// hold the delimiter, and a folder of theirs.
func (s *imapSession) otherPlace(rest string) place {
	delimiter := s.delimiter()
	for _, owner := range s.owners() {
		below, is := strings.CutPrefix(rest, owner)
		switch {
		case !is:
		case below == "" || strings.EqualFold(below, delimiter+inboxName):
			return place{s.mailbox(owner), inboxName}
		case strings.HasPrefix(below, delimiter):
			return place{s.mailbox(owner), strings.ReplaceAll(below[1:], delimiter, "/")}
		}
	}
	return place{}
}

// owners are the other users whose folders the user may see.
func (s *imapSession) owners() []string {
	s.mu.Lock()
	boxes := maps.Clone(s.mailboxes)
	s.mu.Unlock()
	var owners []string
	for _, name := range slices.Sorted(maps.Keys(boxes)) {
		if name != s.user && strings.Contains(boxes[name].rightsOf(s.user), "l") {
			owners = append(owners, name)
		}
	}
	return owners
}

func cutPrefixFold(text, prefix string) (string, bool) {
	if len(text) < len(prefix) || !strings.EqualFold(text[:len(prefix)], prefix) {
		return text, false
	}
	return text[len(prefix):], true
}

// checkName refuses what no folder can be called.
func checkName(name, delimiter string) string {
	switch {
	case name == "":
		return "[CANNOT] Invalid mailbox name: Name is empty."
	case strings.HasPrefix(name, delimiter):
		return "[CANNOT] Invalid mailbox name: Begins with hierarchy separator."
	case strings.Contains(name, delimiter+delimiter):
		return "[CANNOT] Invalid mailbox name: Has adjacent hierarchy separators."
	case delimiter != "/" && strings.Contains(name, "/"):
		return "[CANNOT] Invalid mailbox name: Name must not have '/' characters."
	case strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r > '~' }) || !shifted(name):
		return "Mailbox name is not valid mUTF-7."
	}
	return ""
}

// shifted reports whether each & has its - (RFC 3501, 5.1.3).
func shifted(name string) bool {
	for {
		_, rest, found := strings.Cut(name, "&")
		if !found {
			return true
		}
		_, name, found = strings.Cut(rest, "-")
		if !found {
			return false
		}
	}
}

// wireName is a folder's name as this session's client writes it.
func (s *imapSession) wireName(box *mailbox, name string) string {
	wire := strings.ReplaceAll(name, "/", s.delimiter())
	switch {
	case box != s.account && name == inboxName:
		return s.others() + box.owner
	case box != s.account:
		return s.others() + box.owner + s.delimiter() + wire
	case name == inboxName:
		return wire
	}
	return s.IMAP.Prefix + wire
}

// astring writes a name as an atom where that is allowed, else quoted.
func astring(name string) string {
	if name == "" || strings.EqualFold(name, "NIL") || strings.ContainsAny(name, ` (){%*"\]`) {
		return quote(name)
	}
	return name
}

func quote(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

func (s *imapSession) cmdNamespace(*command) string {
	d := quote(s.delimiter())
	others := "NIL"
	if len(s.owners()) > 0 {
		others = "((" + quote(s.others()) + " " + d + "))"
	}
	s.say("* NAMESPACE ((" + quote(s.IMAP.Prefix) + " " + d + ")) " + others + " NIL")
	return "OK Namespace completed."
}

func (s *imapSession) cmdMyRights(c *command) string {
	f, name, problem := s.only(c)
	if problem != "" {
		return problem
	}
	s.say("* MYRIGHTS " + astring(name) + " " + astring(f.box.rightsOf(s.user)))
	return "OK Myrights completed."
}

func (s *imapSession) cmdGetACL(c *command) string {
	f, name, problem := s.only(c)
	if problem != "" {
		return problem
	}
	line := "* ACL " + astring(name) + " " + astring(f.box.owner) + " " + astring(f.box.rightsOf(f.box.owner))
	f.box.mu.Lock()
	for _, user := range slices.Sorted(maps.Keys(f.box.rights)) {
		if user != f.box.owner {
			line += " " + astring(user) + " " + astring(f.box.rights[user])
		}
	}
	f.box.mu.Unlock()
	s.say(line)
	return "OK Getacl completed."
}

// only is the folder that is the command's only argument.
func (s *imapSession) only(c *command) (f *folder, name, problem string) {
	if len(c.args) != 1 || !c.args[0].word() {
		return nil, "", c.bad("Invalid arguments")
	}
	name = c.args[0].text
	if f, problem = s.find(name); problem != "" {
		return nil, name, "NO " + problem
	}
	return f, name, ""
}
