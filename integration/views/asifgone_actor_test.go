package views

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mailguard/integration/imapconn"
)

// actor plays the script in one mailbox.
type actor struct {
	t      *testing.T
	s      *stage
	box    string
	direct *imapconn.Conn
	conns  map[string]*imapconn.Conn // alice's: the first and the second
	tags   []string                  // pipelined
}

func (a *actor) dial(address, user string) *imapconn.Conn {
	a.t.Helper()
	c, err := imapconn.Dial(a.t.Context(), address, nil)
	if err == nil { // not strict: what is right is what the other side says
		err = c.LogIn(user, password)
	}
	if err != nil {
		a.t.Fatalf("%s: %v", user, err)
	}
	return c
}

func (a *actor) close() {
	for _, c := range a.conns {
		_ = c.Close()
	}
	a.conns = make(map[string]*imapconn.Conn)
}

func (a *actor) must(c *imapconn.Conn, command string) {
	a.t.Helper()
	if _, tagged, err := c.Do(command); err != nil || !strings.HasPrefix(tagged, "OK") {
		a.t.Fatalf("%s: %.80s: %q, %v", a.box, command, tagged, err)
	}
}

// newActor makes a mailbox with its folders and their mail.
func newActor(t *testing.T, s *stage, box string) *actor {
	t.Helper()
	a := &actor{t: t, s: s, box: box}
	s.user(box)
	a.fill()
	return a
}

func (a *actor) fill() {
	a.direct = a.dial(a.s.direct, a.box)
	a.t.Cleanup(func() { _ = a.direct.Close() })
	a.close()
	for _, name := range []string{"All", "One", "Trash"} {
		a.must(a.direct, "CREATE "+name)
		a.must(a.direct, "SUBSCRIBE "+name)
	}
	for i := range 30 {
		a.append(a.direct, "INBOX", i+1, "")
	}
	for i := range 4 {
		a.append(a.direct, "All", i+1, "")
	}
	for i := range 5 {
		a.append(a.direct, "One", i+1, "")
	}
}

// append puts the n-th message into a folder.
func (a *actor) append(c *imapconn.Conn, folder string, n int, subject string) {
	var flags []string
	for every, flag := range []string{3: `\Seen`, 4: `\Flagged`, 5: `\Answered`, 7: "$Work"} {
		if flag != "" && n%every == 0 {
			flags = append(flags, flag)
		}
	}
	a.must(c, fmt.Sprintf(`APPEND %s (%s) "%2d-Feb-2025 10:%02d:00 +0000" `, folder, strings.Join(flags, " "), 1+n%28, n)+literal(letter(n, subject)))
}

// letter is the n-th message: every fourth has parts, every third answers the
// one before.
func letter(n int, subject string) string {
	if subject == "" {
		subject = []string{"plan", "Re: plan", "lunch", "Re: lunch", "holiday"}[n%5] + " " + itoa(n%3)
	}
	head := fmt.Sprintf("From: %s <%[1]s@example.net>\r\nTo: support@example.com\r\nSubject: %s\r\nDate: %d Feb 2025 09:00:00 +0000\r\nMessage-ID: <m%d@example.net>\r\n",
		[]string{"carol", "dave", "erin"}[n%3], subject, 1+(n*7)%28, n)
	if n%3 == 0 && n > 1 {
		head += fmt.Sprintf("In-Reply-To: <m%d@example.net>\r\nReferences: <m%[1]d@example.net>\r\n", n-1)
	}
	body := fmt.Sprintf("This is number %d of all.\r\n%s\r\n", n, strings.Repeat("x", n*9))
	if n%4 != 0 {
		return head + "\r\n" + body
	}
	return head + "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n" + body +
		"--b\r\nContent-Type: text/html\r\n\r\n<p>" + itoa(n) + "</p>\r\n--b--\r\n"
}

// deleteAs deletes what is to be missing.
func (a *actor) deleteAs(address, user string) {
	c := a.dial(address, user)
	defer c.Close()
	for _, folder := range []string{"INBOX", "All", "One"} {
		a.must(c, "SELECT "+folder)
		a.must(c, "UID STORE "+deletedUIDs[folder]+` +FLAGS.SILENT (\Deleted)`)
		a.must(c, "UID EXPUNGE "+deletedUIDs[folder])
	}
	a.must(c, "LOGOUT")
}

// step plays one line and returns what was answered, normalised.
func (a *actor) step(st step, morePipelined bool) []string {
	a.t.Helper()
	switch st.kind {
	case "===":
		a.close()
		return nil
	case "D:":
		a.must(a.direct, a.withMessage(st.text))
		return nil
	}
	c := a.conn(map[bool]string{false: "first", true: "second"}[st.kind == "2:"])
	switch st.kind {
	case "P:":
		return a.pipeline(c, st.text, morePipelined)
	case "IDLE:":
		return a.idle(c)
	case "DONE:":
		return a.done(c)
	}
	untagged, tagged, err := c.Do(a.withMessage(st.text))
	if err != nil {
		a.t.Fatalf("%s: line %d: %s: %v\n%s", a.box, st.line, st.text, err, c.Transcript())
	}
	return a.normalise(append(untagged, tagged))
}

func (a *actor) conn(name string) *imapconn.Conn {
	if a.conns[name] == nil {
		a.conns[name] = a.dial(a.s.imap, a.box+"#alice")
	}
	return a.conns[name]
}

// idle begins IDLE; what comes in it is read by done.
func (a *actor) idle(c *imapconn.Conn) []string {
	a.t.Helper()
	err := c.Send("i1 IDLE\r\n")
	response := ""
	if err == nil {
		response, err = c.Response()
	}
	if err != nil || !strings.HasPrefix(response, "+") {
		a.t.Fatalf("%s: IDLE: %q, %v", a.box, response, err)
	}
	return nil
}

// done ends IDLE, and gives leave to tell what IDLE was too short for.
func (a *actor) done(c *imapconn.Conn) []string {
	a.t.Helper()
	others, tagged, err := c.DoRaw("i1", []byte("DONE\r\n"))
	more, _, err2 := c.Do("NOOP")
	if err != nil || err2 != nil {
		a.t.Fatalf("%s: DONE: %v, %v", a.box, err, err2)
	}
	return a.normalise(append(append(others, more...), tagged))
}

// pipeline sends a command and, behind the last of a row, reads all answers,
// which may come in any order.
func (a *actor) pipeline(c *imapconn.Conn, command string, more bool) []string {
	tag := "p" + itoa(len(a.tags)+1)
	a.tags = append(a.tags, tag)
	if err := c.Send(tag + " " + command + "\r\n"); err != nil {
		a.t.Fatal(err)
	}
	if more {
		return nil
	}
	var all []string
	for left := len(a.tags); left > 0; {
		response, err := c.Response()
		if err != nil {
			a.t.Fatalf("%s: %v\n%s", a.box, err, c.Transcript())
		}
		all = append(all, response)
		if strings.HasPrefix(response, "p") {
			left--
		}
	}
	a.tags = nil
	all = a.normalise(all)
	slices.Sort(all)
	return all
}

// newLetter is a message in a script.
var newLetter = regexp.MustCompile(`\{([a-z ]+)\}$`)

func (a *actor) withMessage(command string) string {
	found := newLetter.FindStringSubmatch(command)
	if found == nil {
		return command
	}
	front := strings.TrimSuffix(command, found[0])
	return front + `"20-Feb-2025 12:00:00 +0000" ` + literal(letter(41, found[1]))
}

var (
	anyValidity = regexp.MustCompile(`UIDVALIDITY (\d+)`)
	inCopyUID   = regexp.MustCompile(`(COPYUID|APPENDUID) \d+`)
	forPeople   = regexp.MustCompile(`^((?:\* )?(?:OK|NO|BAD)(?: \[[^\]]*\])?) `)
	flagList    = regexp.MustCompile(`FLAGS \([^)]*\)`)
	took        = regexp.MustCompile(` \(\d+\.\d+( \+ \d+\.\d+)+ secs\)`)
)

func flagsWithRecent(words []string) string {
	slices.Sort(words)
	return strings.Join(words, " ")
}

// normalise takes out of answers what no two folders have in common, and what a
// server may say as it likes:
//   - the text for people of a reply: of what is answered without asking the
//     upstream it is the guard's own;
//   - the order of flags: the guard puts the member's own \Deleted last;
//   - the order in which SELECT says what is in the folder (RFC 9051, 6.3.2): the
//     guard holds the counts back until it knows what is hidden.
func (a *actor) normalise(answers []string) []string {
	for i, r := range answers {
		r = anyValidity.ReplaceAllString(r, "UIDVALIDITY n")
		r = inCopyUID.ReplaceAllString(r, "$1 n")
		r = took.ReplaceAllString(r, "")
		r = flagList.ReplaceAllStringFunc(r, func(list string) string {
			return "FLAGS (" + flagsWithRecent(strings.Fields(list[len("FLAGS ("):len(list)-1])) + ")"
		})
		if found := forPeople.FindStringSubmatch(r); found != nil {
			r = found[1]
		}
		answers[i] = strings.TrimRight(r, " ") // Dovecot's "* THREAD " is empty
	}
	if slices.ContainsFunc(answers, func(r string) bool { return strings.HasPrefix(r, "* FLAGS (") }) {
		slices.Sort(answers)
	}
	return answers
}
