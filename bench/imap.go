package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"strconv"
)

// ratesIMAP are what is measured of IMAP.
func (b *bench) ratesIMAP() []rate {
	body := func(set string) string { return "UID FETCH " + set + " (BODY.PEEK[])" }
	allSmall, large := body(fmt.Sprintf("1:%d", smallCount)), body(strconv.Itoa(smallCount+1))
	return []rate{
		{"IMAP FETCH 50 kB, 1 connection", "MB/s", func(w way) (work, error) { return b.fetch(w, 1, 10, allSmall) }},
		{"IMAP FETCH 50 kB, 8 connections", "MB/s", func(w way) (work, error) { return b.fetch(w, 8, 4, allSmall) }},
		{"IMAP FETCH 50 kB each, 1 connection", "MB/s", func(w way) (work, error) { return b.fetchEach(w, 10) }},
		{"IMAP FETCH 10 MB, 1 connection", "MB/s", func(w way) (work, error) { return b.fetch(w, 1, 20, large) }},
		{"IMAP FETCH 10 MB, 8 connections", "MB/s", func(w way) (work, error) { return b.fetch(w, 8, 8, large) }},
		{"IMAP FETCH FLAGS of 20,000", "responses/s", func(w way) (work, error) { return b.synchronise(w, 40) }},
		{"IMAP NOOP, 1 connection", "/s", func(w way) (work, error) { return b.noops(w, 1, 10_000) }},
		{"IMAP NOOP, 64 connections", "/s", func(w way) (work, error) { return b.noops(w, 64, 500) }},
		{"IMAP logins, 1 at once", "/s", func(w way) (work, error) { return b.loginsIMAP(w, 1, 300) }},
		{"IMAP logins, 32 at once", "/s", func(w way) (work, error) { return b.loginsIMAP(w, 32, 40) }},
	}
}

// imapClient is an IMAP client that does nothing but count.
type imapClient struct {
	conn *tls.Conn
	r    *bufio.Reader
}

func (b *bench) connectIMAP(w way, user string) (*imapClient, error) {
	conn, err := b.dial(w.imap)
	if err != nil {
		return nil, err
	}
	c := &imapClient{conn: conn, r: bufio.NewReaderSize(conn, 64<<10)}
	if _, err := c.r.ReadSlice('\n'); err != nil {
		return nil, err
	}
	_, err = c.command(fmt.Sprintf("LOGIN %q %q", user, password))
	return c, err
}

// answer is what a command was answered with.
type answer struct{ responses, literals int }

// command runs a command to its end. Literals are counted in octets.
func (c *imapClient) command(text string) (a answer, err error) {
	if _, err := io.WriteString(c.conn, "x "+text+"\r\n"); err != nil {
		return a, err
	}
	for {
		line, err := c.r.ReadSlice('\n')
		switch {
		case err != nil:
			return a, err
		case bytes.HasPrefix(line, []byte("x OK")):
			return a, nil
		case bytes.HasPrefix(line, []byte("x ")):
			return a, fmt.Errorf("%s: %s", text, bytes.TrimSpace(line))
		}
		if line[0] == '*' {
			a.responses++
		}
		n, err := c.skip(line)
		a.literals += n
		if err != nil {
			return a, err
		}
	}
}

// skip passes the literal that a line announces and returns its octets.
func (c *imapClient) skip(line []byte) (int, error) {
	announced, ok := bytes.CutSuffix(line, []byte("}\r\n"))
	if !ok {
		return 0, nil
	}
	n, err := strconv.Atoi(string(announced[bytes.LastIndexByte(announced, '{')+1:]))
	if err != nil {
		return 0, err
	}
	return c.r.Discard(n)
}

// quit ends the session.
func (c *imapClient) quit() error {
	defer c.conn.Close()
	_, err := c.command("LOGOUT")
	return err
}

// opensIMAP opens sessions of a user with the INBOX selected.
func (b *bench) opensIMAP(w way, user string) func() (*imapClient, error) {
	return func() (*imapClient, error) {
		c, err := b.connectIMAP(w, user)
		if err == nil {
			_, err = c.command("SELECT INBOX")
		}
		return c, err
	}
}

// fetch runs a command that fetches bodies.
func (b *bench) fetch(w way, connections, times int, command string) (work, error) {
	return megabytes(timed(b, connections, b.opensIMAP(w, w.user), func(c *imapClient) (total int, err error) {
		for range times {
			a, err := c.command(command)
			total += a.literals
			if err != nil {
				return total, err
			}
		}
		return total, nil
	}))
}

// fetchEach fetches bodies by a command each, as clients do that show a message.
func (b *bench) fetchEach(w way, times int) (work, error) {
	return megabytes(timed(b, 1, b.opensIMAP(w, w.user), func(c *imapClient) (total int, err error) {
		for i := range times * smallCount {
			a, err := c.command(fmt.Sprintf("UID FETCH %d (BODY.PEEK[])", 1+i%smallCount))
			total += a.literals
			if err != nil {
				return total, err
			}
		}
		return total, nil
	}))
}

// synchronise asks for the flags of all messages of a big folder.
func (b *bench) synchronise(w way, times int) (work, error) {
	return timed(b, 1, b.opensIMAP(w, w.collector), func(c *imapClient) (total int, err error) {
		for range times {
			a, err := c.command("UID FETCH 1:* (FLAGS)")
			total += a.responses
			if err != nil {
				return total, err
			}
		}
		return total, nil
	})
}

func (b *bench) noops(w way, connections, times int) (work, error) {
	return timed(b, connections, b.opensIMAP(w, w.user), func(c *imapClient) (int, error) {
		for i := range times {
			if _, err := c.command("NOOP"); err != nil {
				return i, err
			}
		}
		return times, nil
	})
}

func (b *bench) loginsIMAP(w way, atOnce, each int) (work, error) {
	return logins(b, atOnce, each, func() (*imapClient, error) { return b.connectIMAP(w, w.user) })
}
