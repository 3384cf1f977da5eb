package upstream

import (
	"slices"
	"strings"
)

// listed is one name that LIST may tell.
type listed struct {
	name     string  // as the client writes it
	folder   *folder // nil: only something above one
	children bool
}

// all are the names that the user sees, in order.
func (s *imapSession) all() []listed {
	var names []listed
	add := func(box *mailbox) {
		for _, name := range box.names() {
			names = append(names, listed{name: s.wireName(box, name), folder: box.folder(name)})
		}
	}
	add(s.account)
	for _, owner := range s.owners() {
		add(s.mailbox(owner))
	}
	return withParents(names, s.delimiter())
}

// withParents adds what is only above something, and says what has children.
func withParents(names []listed, delimiter string) []listed {
	at := make(map[string]int)
	for i, l := range names {
		at[l.name] = i
	}
	for _, l := range slices.Clone(names) {
		for name := l.name; strings.Contains(name, delimiter); {
			name = name[:strings.LastIndex(name, delimiter)]
			i, known := at[name]
			if !known {
				i = len(names)
				at[name] = i
				names = append(names, listed{name: name})
			}
			names[i].children = true
		}
	}
	return names
}

// matches is RFC 9051, 6.3.9: "*" is anything, "%" anything within a level.
func matches(pattern, name, delimiter string) bool {
	switch {
	case pattern == "":
		return name == ""
	case pattern[0] == '*' || pattern[0] == '%':
		for i := 0; i <= len(name); i++ {
			if matches(pattern[1:], name[i:], delimiter) {
				return true
			}
			if pattern[0] == '%' && i < len(name) && name[i:i+1] == delimiter {
				return false
			}
		}
		return false
	}
	return name != "" && pattern[0] == name[0] && matches(pattern[1:], name[1:], delimiter)
}

// matchesAny compares the INBOX in any case.
func matchesAny(patterns []string, name, delimiter string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		if name == inboxName {
			p = strings.ToUpper(p)
		}
		return matches(p, name, delimiter)
	})
}

// query is a LIST command.
type query struct {
	patterns   []string
	subscribed bool // select these only
	special    bool // select these only
	extended   bool // RFC 5258
	want       []string
	status     []string
}

func (s *imapSession) cmdList(c *command) string {
	q, problem := s.readList(c)
	if problem != "" {
		return problem
	}
	if len(q.patterns) == 1 && q.patterns[0] == "" { // RFC 9051, 6.3.9: only the delimiter
		s.say(`* LIST (\Noselect) ` + quote(s.delimiter()) + ` ""`)
		return "OK List completed."
	}
	for _, l := range s.all() {
		if matchesAny(q.patterns, l.name, s.delimiter()) {
			s.sayListed(q, l)
		}
	}
	if q.subscribed {
		s.sayLost(q)
	}
	return "OK List completed."
}

// readList reads LIST's arguments (RFC 5258, 6).
func (s *imapSession) readList(c *command) (q query, problem string) {
	args := c.args
	if len(args) > 0 && args[0].kind == list {
		q.extended = true
		for _, a := range args[0].list {
			q.subscribed = q.subscribed || a.is("SUBSCRIBED")
			q.special = q.special || a.is("SPECIAL-USE")
			if !a.isOneOf("SUBSCRIBED", "SPECIAL-USE", "REMOTE", "RECURSIVEMATCH") {
				return q, c.bad("Unknown select option")
			}
		}
		args = args[1:]
	}
	if len(args) < 2 || !args[0].word() {
		return q, c.bad("Invalid arguments")
	}
	patterns := args[1].list
	if args[1].word() {
		patterns = args[1:2]
	} else {
		q.extended = true
	}
	for _, p := range patterns {
		if p.text != "" || q.extended {
			p.text = args[0].text + p.text
		}
		q.patterns = append(q.patterns, p.text)
	}
	if len(args) > 2 {
		q.extended = true
		return q, s.readReturn(c, &q, args[2:])
	}
	if q.extended && !s.can("LIST-EXTENDED") {
		return q, c.bad("Invalid arguments")
	}
	return q, ""
}

func (s *imapSession) readReturn(c *command, q *query, args []arg) string {
	if len(args) != 2 || !args[0].is("RETURN") || args[1].kind != list || !s.can("LIST-EXTENDED") {
		return c.bad("Invalid arguments")
	}
	options := args[1].list
	for i, a := range options {
		if a.is("STATUS") && i+1 < len(options) && options[i+1].kind == list {
			items, problem := readStatusItems(options[i+1].list)
			if problem != "" {
				return c.bad(problem)
			}
			q.status = items
		} else if a.kind != list && !a.isOneOf("SUBSCRIBED", "CHILDREN", "SPECIAL-USE") {
			return c.bad("Unknown return option")
		}
		q.want = append(q.want, strings.ToUpper(a.text))
	}
	return ""
}

// sayListed tells one name, if the selection wants it.
func (s *imapSession) sayListed(q query, l listed) {
	subscribed := s.isSubscribed(l.name)
	special := l.folder != nil && l.folder.use != "" && s.can("SPECIAL-USE")
	if q.subscribed && !subscribed || q.special && !special {
		return
	}
	var attributes []string
	add := func(yes bool, attribute string) {
		if yes {
			attributes = append(attributes, attribute)
		}
	}
	add(subscribed && (q.subscribed || slices.Contains(q.want, "SUBSCRIBED")), `\Subscribed`)
	add(l.folder == nil && !q.extended, `\Noselect`)
	add(l.folder == nil && q.extended, `\NonExistent`)
	children := !q.extended || slices.Contains(q.want, "CHILDREN")
	add(children && l.children, `\HasChildren`)
	add(children && !l.children, `\HasNoChildren`)
	if special && (!q.extended || q.special || slices.Contains(q.want, "SPECIAL-USE")) {
		attributes = append(attributes, l.folder.use)
	}
	s.say("* LIST (" + strings.Join(attributes, " ") + ") " + quote(s.delimiter()) + " " + astring(l.name))
	if q.status != nil && l.folder != nil {
		s.say("* STATUS " + astring(l.name) + " (" + l.folder.status(q.status, nil) + ")")
	}
}

// sayLost tells what is subscribed to and no longer there.
func (s *imapSession) sayLost(q query) {
	known := s.all()
	for _, name := range s.subscriptions() {
		there := slices.ContainsFunc(known, func(l listed) bool { return l.name == name })
		if !there && matchesAny(q.patterns, name, s.delimiter()) {
			s.say(`* LIST (\Subscribed \NonExistent) ` + quote(s.delimiter()) + " " + astring(name))
		}
	}
}

func (s *imapSession) subscriptions() []string {
	s.account.mu.Lock()
	defer s.account.mu.Unlock()
	var names []string
	for name := range s.account.subscribed {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (s *imapSession) isSubscribed(name string) bool {
	s.account.mu.Lock()
	defer s.account.mu.Unlock()
	return s.account.subscribed[name]
}

// cmdLsub tells subscriptions, and with "%" what is above them (RFC 3501,
// 6.3.9).
func (s *imapSession) cmdLsub(c *command) string {
	args, ok := names(c, 2)
	if !ok {
		return c.bad("Invalid arguments")
	}
	var subscribed []listed
	uses := make(map[string]*folder)
	for _, l := range s.all() {
		uses[l.name] = l.folder
	}
	for _, name := range s.subscriptions() {
		subscribed = append(subscribed, listed{name: name})
	}
	own := len(subscribed)
	for i, l := range withParents(subscribed, s.delimiter()) {
		attributes := ""
		if f := uses[l.name]; i < own && f != nil && s.can("SPECIAL-USE") {
			attributes = f.use
		}
		if i >= own {
			if attributes = `\Noselect`; !strings.Contains(args[1], "%") {
				continue
			}
		}
		if matchesAny([]string{args[0] + args[1]}, l.name, s.delimiter()) {
			s.say("* LSUB (" + attributes + ") " + quote(s.delimiter()) + " " + astring(l.name))
		}
	}
	return "OK Lsub completed."
}
