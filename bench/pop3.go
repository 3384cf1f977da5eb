package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
)

// ratesPOP3 are what is measured of POP3.
func (b *bench) ratesPOP3() []rate {
	return []rate{
		{"POP3 RETR 50 kB, 1 connection", "MB/s", func(w way) (work, error) { return b.retrieve(w, 1, 5) }},
		{"POP3 RETR 50 kB, 8 connections", "MB/s", func(w way) (work, error) { return b.retrieve(w, 8, 3) }},
		{"POP3 RETR 10 MB, 1 connection", "MB/s", func(w way) (work, error) { return b.retrieveLarge(w, 20) }},
		{"POP3 logins, 1 at once", "/s", func(w way) (work, error) { return b.loginsPOP3(w, 1, 300) }},
		{"POP3 logins, 32 at once", "/s", func(w way) (work, error) { return b.loginsPOP3(w, 32, 40) }},
	}
}

// popClient is a POP3 client that does nothing but count.
type popClient struct {
	conn *tls.Conn
	r    *bufio.Reader
}

func (b *bench) connectPOP3(w way) (*popClient, error) {
	conn, err := b.dial(w.pop3)
	if err != nil {
		return nil, err
	}
	c := &popClient{conn: conn, r: bufio.NewReaderSize(conn, 64<<10)}
	if _, err := c.line(); err != nil {
		return nil, err
	}
	for _, command := range []string{"USER " + w.user, "PASS " + password} {
		if err := c.command(command); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (b *bench) dial(address string) (*tls.Conn, error) {
	return tls.Dial("tcp", address, &tls.Config{RootCAs: b.roots, ServerName: "localhost", MinVersion: tls.VersionTLS13})
}

func (c *popClient) line() ([]byte, error) { return c.r.ReadSlice('\n') }

func (c *popClient) command(line string) error {
	if _, err := io.WriteString(c.conn, line+"\r\n"); err != nil {
		return err
	}
	reply, err := c.line()
	if err == nil && !bytes.HasPrefix(reply, []byte("+OK")) {
		err = fmt.Errorf("%s: %s", line, bytes.TrimSpace(reply))
	}
	return err
}

// retr fetches a message and returns its octets.
func (c *popClient) retr(n int) (size int, err error) {
	if err := c.command(fmt.Sprintf("RETR %d", n)); err != nil {
		return 0, err
	}
	for {
		line, err := c.line()
		if err != nil {
			return size, err
		}
		size += len(line)
		if string(line) == ".\r\n" {
			return size, nil
		}
	}
}

// quit ends the session.
func (c *popClient) quit() error {
	defer c.conn.Close()
	return c.command("QUIT")
}

// opensPOP3 opens sessions on a way.
func (b *bench) opensPOP3(w way) func() (*popClient, error) {
	return func() (*popClient, error) { return b.connectPOP3(w) }
}

func (b *bench) retrieve(w way, connections, times int) (work, error) {
	return megabytes(timed(b, connections, b.opensPOP3(w), func(c *popClient) (total int, err error) {
		for range times {
			for n := 1; n <= smallCount; n++ {
				size, err := c.retr(n)
				if err != nil {
					return total, err
				}
				total += size
			}
		}
		return total, nil
	}))
}

func (b *bench) retrieveLarge(w way, times int) (work, error) {
	return megabytes(timed(b, 1, b.opensPOP3(w), func(c *popClient) (total int, err error) {
		for range times {
			size, err := c.retr(smallCount + 1)
			if err != nil {
				return total, err
			}
			total += size
		}
		return total, nil
	}))
}

func (b *bench) loginsPOP3(w way, atOnce, each int) (work, error) {
	return logins(b, atOnce, each, b.opensPOP3(w))
}
