package imap

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"

	"mailguard/proxy/imap/command"
)

// judgeUpstream compares what the upstream got with what was decided. There may
// be a connection besides the session's, which asked for capabilities only.
func (p *played) judgeUpstream(t *testing.T) {
	perDecision := make(map[int][]sent)
	for _, link := range p.links {
		all, err := newTapReader(link).commands()
		if err != nil {
			t.Errorf("the upstream got what the guard's own parser does not read: %v", err)
		}
		last := uint64(0)
		for _, c := range all {
			if c.Tag[0] != tagPrefix { // the login
				continue
			}
			number, err := strconv.ParseUint(c.Tag[1:], 10, 64)
			if err != nil || number <= last {
				t.Errorf("%q has the wrong tag", c.text)
			}
			last = number
			if err := c.judgeText(); err != nil {
				t.Error(err)
			}
			i := slices.IndexFunc(p.decisions, func(d decision) bool { return d.first < number && number <= d.last })
			if i < 0 && isLearning(c) {
				continue
			}
			if i < 0 {
				t.Errorf("%q was sent, and nobody decided it", c.text)
				continue
			}
			perDecision[i] = append(perDecision[i], c)
		}
	}
	for i, d := range p.decisions {
		if err := p.judge(d, perDecision[i]); err != nil {
			t.Errorf("%s: %v", d.cmd, err)
		}
	}
}

// internal are the commands that the guard says of its own while it runs a
// client's command. What is not here is passed on once, unchanged.
var internal = map[string][]string{
	"LOGIN": {}, "AUTHENTICATE": {}, "STARTTLS": {},
	"SELECT": {"LIST", "UID FETCH", "NOOP", "SEARCH", "UID SEARCH"}, "EXAMINE": {"LIST", "UID FETCH", "NOOP", "SEARCH", "UID SEARCH"}, "LOGOUT": {"NOOP"},
	"STATUS": {"UID SEARCH"}, "LIST": {"UID SEARCH"},
	"SEARCH": {"FETCH"}, "UID SEARCH": {"FETCH", "NOOP"}, "SORT": {"FETCH"}, "UID SORT": {"FETCH", "NOOP"}, "THREAD": {"FETCH"}, "UID THREAD": {"FETCH", "NOOP"},
	"CLOSE":    {"UID FETCH", "UID STORE", "UID EXPUNGE", "UID SEARCH", "UNSELECT", "EXAMINE", "CLOSE", "NOOP"},
	"UNSELECT": {"EXAMINE", "CLOSE", "NOOP"},
	"EXPUNGE":  {"UID FETCH", "UID STORE", "UID EXPUNGE", "UID SEARCH", "NOOP"}, "UID EXPUNGE": {"FETCH", "UID FETCH", "UID STORE", "UID EXPUNGE", "UID SEARCH", "NOOP"},
	"MOVE": {"FETCH", "UID FETCH", "UID STORE", "UID EXPUNGE", "UID SEARCH", "UID MOVE", "UID COPY", "STATUS"}, "UID MOVE": {"UID FETCH", "UID STORE", "UID EXPUNGE", "UID SEARCH", "UID MOVE", "UID COPY", "STATUS"},
	"STORE": {"FETCH", "UID FETCH"}, "UID STORE": {"FETCH", "UID FETCH"},
	"DELETE": {"LIST"}, "RENAME": {"LIST"}, "SETACL": {}, "DELETEACL": {}, "SETQUOTA": {},
}

// neverPassed are the commands that never go upstream as the client sent them:
// the mailbox is guarded, and no policy here lets folders go.
var neverPassed = []string{"LOGIN", "AUTHENTICATE", "STARTTLS", "CLOSE", "EXPUNGE", "UID EXPUNGE", "MOVE", "UID MOVE", "DELETE", "RENAME", "SETACL", "DELETEACL", "SETQUOTA"}

// judge says what is wrong with what was sent for a decision.
func (p *played) judge(d decision, all []sent) error {
	passed := 0
	for i, c := range all {
		switch {
		case c.refused && c.Args == nil:
			if err := p.judgeRefused(d, c); err != nil {
				return err
			}
			if c.Name == d.cmd.Name {
				passed++
			}
		case p.isPassed(d, c):
			passed++
		case !slices.Contains(internal[d.cmd.Name], c.Name):
			return fmt.Errorf("%q is not what was decided", c.text)
		default:
			if err := p.judgeOwn(d, c, all[:i], all[i+1:]); err != nil {
				return fmt.Errorf("%q: %w", c.text, err)
			}
		}
	}
	var reply Reply
	switch {
	case passed > 1:
		return errors.New("it was sent twice")
	case passed == 0 && d.err == nil && p.session.server != nil && mustPass(d.cmd.Name):
		return errors.New("it was not sent")
	case passed == 0 && d.err != nil && !errors.As(d.err, &reply) && mustPass(d.cmd.Name) && isReply(d.err):
		return fmt.Errorf("it was not sent: %w", d.err)
	}
	return nil
}

// mustPass reports whether a command that succeeds has been sent.
func mustPass(name string) bool {
	switch name { // what the guard can answer itself
	case "CAPABILITY", "NOOP", "ID", "LOGOUT", "ENABLE", "STORE", "UID STORE", "UNSELECT", "APPEND":
		return false
	}
	return !slices.Contains(neverPassed, name)
}

// isPassed reports whether c is what the client's command means to the
// upstream.
func (p *played) isPassed(d decision, c sent) bool {
	if c.Name != d.cmd.Name || slices.Contains(neverPassed, c.Name) {
		return false
	}
	want := d.cmd.Args
	switch a := d.cmd.Args.(type) {
	case command.ID:
		return sameArgs(withoutX(a), c.Args)
	case command.Enable:
		return isSubset(c.Args.(command.Enable).Capabilities, a.Capabilities)
	case command.Append:
		return p.isAppended(a, c)
	case command.Store:
		got, ok := c.Args.(command.Store)
		a.Flags, a.Silent = withoutDeleted(a.Flags), got.Silent && (a.Silent || len(c.text) > 0)
		return ok && len(got.Flags) == len(withoutDeleted(got.Flags)) && sameArgs(a, got)
	case command.Fetch:
		return sameArgs(a, c.Args) || sameArgs(a.WithUID(), c.Args)
	case command.Status:
		got, ok := c.Args.(command.Status)
		return ok && got.Folder == a.Folder && sameItems(a.Items, got.Items)
	case command.List:
		got, ok := c.Args.(command.List)
		if ok && a.Return != nil && got.Return != nil && sameItems(a.Return.Status, got.Return.Status) {
			returns := *a.Return
			returns.Status, a.Return = got.Return.Status, &returns
		}
		return ok && sameArgs(a, got)
	case command.Search, command.Sort, command.Thread:
		key := ownKey(searchOf(want).Key, d.marks)
		if len(d.hidden) > 0 {
			return searchOf(c.Args).Return == nil == (searchOf(want).Return == nil) &&
				sameArgs(command.Search{Key: placeless(command.AndKey(key, command.NotKey(command.UIDKey(d.hidden))))}, command.Search{Key: placeless(searchOf(c.Args).Key)})
		}
		want = withKey(want, key)
	}
	return sameArgs(want, c.Args)
}

// sameItems reports whether STATUS asks for the same, and perhaps UIDVALIDITY.
func sameItems(want, got []command.StatusItem) bool {
	return slices.Equal(want, got) || slices.Equal(append(slices.Clone(want), command.StatusUIDValidity), got)
}

// placeless is a key without the numbers of messages, which the view translates; a
// number that names nothing finds nothing.
func placeless(k command.SearchKey) command.SearchKey {
	nothing := command.UIDKey(nil)
	return k.Rewrite(func(k command.SearchKey) command.SearchKey {
		if k.Op == command.OpSeq || k.Op == command.OpUID && k.Set.Dynamic() {
			return nothing
		}
		return k
	})
}

// isLearning reports whether a command asks which message is the last of the view:
// the client's set of UIDs has a "*".
func isLearning(c sent) bool {
	a, ok := c.Args.(command.Fetch)
	return c.Name == "NOOP" || ok && !a.UID && !a.Set.Dynamic() && reflect.DeepEqual(a.Items, locateItems)
}

// sameArgs compares arguments as they are written: what one parser reads of them
// the other does.
func sameArgs(a, b command.Args) bool {
	if reflect.DeepEqual(a, b) {
		return true
	}
	// A key that is rewritten is another tree of the same words.
	one, err1 := rewritten(command.Command{Tag: "t", Name: nameFor(a), Args: a})
	two, err2 := rewritten(command.Command{Tag: "t", Name: nameFor(b), Args: b})
	return err1 == nil && err2 == nil && reflect.TypeOf(a) == reflect.TypeOf(b) && bytes.Equal(one, two)
}

func nameFor(a command.Args) string {
	if m, ok := command.MessagesOf(a); ok && m.UID {
		return "UID X"
	}
	return "X"
}

func isSubset(some, all []string) bool {
	return !slices.ContainsFunc(some, func(w string) bool { return !slices.Contains(all, w) })
}

func withoutDeleted(flags []imap.Flag) []imap.Flag {
	return slices.DeleteFunc(slices.Clone(flags), func(f imap.Flag) bool { return strings.EqualFold(string(f), deleted) })
}

// ownKey is a search with this member's marks in place of DELETED.
func ownKey(k command.SearchKey, marks imap.UIDSet) command.SearchKey {
	return k.Rewrite(func(k command.SearchKey) command.SearchKey {
		switch k.Op {
		case command.OpDeleted:
			return command.UIDKey(marks)
		case command.OpUndeleted:
			return command.NotKey(command.UIDKey(marks))
		}
		return k
	})
}

// withoutX is an ID less what a client must not claim upstream.
func withoutX(a command.ID) command.ID {
	a.Pairs = slices.DeleteFunc(slices.Clone(a.Pairs), func(p command.IDPair) bool { return strings.HasPrefix(strings.ToLower(p.Key), "x-") })
	return a
}

// isAppended compares an APPEND: the octets are the client's, and stand in what
// it sent.
func (p *played) isAppended(a command.Append, c sent) bool {
	got, ok := c.Args.(command.Append)
	a.Message.Flags = withoutDeleted(a.Message.Flags)
	if len(a.Message.Flags) == 0 {
		a.Message.Flags = nil
	}
	a.Message.Sync = true
	for _, body := range c.bodies {
		ok = ok && bytes.Contains(p.client, body)
	}
	return ok && sameArgs(a, got)
}

// judgeRefused judges a command that the upstream refused at its literal: what
// was sent of it is how the client's own begins, or one of the guard's.
func (p *played) judgeRefused(d decision, c sent) error {
	cmd := d.cmd
	cmd.Tag = c.Tag
	switch a := cmd.Args.(type) {
	case command.Append:
		a.Message.Flags = withoutDeleted(a.Message.Flags)
		cmd.Args = a
	case command.ID:
		cmd.Args = withoutX(a)
	}
	if want, err := rewritten(cmd); err == nil && bytes.HasPrefix(want, c.text) && !slices.Contains(neverPassed, c.Name) {
		return nil
	}
	switch d.cmd.Args.(type) {
	case command.Search, command.Sort, command.Thread:
		cmd.Args = withKey(cmd.Args, ownKey(searchOf(cmd.Args).Key, d.marks))
		if want, err := rewritten(cmd); err == nil && bytes.HasPrefix(want, c.text) {
			return nil
		}
	case command.Move, command.None:
		if slices.Contains(internal[d.cmd.Name], c.Name) && (c.Name == "UID MOVE" || c.Name == "UID COPY" || c.Name == "EXAMINE") {
			return nil
		}
	}
	return fmt.Errorf("%q is not how what was decided begins", c.text)
}

// judgeOwn judges a command of the guard's own.
func (p *played) judgeOwn(d decision, c sent, before, behind []sent) error {
	allows := p.how&fuzzAllows != 0
	switch a := c.Args.(type) {
	case command.Fetch:
		if !slices.ContainsFunc([][]command.FetchItem{lookItems, locateItems, {{Name: command.FetchFlags}}}, func(items []command.FetchItem) bool { return reflect.DeepEqual(items, a.Items) }) {
			return errors.New("the guard reads what it does not need")
		}
	case command.Store:
		return judgeOwnStore(a, allows, behind)
	case command.UIDExpunge:
		if len(before) == 0 || !allows || !reflect.DeepEqual(before[len(before)-1].Args, marking(a.Messages)) {
			return errors.New("what is removed was not marked right before")
		}
	case command.Move:
		if !allows || a.Folder != d.cmd.Args.(command.Move).Folder {
			return errors.New("it may not be moved there")
		}
	case command.Copy:
		if a.Folder != d.cmd.Args.(command.Move).Folder {
			return errors.New("it may not be copied there")
		}
	case command.Search:
		if isLook := c.Name == "SEARCH" || d.cmd.Name == "SELECT" || d.cmd.Name == "EXAMINE" || len(d.hidden) > 0; !isLook && (len(a.Key.Keys) != 1 || a.Key.Keys[0].Op != command.OpUID) {
			return errors.New("the guard searches for something else than UIDs")
		}
	case command.Select:
		if c.Name != "EXAMINE" || a.Folder != d.folder {
			return errors.New("another folder is opened than is closed")
		}
	case command.None:
		if c.Name == "CLOSE" && (len(before) == 0 || before[len(before)-1].Name != "EXAMINE") {
			return errors.New("CLOSE of a folder that can be expunged")
		}
	}
	return nil
}

func marking(m command.Messages) command.Store {
	return command.Store{Messages: m, Op: imap.StoreFlagsAdd, Silent: true, Flags: []imap.Flag{imap.FlagDeleted}}
}

// judgeOwnStore judges a STORE with which the guard removes something.
func judgeOwnStore(a command.Store, allows bool, behind []sent) error {
	want := marking(a.Messages)
	want.Op = a.Op
	switch {
	case !reflect.DeepEqual(a, want) || a.Op == imap.StoreFlagsSet || !allows:
		return errors.New("the guard marks something else, or what may not be marked")
	case a.Op == imap.StoreFlagsAdd && (len(behind) == 0 || !reflect.DeepEqual(behind[0].Args, command.UIDExpunge{Messages: a.Messages})):
		return errors.New("what is marked upstream is not removed right behind")
	}
	return nil
}

// judgeMailbox looks at what became of the messages.
func (p *played) judgeMailbox(t *testing.T) {
	for _, r := range p.upstream.Removed() {
		if p.how&fuzzAllows == 0 || len(r.Text) >= smallMessage || !slices.Contains([]string{"UID EXPUNGE", "UID MOVE"}, firstWords(r.Command)) {
			t.Errorf("removed from %s: %d by %s", r.Folder, r.UID, r.Command)
		}
	}
	for _, folder := range p.upstream.Folders(p.box) {
		for _, m := range p.upstream.Messages(p.box, folder) {
			isOld := p.how&fuzzOldMark != 0 && bytes.Equal(m.Text, fuzzMail(4))
			if slices.Contains(m.Flags, deleted) && !isOld {
				t.Errorf("message %d in %s is marked upstream", m.UID, folder)
			}
		}
	}
	if p.bug != nil {
		t.Errorf("a panic: %s", *p.bug)
	}
}

func firstWords(line string) string {
	words := strings.Fields(line)
	return strings.Join(words[:min(2, len(words))], " ")
}

// judgeAnswers reads what the client got: whole responses, and one answer for
// each command.
func (p *played) judgeAnswers(t *testing.T) {
	tags, whole, err := readAnswers(p.answers)
	if err != nil {
		t.Errorf("the client got what is not IMAP: %v", err)
	}
	orderly := len(tags) > 0 && tags[len(tags)-1] == "zz OK"
	count, good := make(map[string]int), make(map[string]int)
	for _, tag := range tags {
		name, word, _ := strings.Cut(tag, " ")
		count[name]++
		if word != "BAD" { // only what is run is answered with another word
			good[name]++
		}
	}
	ran := make(map[string]int)
	for _, d := range p.decisions {
		ran[d.cmd.Tag]++
	}
	for tag, n := range count {
		switch {
		case good[tag] > ran[tag]+p.emptyAnswers(tag):
			t.Errorf("%d answers to %d commands %s", good[tag], ran[tag], tag)
		case n > p.lines(tag):
			t.Errorf("%d answers to %d lines that begin with %s", n, p.lines(tag), tag)
		}
	}
	for tag, n := range ran {
		if orderly && count[tag] < n {
			t.Errorf("%d answers to %d commands %s", count[tag], n, tag)
		}
	}
	if orderly && !whole {
		t.Error("the last response is not whole, and the session ended in order")
	}
}

// emptyAnswers counts the answers to commands that named nothing which the member
// sees: those are not run.
func (p *played) emptyAnswers(tag string) (n int) {
	for _, args := range []command.Args{command.Fetch{}, command.Store{}, command.Copy{}} {
		n += bytes.Count(p.answers, []byte(tag+" OK "+emptyText(args)+"\r\n"))
	}
	return n
}

// lines counts the client's lines that begin with a tag, which are as many
// commands at the most; for "*", with anything.
func (p *played) lines(tag string) int {
	n := 0
	for line := range bytes.SplitSeq(p.client, []byte("\n")) {
		rest, begins := bytes.CutPrefix(line, []byte(tag))
		if tag == "*" || begins && (len(rest) == 0 || rest[0] == ' ' || rest[0] == '\r') {
			n++
		}
	}
	return n
}

// readAnswers reads a client's side of a session by the plainest of readers. It
// returns what each tagged answer begins with; a BAD to a line without a tag is
// "* BAD".
func readAnswers(b []byte) (tags []string, whole bool, err error) {
	for len(b) > 0 {
		line, rest, ended := bytes.Cut(b, []byte("\r\n"))
		if !ended {
			return tags, false, nil
		}
		b = rest
		words := strings.SplitN(string(line), " ", 3)
		if bytes.ContainsAny(line, "\r\n\x00") || len(words) < 2 {
			return tags, false, fmt.Errorf("%q", line)
		}
		status := slices.Contains([]string{"OK", "NO", "BAD", "BYE", "PREAUTH"}, words[1])
		switch {
		case words[0] == "+":
		case words[0] == "*" && words[1] == "BAD":
			tags = append(tags, "* BAD")
		case words[0] == "*" && status:
		case words[0] == "*":
			if b, ended = skipLiterals(line, b); !ended {
				return tags, false, nil
			}
		case !status:
			return tags, false, fmt.Errorf("%q", line)
		default:
			tags = append(tags, words[0]+" "+words[1])
		}
	}
	return tags, true, nil
}

// skipLiterals skips the literals of a response that begins with line.
func skipLiterals(line, b []byte) (rest []byte, whole bool) {
	for bytes.HasSuffix(line, []byte("}")) {
		i := bytes.LastIndexByte(line, '{')
		if i < 0 {
			return b, true
		}
		n, err := strconv.Atoi(string(line[i+1 : len(line)-1]))
		if err != nil {
			return b, true
		}
		if n > len(b) {
			return nil, false
		}
		var ended bool
		if line, b, ended = bytes.Cut(b[n:], []byte("\r\n")); !ended {
			return nil, false
		}
	}
	return b, true
}
