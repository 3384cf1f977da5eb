package demo

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// client is a POP3 client that shows on the terminal what it says and what it
// is told.
type client struct {
	who  string
	conn net.Conn
	r    *bufio.Reader
	out  io.Writer // nil: silent
}

const clientTimeout = 30 * time.Second

// connect opens a session: with TLS if roots is given, else in clear.
func connect(ctx context.Context, who, address string, roots *x509.CertPool, out io.Writer) (*client, error) {
	ctx, cancel := context.WithTimeout(ctx, clientTimeout)
	defer cancel()
	var conn net.Conn
	var err error
	if roots != nil {
		d := tls.Dialer{Config: &tls.Config{RootCAs: roots, ServerName: "localhost", MinVersion: tls.VersionTLS12}}
		conn, err = d.DialContext(ctx, "tcp", address)
	} else {
		var d net.Dialer
		conn, err = d.DialContext(ctx, "tcp", address)
	}
	if err != nil {
		return nil, err
	}
	c := &client{who: who, conn: conn, r: bufio.NewReader(conn), out: out}
	if _, err := c.status(); err != nil {
		conn.Close()
		return nil, err
	}
	return c, nil
}

// logIn is USER and PASS. The password is not shown.
func (c *client) logIn(user, password string) error {
	if _, err := c.command("USER " + user); err != nil {
		return err
	}
	c.show(">", "PASS ********")
	if _, err := io.WriteString(c.conn, "PASS "+password+"\r\n"); err != nil {
		return err
	}
	_, err := c.status()
	return err
}

// command sends a command and returns its status line; -ERR is an error.
func (c *client) command(line string) (string, error) {
	c.show(">", line)
	if _, err := io.WriteString(c.conn, line+"\r\n"); err != nil {
		return "", err
	}
	return c.status()
}

func (c *client) status() (string, error) {
	line, err := c.line()
	if err != nil {
		return "", err
	}
	c.show("<", line)
	if !strings.HasPrefix(line, "+OK") {
		return "", fmt.Errorf("%s was told %q", c.who, line)
	}
	return line, nil
}

func (c *client) line() (string, error) {
	if err := c.conn.SetReadDeadline(time.Now().Add(clientTimeout)); err != nil {
		return "", err
	}
	line, err := c.r.ReadString('\n')
	return strings.TrimRight(line, "\r\n"), err
}

// message fetches a message and returns its subject.
func (c *client) message(n int) (subject string, err error) {
	if _, err := c.command(fmt.Sprintf("RETR %d", n)); err != nil {
		return "", err
	}
	for {
		line, err := c.line()
		if err != nil {
			return "", err
		}
		if line == "." {
			c.show("<", fmt.Sprintf("(the message %q)", subject))
			return subject, nil
		}
		if s, ok := strings.CutPrefix(line, "Subject: "); ok && subject == "" {
			subject = s
		}
	}
}

// count is how many messages STAT says that there are.
func (c *client) count() (int, error) {
	line, err := c.command("STAT")
	if err != nil {
		return 0, err
	}
	var count, octets int
	if _, err := fmt.Sscanf(line, "+OK %d %d", &count, &octets); err != nil {
		return 0, fmt.Errorf("%s was told %q: %w", c.who, line, err)
	}
	return count, nil
}

// quit ends the session.
func (c *client) quit() error {
	_, err := c.command("QUIT")
	return err
}

func (c *client) close() { _ = c.conn.Close() }

func (c *client) show(direction, line string) {
	if c.out != nil {
		fmt.Fprintf(c.out, "    %-11s %s %s\n", c.who, direction, line)
	}
}
