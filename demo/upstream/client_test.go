package upstream

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// client is one connection. Whatever it does not get within ten seconds it
// fails for.
type client struct {
	t       testing.TB
	conn    net.Conn
	r       *bufio.Reader
	command int
}

func dial(t testing.TB, address string) *client {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &client{t: t, conn: conn, r: bufio.NewReader(conn)}
}

func (c *client) send(text string) {
	c.t.Helper()
	if err := c.conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		c.t.Fatal(err)
	}
	if _, err := io.WriteString(c.conn, text); err != nil {
		c.t.Fatal(err)
	}
}

var literalEnd = regexp.MustCompile(`~?\{(\d+)\}\r\n$`)

// response reads one response with its literals, without the line end. "" is
// the end of the connection.
func (c *client) response() string {
	c.t.Helper()
	var b strings.Builder
	for {
		line, err := c.r.ReadString('\n')
		if err == io.EOF && b.Len() == 0 && line == "" {
			return ""
		}
		if err != nil {
			c.t.Fatalf("%v behind %q", err, b.String()+line)
		}
		b.WriteString(line)
		m := literalEnd.FindStringSubmatch(line)
		if m == nil {
			return strings.TrimSuffix(b.String(), "\r\n")
		}
		n, _ := strconv.ParseInt(m[1], 10, 64)
		if _, err := io.CopyN(&b, c.r, n); err != nil {
			c.t.Fatalf("%v in a literal behind %q", err, b.String())
		}
	}
}

// answers reads up to the tagged answer, a continuation, or the end.
func (c *client) answers() []string {
	c.t.Helper()
	for all := []string{}; ; {
		r := c.response()
		if r != "" {
			all = append(all, r)
		}
		if r == "" || strings.HasPrefix(r, "+") || strings.HasPrefix(r, fmt.Sprintf("a%d ", c.command)) || strings.HasPrefix(r, "* BAD") {
			return all
		}
	}
}

// do sends a command and returns its answers.
func (c *client) do(command string) []string {
	c.t.Helper()
	c.command++
	c.send(fmt.Sprintf("a%d %s\r\n", c.command, command))
	return c.answers()
}

var (
	statusText = regexp.MustCompile(`^(\* |a\d+ )(OK|NO|BAD|BYE|PREAUTH)( \[[^\]]*\])?.*`)
	validity   = regexp.MustCompile(`(UIDVALIDITY|COPYUID|APPENDUID) \d+`)
	date       = regexp.MustCompile(`INTERNALDATE "[^"]*"`)
	capability = regexp.MustCompile(`CAPABILITY[^\]]*`)
	esearchTag = regexp.MustCompile(`TAG "a\d+"`)
	identity   = regexp.MustCompile(`^\* ID \(.*\)`)
)

// normaliseDate leaves out when the test was run, and where.
func normaliseDate(item string) string {
	at, err := time.Parse(`INTERNALDATE "`+dateTime+`"`, item)
	switch {
	case err != nil:
		return item
	case time.Since(at) < time.Hour:
		return `INTERNALDATE "today"`
	}
	return at.UTC().Format(`INTERNALDATE "02-Jan-2006 15:04:05 -0700"`)
}

// normalise leaves out what may differ, and puts LIST and LSUB in order.
func normalise(answers []string) []string {
	var plain []string
	for _, a := range answers {
		a = statusText.ReplaceAllString(a, "$1$2$3")
		a = regexp.MustCompile(`^a\d+ `).ReplaceAllString(a, "")
		a = validity.ReplaceAllString(a, "$1 N")
		a = date.ReplaceAllStringFunc(a, normaliseDate)
		a = capability.ReplaceAllString(a, "CAPABILITY")
		a = esearchTag.ReplaceAllString(a, `TAG "tag"`)
		a = identity.ReplaceAllString(a, `* ID (...)`)
		a = strings.ReplaceAll(a, ` \UnMarked`, "") // a hint that Dovecot gives now and then
		a = strings.ReplaceAll(a, `(\UnMarked`, "(")
		if strings.HasPrefix(a, "+ ") && a != "+ " {
			a = "+ ..."
		}
		plain = append(plain, strings.NewReplacer("\r", `\r`, "\n", `\n`, "\x00", `\0`, "\x01", `\1`, "\x02", `\2`).Replace(a))
	}
	if len(plain) > 0 && (strings.HasPrefix(plain[0], "* LIST") || strings.HasPrefix(plain[0], "* LSUB")) && !strings.Contains(strings.Join(plain, " "), "* STATUS") {
		slices.Sort(plain[:len(plain)-1])
	}
	return plain
}
