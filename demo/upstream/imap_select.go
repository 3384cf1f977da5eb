package upstream

import (
	"fmt"
	"slices"
	"strings"
)

// cmdSelect is SELECT and EXAMINE. Whatever comes of it, no folder stays open
// (RFC 9051, 6.3.2).
func (s *imapSession) cmdSelect(c *command) string {
	if len(c.args) == 0 || !c.args[0].word() {
		return c.bad("Invalid arguments")
	}
	if len(c.args) > 1 && !(c.args[1].kind == list && len(c.args[1].list) == 1 && c.args[1].list[0].is("CONDSTORE")) {
		return c.bad("Unknown parameter")
	}
	if s.open != nil {
		s.say("* OK [CLOSED] Previous mailbox closed.")
		s.open = nil
	}
	f, problem := s.find(c.args[0].text)
	if problem != "" {
		return "NO " + problem
	}
	rights := f.box.rightsOf(s.user)
	if !strings.Contains(rights, "r") {
		return "NO [NOPERM] Permission denied."
	}
	s.open = &view{folder: f, rights: rights, readOnly: c.name == "EXAMINE", renamed: f.renames()}
	s.open.update(true)
	s.describe()
	if s.open.readOnly {
		return "OK [READ-ONLY] Examine completed."
	}
	return "OK [READ-WRITE] Select completed."
}

// describe tells about the folder that was opened (RFC 3501, 6.3.1).
func (s *imapSession) describe() {
	v, f := s.open, s.open.folder
	f.box.mu.Lock()
	keywords, uidNext := f.keywords[:v.keywords:v.keywords], f.uidNext
	f.box.mu.Unlock()
	s.sayFlags(keywords, v.readOnly)
	s.say(fmt.Sprintf("* %d EXISTS", len(v.entries)))
	s.say(fmt.Sprintf("* %d RECENT", v.counted))
	for i, e := range v.entries {
		if !e.told.has(seen) && !s.IMAP.NoUnseen {
			s.say(fmt.Sprintf("* OK [UNSEEN %d] First unseen.", i+1))
			break
		}
	}
	s.say(fmt.Sprintf("* OK [UIDVALIDITY %d] UIDs valid", f.uidValidity))
	if !s.IMAP.NoUIDNext {
		s.say(fmt.Sprintf("* OK [UIDNEXT %d] Predicted next UID", uidNext))
	}
}

func (s *imapSession) cmdClose(c *command) string {
	// Dovecot only looks at what others marked where this session knows of a mark.
	if slices.ContainsFunc(s.open.entries, func(e entry) bool { return e.told.has(deleted) }) {
		s.expunge(c, s.open.has(set{{1, star}}))
	}
	s.open = nil
	return "OK Close completed."
}

func (s *imapSession) cmdUnselect(*command) string {
	s.open = nil
	return "OK Unselect completed."
}

// cmdExpunge is EXPUNGE and UID EXPUNGE. The news tell what went.
func (s *imapSession) cmdExpunge(c *command) string {
	which := s.open.has(set{{1, star}}) // not what came since
	if c.uid {
		if len(c.args) == 0 || !c.args[0].word() {
			return c.bad("Missing arguments")
		}
		uids, ok := parseSet(c.args[0].text)
		if !ok {
			return c.bad("Invalid uidset")
		}
		which = s.open.has(uids)
	}
	s.expunge(c, which)
	return "OK Expunge completed."
}

// has tells which messages of the view are in a UID set.
func (v *view) has(uids set) func(*message) bool {
	numbers, _ := v.numbers(uids, true)
	in := make(map[*message]bool, len(numbers))
	for _, m := range v.messages(numbers) {
		in[m] = true
	}
	return func(m *message) bool { return in[m] }
}

// expunge removes what has \Deleted and is in which, as far as this session
// may. Like Dovecot it says nothing where it may not.
func (s *imapSession) expunge(c *command, which func(*message) bool) {
	v := s.open
	if v.readOnly || !strings.Contains(v.rights, "e") {
		return
	}
	gone := v.folder.expunge(func(m *message) bool { return m.flags.Load().has(deleted) && which(m) })
	s.record(v.folder, gone, s.by(c))
}

// by says who removes something.
func (s *imapSession) by(c *command) Removal {
	return Removal{User: s.user, Session: s.id, Command: c.shown}
}
