package integration

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
)

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
	if p.state != inClear && !p.reasonGiven() { // in clear anybody may have said it
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
// reads what is in it.
func (p *player) read() error {
	folder := "INBOX"
	if p.state == neighbour {
		folder = "shared/" + p.box.name
	}
	before := len(p.heard)
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
	return p.readMessages(number(p.heard[before:], "EXISTS"))
}

// readMessages reads all messages that the session sees: what it has deleted for
// itself is not among them. That the others have it still is the judge's to see.
func (p *player) readMessages(exists int) error {
	if exists == 0 {
		return nil
	}
	before := len(p.heard)
	reply, err := p.command("probe6", "FETCH 1:* BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]")
	if err != nil {
		return err
	}
	if n := strings.Count(strings.Join(p.heard[before:], "\n"), " FETCH ("); n < exists || !strings.HasPrefix(reply, "OK") {
		return fmt.Errorf("%d of %d messages can be read: %s", n, exists, reply)
	}
	return nil
}

// number is the number that a response says last; 0 if none does.
func number(responses []string, word string) (n int) {
	for _, r := range responses {
		if words := strings.Fields(r); len(words) == 3 && words[0] == "*" && words[2] == word {
			n, _ = strconv.Atoi(words[1]) // 0 is none
		}
	}
	return n
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

func timedOut(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout() || errors.Is(err, os.ErrDeadlineExceeded)
}
