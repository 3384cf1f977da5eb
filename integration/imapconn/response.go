package imapconn

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// maxResponse bounds one response with its literals, far above what tests ask
// for: a server gone mad shall not fill the memory.
const maxResponse = 256 << 20

// Response reads one response: a line, with the literals in it exactly as they
// came, and without the CRLF at its end. A line that ends otherwise keeps its
// end. At the end of the connection the error is io.EOF and the text what came
// of a response that was cut off.
func (c *Conn) Response() (string, error) {
	text, err := c.read()
	if err != nil {
		c.transcript.note(fmt.Sprintf("%q, then %v", text, err))
		return text, c.checker.ended(err, c.Strict)
	}
	c.transcript.received(text)
	violation := c.checker.received(text)
	text = strings.TrimSuffix(text, "\r\n")
	if violation != "" && c.Strict {
		return text, &Violation{Rule: violation, Response: text}
	}
	return text, nil
}

// read reads a response with its line end.
func (c *Conn) read() (string, error) {
	if err := c.conn.SetReadDeadline(time.Now().Add(c.Timeout)); err != nil {
		return "", err
	}
	return readResponse(c.r)
}

func readResponse(r *bufio.Reader) (string, error) {
	var all bytes.Buffer
	for all.Len() < maxResponse {
		line, err := r.ReadBytes('\n')
		all.Write(line)
		if err != nil {
			return all.String(), err
		}
		size, ok := literalAtEnd(line)
		if !ok || isText(all.Bytes()) {
			return all.String(), nil
		}
		if size > maxResponse {
			break
		}
		if _, err := io.CopyN(&all, r, size); err != nil {
			return all.String(), err
		}
	}
	return "", errors.New("a response is longer than a test can want")
}

var (
	announcement = regexp.MustCompile(`~?\{(\d{1,18})\}\r\n$`)
	textResponse = regexp.MustCompile(`^(?i:[^ \r\n]+ (OK|NO|BAD|BYE|PREAUTH)|\+)( |\r?\n$)`)
)

// literalAtEnd is the size of the literal that a line announces.
func literalAtEnd(line []byte) (int64, bool) {
	found := announcement.FindSubmatch(line)
	if found == nil {
		return 0, false
	}
	size, err := strconv.ParseInt(string(found[1]), 10, 64)
	return size, err == nil
}

// isText says of a response that it ends in text for people, which holds no
// literal, whatever it looks like (RFC 9051, 9: resp-text).
func isText(response []byte) bool { return textResponse.Match(response) }
