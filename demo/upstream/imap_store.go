package upstream

import (
	"fmt"
	"slices"
	"strings"
)

// pick finds the messages that a command's first argument names.
func (s *imapSession) pick(c *command) (numbers []int, problem string) {
	if len(c.args) < 2 || !c.args[0].word() {
		return nil, c.bad("Invalid arguments")
	}
	if c.args[0].kind != atom {
		return nil, c.bad("Invalid messageset")
	}
	set, ok := parseSet(c.args[0].text)
	if ok {
		numbers, ok = s.open.numbers(set, c.uid)
	}
	if !ok {
		if c.uid {
			return nil, c.bad("Invalid uidset")
		}
		return nil, c.bad("Invalid messageset")
	}
	return numbers, ""
}

// cmdStore is STORE and UID STORE. The news tell the flags afterwards.
func (s *imapSession) cmdStore(c *command) string {
	numbers, problem := s.pick(c)
	if problem != "" {
		return problem
	}
	item, silent := strings.CutSuffix(strings.ToUpper(c.args[1].text), ".SILENT")
	mode := map[string]byte{"FLAGS": '=', "+FLAGS": '+', "-FLAGS": '-'}[item]
	if mode == 0 {
		return c.bad("Invalid arguments")
	}
	what := c.args[2:]
	if len(what) == 1 && what[0].kind == list {
		what = what[0].list
	}
	if slices.ContainsFunc(what, func(a arg) bool { return a.kind != atom }) {
		return c.bad("Flags list contains non-atoms")
	}
	change, bad := parseFlags(mode, texts(what))
	if bad != "" {
		return c.bad("Invalid system flag " + bad)
	}
	v := s.open
	if v.readOnly {
		return "OK Store ignored with read-only mailbox."
	}
	c.storesByUID = c.uid && !silent
	before := v.current(numbers)
	v.folder.store(v.messages(numbers), change, v.rights)
	if silent {
		v.quiet(numbers, before)
	}
	return "OK Store completed."
}

// current are the flags now.
func (v *view) current(numbers []int) []*flags {
	now := make([]*flags, len(numbers))
	for i, n := range numbers {
		now[i] = v.entries[n].m.flags.Load()
	}
	return now
}

// quiet takes the client's own change for told where the client knew what was
// there before (RFC 9051, 6.4.6).
func (v *view) quiet(numbers []int, before []*flags) {
	for i, n := range numbers {
		if e := &v.entries[n]; e.told == before[i] {
			e.told = e.m.flags.Load()
		}
	}
}

func mayInsert(rights string) bool { return strings.Contains(rights, "i") }

// target is where COPY and MOVE go.
func (s *imapSession) target(c *command) (f *folder, problem string) {
	if len(c.args) < 2 || !c.args[1].word() {
		return nil, c.bad("Invalid arguments")
	}
	f, problem = s.find(c.args[1].text)
	switch {
	case problem != "" && strings.HasPrefix(problem, "Mailbox doesn't exist"):
		return nil, "NO [TRYCREATE] " + problem
	case problem != "":
		return nil, "NO " + problem
	case !mayInsert(f.box.rightsOf(s.user)):
		return nil, "NO [NOPERM] Permission denied."
	}
	return f, ""
}

// copyTo copies the messages that a command names. code is COPYUID (RFC 4315,
// 3).
func (s *imapSession) copyTo(c *command) (from []*message, code, problem string) {
	numbers, problem := s.pick(c)
	if problem != "" {
		return nil, "", problem
	}
	if len(numbers) == 0 { // Dovecot does not look where to
		return nil, "", "OK No messages found."
	}
	to, problem := s.target(c)
	if problem != "" {
		c.noNews = true
		return nil, "", problem
	}
	from = s.open.messages(numbers)
	rights := to.box.rightsOf(s.user)
	var drafts []draftMessage
	var source, target []uint32
	for _, m := range from {
		if m.gone.Load() {
			return nil, "", "NO [EXPUNGEISSUED] Some of the requested messages no longer exist."
		}
		old := m.flags.Load()
		flags := change{mode: '=', system: old.system, keywords: old.keywords}
		drafts = append(drafts, draftMessage{text: m.text, date: m.date, flags: flags.allowed(rights, newFlags(0, nil))})
		source = append(source, m.uid)
	}
	first := to.add(drafts)
	for i := range drafts {
		target = append(target, first+uint32(i))
	}
	if s.can("UIDPLUS") {
		code = fmt.Sprintf("[COPYUID %d %s %s] ", to.uidValidity, formatSet(source), formatSet(target))
	}
	return from, code, ""
}

func (s *imapSession) cmdCopy(c *command) string {
	_, code, problem := s.copyTo(c)
	if problem != "" {
		return problem
	}
	return "OK " + code + "Copy completed."
}

// cmdMove is MOVE and UID MOVE. It does not ask whether the folder was opened
// by EXAMINE: Dovecot 2.3 does not either.
func (s *imapSession) cmdMove(c *command) string {
	if rights := s.open.rights; !strings.Contains(rights, "e") || !strings.Contains(rights, "t") {
		return "NO [NOPERM] Permission denied."
	}
	from, code, problem := s.copyTo(c)
	if problem != "" {
		return problem
	}
	if code != "" {
		s.say("* OK " + code + "Moved UIDs.")
	}
	moved := make(map[*message]bool, len(from))
	for _, m := range from {
		moved[m] = true
	}
	gone := s.open.folder.expunge(func(m *message) bool { return moved[m] })
	s.record(s.open.folder, gone, s.by(c))
	return "OK Move completed."
}
