package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
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

// Held lists what is held, oldest first.
func (c *Client) Held(ctx context.Context, q HeldQuery) ([]HeldMessage, error) {
	v := url.Values{}
	set := func(key, value string) {
		if value != "" {
			v.Set(key, value)
		}
	}
	set("mailbox", string(q.Mailbox))
	set("member", string(q.Member))
	set("rule", q.Rule)
	if q.Anonymous {
		v.Set("anonymous", "1")
	}
	if q.OlderThan > 0 {
		v.Set("older_than", q.OlderThan.String())
	}
	var answer []HeldMessage
	err := c.get(ctx, "/v1/held?"+v.Encode(), &answer)
	return answer, err
}

// Show describes one message, held or not.
func (c *Client) Show(ctx context.Context, id message.ID) (HeldMessage, error) {
	var answer HeldMessage
	err := c.get(ctx, "/v1/held/"+strconv.FormatInt(int64(id), 10), &answer)
	return answer, err
}

// Mailboxes lists the mailboxes that were used through the guard.
func (c *Client) Mailboxes(ctx context.Context) ([]Mailbox, error) {
	var answer []Mailbox
	err := c.get(ctx, "/v1/mailboxes", &answer)
	return answer, err
}

func (c *Client) get(ctx context.Context, path string, answer any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://mailguard"+path, nil)
	if err != nil {
		return err
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
