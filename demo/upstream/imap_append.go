package upstream

import (
	"fmt"
	"time"
)

// dateTime is RFC 9051, 9, date-time; time.Parse takes a blank for the first
// digit of the day as well.
const dateTime = "_2-Jan-2006 15:04:05 -0700"

// appender collects the messages of one APPEND.
type appender struct {
	folder   *folder
	rights   string
	read     int // arguments that were understood
	messages []draftMessage
	next     draftMessage // what is known of the message that comes now
}

// take stores the content of the message that was admitted.
func (a *appender) take(content []byte) {
	a.next.text = newText(content)
	a.messages = append(a.messages, a.next)
	a.read++ // the literal
}

// admitMessage checks all that stands before a message's literal. problem is
// the answer where the message is not wanted.
func (s *imapSession) admitMessage(c *command, args []arg, size int64) (problem string) {
	a := c.drafts
	if c.action.Answer != "" || c.action.Silent {
		return ""
	}
	if s.account == nil {
		return "BAD Error in IMAP command received by server."
	}
	if a.folder == nil {
		if problem := s.appendTo(c, args[0]); problem != "" {
			return problem
		}
	} else if !s.can("MULTIAPPEND") {
		return c.bad("Invalid arguments")
	}
	if problem := a.describe(c, args[a.read:]); problem != "" {
		return problem
	}
	a.read = len(args)
	switch {
	case size == 0:
		return "NO Can't save a zero byte message."
	case size > maxMessage:
		return "NO [TOOBIG] The message is too big."
	}
	return ""
}

// appendTo finds where to.
func (s *imapSession) appendTo(c *command, name arg) string {
	if !name.word() {
		return c.bad("Invalid arguments")
	}
	f, problem := s.find(name.text)
	if problem != "" {
		return "NO [TRYCREATE] " + problem
	}
	if c.drafts.rights = f.box.rightsOf(s.user); !mayInsert(c.drafts.rights) {
		return "NO [NOPERM] Permission denied."
	}
	c.drafts.folder, c.drafts.read = f, 1
	return ""
}

// describe reads flags and date of the message that comes now.
func (a *appender) describe(c *command, args []arg) string {
	a.next = draftMessage{date: time.Now(), flags: change{mode: '='}}
	if len(args) > 0 && args[0].kind == list {
		flags, bad := parseFlags('=', texts(args[0].list))
		if bad != "" {
			return c.bad("Invalid system flag " + bad)
		}
		a.next.flags = flags.allowed(a.rights, newFlags(0, nil))
		args = args[1:]
	}
	if len(args) > 0 && args[0].kind == quoted {
		date, err := time.Parse(dateTime, args[0].text)
		if err != nil {
			return c.bad("Invalid internal date")
		}
		a.next.date, args = date, args[1:]
	}
	if len(args) > 0 {
		return c.bad("Invalid arguments")
	}
	return ""
}

func texts(args []arg) []string {
	var all []string
	for _, a := range args {
		all = append(all, a.text)
	}
	return all
}

// cmdAppend stores what was read: all messages or, where something was wrong
// with one of them, none (RFC 3502, 6.3.11).
func (s *imapSession) cmdAppend(c *command) string {
	a := c.drafts
	if len(a.messages) == 0 || a.read != len(c.args) {
		return c.bad("Invalid arguments")
	}
	first := a.folder.add(a.messages)
	uids := fmt.Sprint(first)
	if n := len(a.messages); n > 1 {
		uids += fmt.Sprintf(":%d", int(first)+n-1)
	}
	if !s.can("UIDPLUS") {
		return "OK Append completed."
	}
	return fmt.Sprintf("OK [APPENDUID %d %s] Append completed.", a.folder.uidValidity, uids)
}
