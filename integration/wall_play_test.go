package integration

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
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

func timedOut(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout() || errors.Is(err, os.ErrDeadlineExceeded)
}

// toTheEnd reads until the server closes the connection, which it must.
func (p *player) toTheEnd() error {
	for {
		if _, err := p.hear(0); timedOut(err) {
			return errors.New("the client has ended its side, and the connection stays")
		} else if err != nil {
			return nil
		}
	}
}

// usableOrClosed finds the first session in order, or closed with a reason.
func (p *player) usableOrClosed() error {
	err := p.probe()
	if err == nil || timedOut(err) {
		if err != nil {
			err = errors.New("the session hangs")
		}
		return err
	}
	if !isEnd(err) {
		return err
	}
	if p.how&usable != 0 {
		return fmt.Errorf("the connection should be usable, and was closed (%w)", err)
	}
	if !p.reasonGiven() {
		return fmt.Errorf("closed without a reason (%w)", err)
	}
	return nil
}

// isEnd reports whether a connection was closed, whichever way one learns of it.
func isEnd(err error) bool {
	var e *net.OpError
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.As(err, &e)
}

// reasonGiven reports whether something was said before the end: BYE, BAD, or
// the reply to a command.
func (p *player) reasonGiven() bool {
	for _, r := range p.heard {
		if strings.HasPrefix(r, "* BYE") || strings.HasPrefix(r, "* BAD") || (!strings.HasPrefix(r, "*") && !strings.HasPrefix(r, "+")) {
			return true
		}
	}
	return false
}

// probe proves that the session works: NOOP is answered, and everything that
// may be read can be read. The first NOOP may be taken for what the attempt
// left open (the answer to AUTHENTICATE, the end of IDLE).
func (p *player) probe() error {
	if err := p.conns[0].Send("probe1 NOOP\r\nprobe2 NOOP\r\n"); err != nil {
		for { // what was said before the end may still lie here
			if _, err := p.hear(0); err != nil {
				return err
			}
		}
	}
	if reply, err := p.until("probe2 "); err != nil {
		return err
	} else if !strings.HasPrefix(reply, "OK") {
		return fmt.Errorf("NOOP: %s", reply)
	}
	if p.state == inClear {
		return nil
	}
	return p.read()
}

// read opens the folder once more, after a login where there was none, and
// reads what policy lets nobody remove.
func (p *player) read() error {
	folder := "INBOX"
	if p.state == neighbour {
		folder = "shared/" + p.box.name
	}
	reply, err := p.command("probe3", "SELECT "+folder)
	if err == nil && !strings.HasPrefix(reply, "OK") && p.state <= beforeLogin {
		if reply, err = p.command("probe4", fmt.Sprintf("LOGIN %s %s", p.login(p.box.user(), "alice"), password)); err == nil && strings.HasPrefix(reply, "OK") {
			reply, err = p.command("probe5", "SELECT "+folder)
		}
	}
	if err != nil {
		return err
	}
	if !strings.HasPrefix(reply, "OK") {
		return fmt.Errorf("SELECT %s: %s", folder, reply)
	}
	return p.readMessages()
}

func (p *player) readMessages() error {
	before := len(p.heard)
	reply, err := p.command("probe6", "FETCH 1:* BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]")
	if err != nil {
		return err
	}
	answers := strings.Join(p.heard[before:], "\n")
	for _, number := range []string{"1", "2", "3", "4", "5"} {
		// Before the login nobody knows whose mailbox an attempt opens.
		if p.state != beforeLogin && !strings.Contains(p.may, number) && !strings.Contains(answers, "<"+number+"@"+p.box.name+">") {
			return fmt.Errorf("message %s cannot be read: %s", number, reply)
		}
	}
	return nil
}

func (p *player) command(tag, text string) (string, error) {
	if err := p.conns[0].Send(tag + " " + text + "\r\n"); err != nil {
		return "", err
	}
	return p.until(tag + " ")
}

// until reads up to the response that begins so.
func (p *player) until(tag string) (string, error) {
	for {
		response, err := p.hear(0)
		if err != nil {
			return "", err
		}
		if reply, ok := strings.CutPrefix(response, tag); ok {
			return reply, nil
		}
	}
}

// directly attacks Dovecot itself.
func directly(s *stage) *target {
	dial := func() (*imapconn.Conn, error) { return imapconn.Dial(context.Background(), s.IMAP(), nil) }
	return &target{
		dial: dial, clear: dial,
		login:    func(mailbox, _ string) string { return mailbox },
		patience: time.Second,
	}
}
