package integration

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"mailguard/integration/imapconn"
)

// target is what is attacked: Dovecot itself, or a guard in front of it. Only
// the dialling differs.
type target struct {
	dial     func() (*imapconn.Conn, error)      // where logins are taken
	clear    func() (*imapconn.Conn, error)      // where TLS has not begun
	login    func(mailbox, member string) string // how a member writes the login name
	patience time.Duration                       // with a server that does not answer
}

// outcome is what came of one attempt.
type outcome struct {
	harm       []string // what the files say
	fault      error    // the connection neither works nor was it closed with a reason
	transcript string
}

// player plays one attempt.
type player struct {
	*target
	attempt
	box   stageBox
	may   string // which messages may be gone
	conns [2]*imapconn.Conn
	heard []string // by the first session since the attempt began
}

// playAll plays all attempts, some at once, and returns what came of each.
func (at *target) playAll(s *stage, attempts []attempt, may string) []outcome {
	const atOnce = 12 // keeps two cores busy while attempts wait
	outcomes := make([]outcome, len(attempts))
	next := make(chan int)
	var players sync.WaitGroup
	for range atOnce {
		players.Go(func() {
			for i := range next {
				outcomes[i] = at.play(attempts[i], s.boxes[i], may)
			}
		})
	}
	for i := range attempts {
		next <- i
	}
	close(next)
	players.Wait()
	return outcomes
}

// play plays one attempt and looks at what it has done.
func (at *target) play(a attempt, box stageBox, may string) outcome {
	p := &player{target: at, attempt: a, box: box, may: may}
	err := p.perform()
	if p.conns[0] != nil {
		_ = p.conns[0].Close()
	}
	if p.conns[1] != nil {
		_ = p.conns[1].Close()
	}
	return outcome{box.harm(may), err, p.transcript()}
}

func (p *player) transcript() string {
	var all strings.Builder
	for i, c := range p.conns {
		if c != nil {
			fmt.Fprintf(&all, "session %d:\n%s", i+1, c.Transcript())
		}
	}
	return all.String()
}

func (p *player) perform() error {
	script := steps(p.box.words(p.login).Replace(p.script))
	if err := p.begin(strings.Contains(p.script, "②")); err != nil {
		return fmt.Errorf("before the attempt: %w", err)
	}
	ended := false
	for _, s := range script {
		if err := p.step(s); err != nil {
			return err
		}
		ended = ended || s.end
	}
	if ended {
		return p.toTheEnd()
	}
	return p.usableOrClosed()
}

// begin brings the sessions to where the attempt starts.
func (p *player) begin(both bool) (err error) {
	dial := p.dial
	if p.state == inClear {
		dial = p.clear
	}
	if p.conns[0], err = p.open(dial); err != nil {
		return err
	}
	if err := p.prelude(p.conns[0]); err != nil || !both {
		return err
	}
	if p.conns[1], err = p.open(p.dial); err != nil {
		return err
	}
	return p.enter(p.conns[1], "bob", "SELECT INBOX")
}

func (p *player) open(dial func() (*imapconn.Conn, error)) (*imapconn.Conn, error) {
	c, err := dial()
	if err == nil {
		c.Timeout = p.patience
	}
	return c, err
}

func (p *player) prelude(c *imapconn.Conn) error {
	switch p.state {
	case inClear, beforeLogin:
		return nil
	case loggedIn:
		return p.enter(c, "alice")
	case neighbour:
		return c.LogIn(p.box.neighbour(), password)
	case examined:
		return p.enter(c, "alice", "EXAMINE INBOX")
	case marked: // whether a guard takes the marks is its own affair
		return p.enter(c, "alice", "SELECT INBOX", `?STORE 2 +FLAGS (\Deleted)`, `?STORE 4 +FLAGS (\Deleted)`)
	}
	return p.enter(c, "alice", "SELECT INBOX")
}

// enter logs a member in and runs commands. All but those behind a "?" must
// work.
func (p *player) enter(c *imapconn.Conn, member string, commands ...string) error {
	if err := c.LogIn(p.login(p.box.user(), member), password); err != nil {
		return err
	}
	for _, command := range commands {
		command, optional := strings.CutPrefix(command, "?")
		_, tagged, err := c.Do(command)
		if err == nil && !optional && !strings.HasPrefix(tagged, "OK") {
			err = errors.New(tagged)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", command, err)
		}
	}
	return nil
}

// step plays one step. Whoever was closed out cannot go on, which
// usableOrClosed judges.
func (p *player) step(s step) error {
	c := p.conns[s.session]
	if s.octets != "" && c.Send(s.octets) != nil {
		return nil
	}
	if s.end {
		_ = c.CloseWrite()
	}
	for s.wait {
		response, err := p.hear(s.session)
		if timedOut(err) {
			return errors.New("no answer where one was due")
		}
		if err != nil || !strings.HasPrefix(response, "* ") || strings.HasPrefix(response, "* BYE") || strings.HasPrefix(response, "* BAD") {
			return nil
		}
	}
	return nil
}

// hear reads a response.
func (p *player) hear(session int) (string, error) {
	response, err := p.conns[session].Response()
	if err == nil && session == 0 {
		p.heard = append(p.heard, response)
	}
	return response, err
}

// directly attacks Dovecot itself.
func directly(s *stage) *target {
	dial := func() (*imapconn.Conn, error) { return imapconn.Dial(context.Background(), s.IMAP(), nil) }
	return &target{
		dial: dial, clear: dial,
		login:    func(mailbox, _ string) string { return mailbox },
		patience: 4 * time.Second,
	}
}
