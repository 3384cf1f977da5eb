package imapconn

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Do sends a command behind a tag of its own and waits for the tagged reply.
// It returns all responses that came before it, and the reply without its tag:
// "OK ...", "NO ..." or "BAD ..."; these are no errors. Literals stand in the
// command as on the wire, "{3}\r\nabc"; at a synchronizing one Do waits for the
// server's "+", and sends nothing more where the reply comes instead. A "+"
// that nobody waits for is an error: IDLE and AUTHENTICATE need Send.
func (c *Conn) Do(command string) (untagged []string, tagged string, err error) {
	return c.do(command, command)
}

// do is Do; shown is what the transcript may show of a command that has no
// synchronizing literal.
func (c *Conn) do(command, shown string) (untagged []string, tagged string, err error) {
	c.commands++
	tag := fmt.Sprintf("t%d", c.commands)
	parts := splitAtLiterals(command)
	for i, part := range parts {
		raw, show := part, part
		if i == 0 {
			raw = tag + " " + part
			show = tag + " " + part
			if len(parts) == 1 {
				show = tag + " " + shown
			}
		}
		last := i == len(parts)-1
		if last {
			raw, show = raw+"\r\n", show+"\r\n"
		}
		if err := c.send(raw, show); err != nil {
			return untagged, "", err
		}
		before, reply, err := c.wait(tag, !last)
		untagged = append(untagged, before...)
		if err != nil || reply != "" {
			return untagged, reply, err
		}
	}
	return untagged, "", nil
}

// DoRaw sends these bytes and waits for the reply to that tag. All else that
// arrives before, also "+" and replies to other tags, is returned as it came.
func (c *Conn) DoRaw(tag string, raw []byte) (others []string, tagged string, err error) {
	if err := c.Send(string(raw)); err != nil {
		return nil, "", err
	}
	return c.Wait(tag)
}

// Wait reads until the reply to that tag, as DoRaw does.
func (c *Conn) Wait(tag string) (others []string, tagged string, err error) {
	for {
		response, err := c.Response()
		if err != nil {
			return others, "", err
		}
		if reply, ok := strings.CutPrefix(response, tag+" "); ok {
			return others, reply, nil
		}
		others = append(others, response)
	}
}

// wait reads until the reply to the tag or, where the command is not complete,
// until the server asks for the rest: then the reply is empty.
func (c *Conn) wait(tag string, more bool) (untagged []string, reply string, err error) {
	for {
		response, err := c.Response()
		if err != nil {
			return untagged, "", err
		}
		if reply, ok := strings.CutPrefix(response, tag+" "); ok {
			return untagged, reply, nil
		}
		if !strings.HasPrefix(response, "+") {
			untagged = append(untagged, response)
			continue
		}
		if !more {
			return untagged, "", fmt.Errorf("a continuation that nobody waits for: %q", response)
		}
		return untagged, "", nil
	}
}

// LogIn is LOGIN. Whatever is not OK is an error.
func (c *Conn) LogIn(user, password string) error {
	command := "LOGIN " + quote(user) + " "
	_, tagged, err := c.do(command+quote(password), command+"********")
	if err == nil && !isOK(tagged) {
		err = fmt.Errorf("log in as %s: %s", user, tagged)
	}
	return err
}

var inCommand = regexp.MustCompile(`~?\{(\d{1,9})(\+?)\}\r\n`)

// splitAtLiterals cuts a command behind each announcement of a synchronizing
// literal. What looks like one inside a literal is content.
func splitAtLiterals(command string) []string {
	var parts []string
	start, at := 0, 0
	for {
		found := inCommand.FindStringSubmatchIndex(command[at:])
		if found == nil {
			return append(parts, command[start:])
		}
		size, _ := strconv.Atoi(command[at+found[2] : at+found[3]]) // nine digits at most
		synchronizing := found[4] == found[5]
		at += found[1]
		if synchronizing {
			parts = append(parts, command[start:at])
			start = at
		}
		at = min(at+size, len(command))
	}
}

func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

func isOK(tagged string) bool {
	word, _, _ := strings.Cut(tagged, " ")
	return strings.EqualFold(word, "OK")
}
