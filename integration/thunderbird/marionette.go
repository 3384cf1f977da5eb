package thunderbird

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// marionette is a connection to the remote control. A message is its length in
// decimal, a colon, and JSON: [0, id, command, arguments] or [1, id, error,
// result].
type marionette struct {
	conn net.Conn
	r    *bufio.Reader
	id   int
}

// dialMarionette connects and waits until Thunderbird greets.
func dialMarionette(ctx context.Context, address string) (*marionette, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	m := &marionette{conn: conn, r: bufio.NewReader(conn)}
	if _, err := m.read(); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return m, nil
}

// open starts a session in the context of the program itself: the other one
// is that of pages.
func (m *marionette) open() error {
	session := map[string]any{"capabilities": map[string]any{"alwaysMatch": map[string]any{"unhandledPromptBehavior": "ignore"}}}
	if err := m.call("WebDriver:NewSession", session, nil); err != nil {
		return err
	}
	return m.call("Marionette:SetContext", map[string]any{"value": "chrome"}, nil)
}

// commandTimeout bounds one command. What waits inside Thunderbird waits
// shorter.
const commandTimeout = 90 * time.Second

// call sends one command and waits for its answer, of which result gets the
// value.
func (m *marionette) call(command string, arguments map[string]any, result any) error {
	m.id++
	text, err := json.Marshal([]any{0, m.id, command, arguments})
	if err != nil {
		return err
	}
	_ = m.conn.SetDeadline(time.Now().Add(commandTimeout))
	if _, err := fmt.Fprintf(m.conn, "%d:%s", len(text), text); err != nil {
		return fmt.Errorf("%s: %w", command, err)
	}
	answer, err := m.read()
	if err != nil {
		return fmt.Errorf("%s: %w", command, err)
	}
	return m.answered(command, answer, result)
}

func (m *marionette) answered(command string, answer []byte, result any) error {
	var failure *struct{ Error, Message, Stacktrace string }
	var value struct{ Value json.RawMessage }
	var kind, id int
	if err := json.Unmarshal(answer, &[]any{&kind, &id, &failure, &value}); err != nil {
		return fmt.Errorf("%s: answer %s: %w", command, answer, err)
	}
	if kind != 1 || id != m.id {
		return fmt.Errorf("%s: answer %s to another command", command, answer)
	}
	if failure != nil {
		return fmt.Errorf("%s: %s: %s\n%s", command, failure.Error, failure.Message, failure.Stacktrace)
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(value.Value, result)
}

// longest is more than any answer has.
const longest = 16 << 20

func (m *marionette) read() ([]byte, error) {
	length, err := m.r.ReadString(':')
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(strings.TrimSuffix(length, ":"))
	if err != nil || n < 0 || n > longest {
		return nil, fmt.Errorf("message of length %q", length)
	}
	text := make([]byte, n)
	_, err = io.ReadFull(m.r, text)
	return text, err
}

func (m *marionette) close() { _ = m.conn.Close() }
