package integration

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mailguard/integration/imapconn"
	"mailguard/integration/servers"
)

// otherServer is what the wall asks of a Cyrus and of a Courier.
type otherServer interface {
	IMAP() string
	POP3() string
	Messages(user string) ([]servers.Message, error)
	Log() string
	Close() error
}

// otherStarts run the mail servers beside Dovecot.
var otherStarts = map[string]func(context.Context, servers.Options) (otherServer, error){
	"Cyrus": func(ctx context.Context, o servers.Options) (otherServer, error) {
		return servers.StartCyrus(ctx, o)
	},
	"Courier": func(ctx context.Context, o servers.Options) (otherServer, error) {
		return servers.StartCourier(ctx, o)
	},
}

// otherStage is a server with a mailbox for each attempt. It has the props of
// Dovecot's stage in INBOX, numbered alike, and one more folder.
type otherStage struct {
	otherServer
	attempts []otherAttempt
	boxes    []stageBox
	folder   string // the name of the one more folder
	multi    bool   // APPEND takes several messages at once
	shared   string // rights and annotations of the first mailbox as it was made
}

// buildOther runs a server with a mailbox for each attempt, and a neighbour
// where the attempt has use for one.
func buildOther(t *testing.T, name string, attempts []otherAttempt) *otherStage {
	t.Helper()
	need(t, servers.Installed())
	s := &otherStage{attempts: attempts, folder: "Keep", multi: name == "Cyrus"}
	if name == "Courier" {
		s.folder = "INBOX.Keep"
	}
	var o servers.Options
	for i, a := range attempts {
		b := stageBox{name: fmt.Sprintf("w%03d", i)}
		s.boxes = append(s.boxes, b)
		o.Users = append(o.Users, servers.User{Name: b.user(), Password: password})
		if strings.Contains(a.script, "neighbour") {
			o.Users = append(o.Users, servers.User{Name: b.neighbour(), Password: password})
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var err error
	if s.otherServer, err = otherStarts[name](ctx, o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s's log:\n%s", name, tail(s.Log()))
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.each(s.fill); err != nil {
		t.Fatal(err)
	}
	if found := s.harm(0); len(found) > 0 { // they are all alike
		t.Fatalf("the stage is not as it should be: %q", found)
	}
	return s
}

// each does something for every mailbox, some at once.
func (s *otherStage) each(do func(i int) error) error {
	failures := make([]error, len(s.boxes))
	slots := make(chan struct{}, 8)
	var all sync.WaitGroup
	for i := range s.boxes {
		slots <- struct{}{}
		all.Go(func() {
			failures[i] = do(i)
			<-slots
		})
	}
	all.Wait()
	return errors.Join(failures...)
}

// imapFlags are the flags of a prop as IMAP writes them.
var imapFlags = strings.NewReplacer("S", `\Seen `, "F", `\Flagged `, "T", `\Deleted `)

// prepare runs a command that has to succeed. Cyrus says for once "System I/O error",
// and has done nothing, when many make their mailboxes at the same time.
func prepare(c *imapconn.Conn, command string) error {
	for tries := 1; ; tries++ {
		_, tagged, err := c.Do(command)
		switch {
		case err != nil:
			return fmt.Errorf("%.20s: %w", command, err)
		case strings.HasPrefix(tagged, "OK"):
			return nil
		case !strings.HasPrefix(tagged, "NO System I/O error") || tries == 5:
			return fmt.Errorf("%.20s: %s", command, tagged)
		}
		time.Sleep(100 * time.Millisecond) // the server's own time
	}
}

// fill puts the props of INBOX into a mailbox, and makes the other folder
// where it is used.
func (s *otherStage) fill(i int) error {
	c, err := s.owner(i)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	var commands []string
	if strings.Contains(s.attempts[i].script, "«keep»") {
		commands = append(commands, "CREATE "+s.folder)
	}
	appends := s.appends(i)
	if s.multi {
		appends = []string{strings.Join(appends, " ")}
	}
	for _, messages := range appends {
		commands = append(commands, "APPEND INBOX "+messages)
	}
	for _, command := range commands {
		if err := prepare(c, command); err != nil {
			return fmt.Errorf("prepare %s: %w", s.boxes[i].user(), err)
		}
	}
	if i == 0 {
		s.shared, err = readShared(c)
	}
	return err
}

// appends are the props of INBOX as APPEND takes them.
func (s *otherStage) appends(i int) []string {
	var all []string
	for _, p := range props {
		if p.folder != "" {
			continue
		}
		text := fmt.Sprintf("From: customer@example.net\r\nSubject: %s\r\nMessage-ID: <%s@%s>\r\n\r\nPlease see to it.\r\n", p.number, p.number, s.boxes[i].name)
		flags := strings.TrimSpace(imapFlags.Replace(p.flags))
		all = append(all, fmt.Sprintf("(%s) {%d}\r\n%s", flags, len(text), text))
	}
	return all
}

// owner logs in to a mailbox, past every guard.
func (s *otherStage) owner(i int) (*imapconn.Conn, error) {
	c, err := imapconn.Dial(context.Background(), s.IMAP(), nil)
	if err == nil {
		err = c.LogIn(s.boxes[i].user(), password)
	}
	return c, err
}

// annotations are what a server does to a folder when it is told to.
const annotations = "GETMETADATA INBOX (" +
	"/shared/vendor/cmu/cyrus-imapd/expire /shared/vendor/cmu/cyrus-imapd/archive " +
	"/shared/vendor/cmu/cyrus-imapd/delete /shared/vendor/cmu/cyrus-imapd/pop3showafter " +
	"/shared/vendor/cmu/cyrus-imapd/sharedseen /shared/vendor/cmu/cyrus-imapd/sieve /shared/comment)"

// readShared is what is said of INBOX to all: who may do what, and what the
// server is told to do with it. Courier knows no annotations.
func readShared(c *imapconn.Conn) (string, error) {
	var all []string
	for _, command := range []string{"GETACL INBOX", annotations} {
		untagged, tagged, err := c.Do(command)
		if err != nil {
			return "", err
		}
		outcome, _, _ := strings.Cut(tagged, " ")
		all = append(all, append(untagged, outcome)...)
	}
	return strings.Join(all, "\n"), nil
}

// harm is what an attempt has done, as stageBox.harm says it.
func (s *otherStage) harm(i int) []string {
	found := s.missing(i)
	c, err := s.owner(i)
	if err != nil {
		return append(found, "the owner cannot log in: "+err.Error())
	}
	defer func() { _ = c.Close() }()
	now, err := readShared(c)
	before := strings.ReplaceAll(s.shared, s.boxes[0].user(), s.boxes[i].user())
	if err != nil || now != before {
		found = append(found, fmt.Sprintf("rights or annotations are now %q (%v)", now, err))
	}
	return found
}

// missing reads the server's files.
func (s *otherStage) missing(i int) []string {
	messages, err := s.Messages(s.boxes[i].user())
	if err != nil {
		return []string{err.Error()}
	}
	var found []string
	for _, p := range props {
		at := slices.IndexFunc(messages, func(m servers.Message) bool { return s.is(m, p, i) })
		switch {
		case p.folder != "":
		case at < 0:
			found = append(found, "message "+p.number+" is gone")
		case messages[at].Deleted && !strings.Contains(p.flags, "T"):
			found = append(found, "message "+p.number+` is marked \Deleted`)
		}
	}
	for _, m := range messages {
		if m.Deleted && m.UID > 5 {
			found = append(found, `a new message is marked \Deleted: `+m.Path)
		}
	}
	return found
}

// is reports whether a message is the prop, under the number that it had. A
// message that was not seen over IMAP yet has none.
func (s *otherStage) is(m servers.Message, p prop, i int) bool {
	if m.UID != 0 && fmt.Sprint(m.UID) != p.number {
		return false
	}
	text, err := os.ReadFile(m.Path)
	return err == nil && strings.Contains(string(text), "<"+p.number+"@"+s.boxes[i].name+">")
}

// playOthers plays each attempt in a mailbox of its own.
func (at *target) playOthers(s *otherStage) []outcome {
	outcomes := make([]outcome, len(s.attempts))
	_ = s.each(func(i int) error { // what goes wrong is in the outcomes
		a := s.attempts[i].attempt
		a.script = strings.ReplaceAll(a.script, "«keep»", s.folder)
		p := &player{target: at, attempt: a, box: s.boxes[i]}
		err := p.perform()
		for _, c := range p.conns {
			if c != nil {
				_ = c.Close()
			}
		}
		outcomes[i] = outcome{s.harm(i), err, p.transcript()}
		return nil
	})
	return outcomes
}
