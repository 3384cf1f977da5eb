package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"strconv"
	"syscall"
	"time"

	"mailguard/message"
)

// Listen opens the admin socket. Only the user that the server runs as, and
// root, can connect. A socket that a dead server left behind is replaced; one
// that still answers is an error, and so is a file that is no socket: a wrong
// path must not cost anybody a file.
func Listen(path string) (net.Listener, error) {
	if c, err := net.Dial("unix", path); err == nil {
		c.Close()
		return nil, fmt.Errorf("admin socket %s: another server answers there", path)
	}
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() != fs.ModeSocket {
		return nil, fmt.Errorf("admin socket %s: there is a file that is no socket", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	// The rights are set by the mask, before anybody can connect.
	mask := syscall.Umask(0o177)
	defer syscall.Umask(mask)
	return net.Listen("unix", path)
}

// Client asks a running server.
type Client struct{ http *http.Client }

// ErrNoServer is the error of a socket on which no server answers.
var ErrNoServer = errors.New("no server is running")

// NewClient returns a client for the server whose socket is at path.
func NewClient(path string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		c, err := d.DialContext(ctx, "unix", path)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
			return nil, fmt.Errorf("%w at %s", ErrNoServer, path)
		}
		return c, err
	}
	return &Client{http: &http.Client{Transport: &http.Transport{DialContext: dial}, Timeout: time.Minute}}
}

// Held returns a page of what is held.
func (c *Client) Held(ctx context.Context, q HeldQuery) (HeldPage, error) {
	var answer HeldPage
	err := c.get(ctx, "/v1/held?"+q.encode(), &answer)
	return answer, err
}

// Show describes one message, held or not.
func (c *Client) Show(ctx context.Context, id message.ID) (HeldMessage, error) {
	var answer HeldMessage
	err := c.get(ctx, "/v1/held/"+strconv.FormatInt(int64(id), 10), &answer)
	return answer, err
}

// Audit returns a page of the record.
func (c *Client) Audit(ctx context.Context, q AuditQuery) (AuditPage, error) {
	var answer AuditPage
	err := c.get(ctx, "/v1/audit?"+q.encode(), &answer)
	return answer, err
}

// Do has an order carried out.
func (c *Client) Do(ctx context.Context, a Action, o Order) (Result, error) {
	body, err := json.Marshal(o)
	if err != nil {
		return Result{}, err
	}
	var answer Result
	err = c.call(ctx, http.MethodPost, "/v1/"+string(a), bytes.NewReader(body), &answer)
	return answer, err
}

// Mailboxes lists the mailboxes that were used through the guard.
func (c *Client) Mailboxes(ctx context.Context) ([]Mailbox, error) {
	var answer []Mailbox
	err := c.get(ctx, "/v1/mailboxes", &answer)
	return answer, err
}

func (c *Client) get(ctx context.Context, path string, answer any) error {
	return c.call(ctx, http.MethodGet, path, http.NoBody, answer)
}

func (c *Client) call(ctx context.Context, method, path string, body io.Reader, answer any) error {
	req, err := http.NewRequestWithContext(ctx, method, "http://mailguard"+path, body)
	if err != nil {
		return err
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("ask the server: %w", err)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
		return json.NewDecoder(resp.Body).Decode(answer)
	case http.StatusNotFound:
		return ErrNotFound
	default:
		var f failure
		if err := json.NewDecoder(resp.Body).Decode(&f); err != nil || f.Error == "" {
			return fmt.Errorf("the server answered %s", resp.Status)
		}
		return fmt.Errorf("the server answered: %s", f.Error)
	}
}
