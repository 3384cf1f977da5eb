package upstream

import (
	"fmt"
	"slices"
	"strings"
)

// names are the command's arguments where all are to be n strings.
func names(c *command, n int) ([]string, bool) {
	if len(c.args) < n {
		return nil, false
	}
	words := make([]string, n)
	for i := range words {
		if !c.args[i].word() {
			return nil, false
		}
		words[i] = c.args[i].text
	}
	return words, true
}

// may looks up a name and a right.
func (s *imapSession) may(name, right string) (place, string) {
	p, problem := s.place(name)
	switch {
	case problem != "":
		return p, "NO " + problem
	case p.box == nil || !strings.Contains(p.box.rightsOf(s.user), right):
		return p, "NO [NOPERM] Permission denied."
	}
	return p, ""
}

func (s *imapSession) cmdCreate(c *command) string {
	args, ok := names(c, 1)
	if !ok {
		return c.bad("Invalid arguments")
	}
	p, problem := s.may(args[0], "k")
	if problem != "" {
		return problem
	}
	if !p.box.create(p.name) {
		return "NO [ALREADYEXISTS] Mailbox already exists."
	}
	return "OK Create completed."
}

func (s *imapSession) cmdDelete(c *command) string {
	args, ok := names(c, 1)
	if !ok {
		return c.bad("Invalid arguments")
	}
	p, problem := s.may(args[0], "x")
	if problem != "" {
		return problem
	}
	if p.name == inboxName {
		return "NO INBOX can't be deleted."
	}
	f := s.folder(p)
	gone, there := p.box.destroy(p.name)
	if !there {
		return "NO [NONEXISTENT] Mailbox doesn't exist: " + args[0] + "."
	}
	s.record(f, gone, s.by(c))
	if s.open != nil && s.open.folder == f {
		c.after = "* BYE Selected mailbox was deleted, have to disconnect."
		s.over = true
	}
	return "OK Delete completed."
}

func (s *imapSession) cmdRename(c *command) string {
	args, ok := names(c, 2)
	if !ok {
		return c.bad("Invalid arguments")
	}
	from, problem := s.may(args[0], "x")
	if problem != "" {
		return problem
	}
	to, problem := s.may(args[1], "k")
	if problem != "" {
		return problem
	}
	switch {
	case from.name == inboxName:
		return "NO [CANNOT] Renaming INBOX isn't supported."
	case from.box != to.box:
		return "NO [CANNOT] Can't rename mailbox to another namespace."
	case from.name == to.name:
		return "NO [ALREADYEXISTS] Can't rename mailbox to itself."
	case !s.exists(from):
		return "NO [NONEXISTENT] Mailbox doesn't exist: " + args[0] + "."
	case s.exists(to):
		return "NO [ALREADYEXISTS] Target mailbox already exists."
	case strings.HasPrefix(to.name, from.name+"/"):
		return "NO Can't rename mailbox under its own child."
	}
	from.box.rename(from.name, to.name)
	return "OK Rename completed."
}

// exists reports whether there is a folder, or one below it.
func (s *imapSession) exists(p place) bool {
	return slices.ContainsFunc(p.box.names(), func(name string) bool {
		return name == p.name || strings.HasPrefix(name, p.name+"/")
	})
}

func (s *imapSession) cmdSubscribe(c *command) string {
	f, name, problem := s.only(c)
	if problem != "" {
		return problem
	}
	s.account.mu.Lock()
	defer s.account.mu.Unlock()
	if f.box == s.account && f.name == inboxName {
		name = inboxName
	}
	s.account.subscribed[name] = true
	return "OK Subscribe completed."
}

func (s *imapSession) cmdUnsubscribe(c *command) string {
	args, ok := names(c, 1)
	if !ok {
		return c.bad("Invalid arguments")
	}
	s.account.mu.Lock()
	defer s.account.mu.Unlock()
	if strings.EqualFold(args[0], inboxName) {
		args[0] = inboxName
	}
	delete(s.account.subscribed, args[0])
	return "OK Unsubscribe completed."
}

// statusItems are in the order in which they are told.
var statusItems = []string{"MESSAGES", "RECENT", "UIDNEXT", "UIDVALIDITY", "UNSEEN", "SIZE"}

func (s *imapSession) cmdStatus(c *command) string {
	if len(c.args) < 2 || !c.args[0].word() || c.args[1].kind != list {
		return c.bad("Missing arguments")
	}
	items, problem := readStatusItems(c.args[1].list)
	if problem != "" {
		return c.bad(problem)
	}
	f, problem := s.find(c.args[0].text)
	if problem != "" {
		return "NO " + problem
	}
	mine := s.open
	if mine != nil && mine.folder != f {
		mine = nil
	}
	s.say("* STATUS " + astring(c.args[0].text) + " (" + f.status(items, mine) + ")")
	if mine != nil {
		return "OK [CLIENTBUG] Status on selected mailbox completed."
	}
	return "OK Status completed."
}

func readStatusItems(args []arg) (items []string, problem string) {
	for _, a := range args {
		item := strings.ToUpper(a.text)
		if !slices.Contains(statusItems, item) {
			return nil, "Invalid status item " + item
		}
		items = append(items, item)
	}
	if len(items) == 0 {
		return nil, "Empty status list"
	}
	return items, ""
}

// status tells what was asked for. mine is the view of a session that has the
// folder open, else nil: such a session is told what it knows already.
func (f *folder) status(items []string, mine *view) string {
	counts := f.counts
	if mine != nil {
		counts = mine.counts
	}
	numbers := counts()
	var told []string
	for _, item := range statusItems {
		if slices.Contains(items, item) {
			told = append(told, fmt.Sprintf("%s %d", item, numbers[item]))
		}
	}
	return strings.Join(told, " ")
}

// counts are the values of all status items.
func (f *folder) counts() map[string]int64 {
	f.box.mu.Lock()
	defer f.box.mu.Unlock()
	counts := map[string]int64{"MESSAGES": int64(len(f.messages)), "UIDNEXT": int64(f.uidNext), "UIDVALIDITY": int64(f.uidValidity)}
	for _, m := range f.messages {
		counts["SIZE"] += m.size()
		if m.uid >= f.recentFrom {
			counts["RECENT"]++
		}
		if !m.flags.Load().has(seen) {
			counts["UNSEEN"]++
		}
	}
	return counts
}

// counts are the values of all status items, as the session knows them.
func (v *view) counts() map[string]int64 {
	counts := map[string]int64{
		"MESSAGES": int64(len(v.entries)), "RECENT": int64(v.counted), "UIDNEXT": int64(v.lastUID) + 1, "UIDVALIDITY": int64(v.folder.uidValidity),
	}
	for _, e := range v.entries {
		counts["SIZE"] += e.m.size()
		if !e.told.has(seen) {
			counts["UNSEEN"]++
		}
	}
	return counts
}
