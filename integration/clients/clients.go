package clients

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Account is where a client polls.
type Account struct {
	Host     string // as its certificate names it
	Port     string
	User     string
	Password string
	CAFile   string
	Implicit bool // TLS from the first byte; otherwise STLS
}

// Client is one mail client in one set-up.
type Client struct {
	Name    string
	Deletes bool // removes from the server what it has fetched
	NoMail  int  // the exit status that says that there was no mail, beside 0

	program string // that must be installed
	pkg     string // the Debian package that has it
	prepare func(dir string, a Account) (config string, args []string)
}

// All are the clients that can be run.
func All() []Client { return []Client{Fetchmail, FetchmailKeep, Mpop, Getmail, GetmailKeep, Poplib} }

// Installed reports whether the client can be run here, and if not, which
// Debian package is missing.
func (c Client) Installed() error {
	if _, err := exec.LookPath(c.program); err != nil {
		return fmt.Errorf("no %s here: apt-get install %s", c.program, c.pkg)
	}
	return nil
}

// Result is what came of one poll.
type Result struct {
	Exit   int
	Output string
	New    [][]byte // delivered by this poll
	All    [][]byte // delivered by all polls into this folder
}

// Poll runs the client once. dir keeps its mail and its state from poll to
// poll. An error means that the client could not be run at all.
func (c Client) Poll(ctx context.Context, dir string, a Account) (Result, error) {
	maildir := filepath.Join(dir, "mail")
	for _, sub := range []string{"tmp", "new", "cur"} {
		if err := os.MkdirAll(filepath.Join(maildir, sub), 0o700); err != nil {
			return Result{}, err
		}
	}
	before, err := delivered(maildir)
	if err != nil {
		return Result{}, err
	}
	config, args := c.prepare(dir, a)
	if err := os.WriteFile(filepath.Join(dir, "config"), []byte(config), 0o600); err != nil {
		return Result{}, err
	}
	cmd := exec.CommandContext(ctx, c.program, args...)
	cmd.Env = append(os.Environ(), "HOME="+dir, "FETCHMAILHOME="+dir, "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	var status *exec.ExitError
	if err != nil && !errors.As(err, &status) {
		return Result{}, err
	}
	result := Result{Exit: cmd.ProcessState.ExitCode(), Output: string(out)}
	after, err := delivered(maildir)
	for _, name := range slices.Sorted(keys(after)) {
		result.All = append(result.All, after[name])
		if _, old := before[name]; !old {
			result.New = append(result.New, after[name])
		}
	}
	return result, err
}

// OK reports whether the client ended as it does when all went well.
func (c Client) OK(r Result) bool { return r.Exit == 0 || r.Exit == c.NoMail }

// delivered reads the messages of a Maildir, by file name.
func delivered(maildir string) (map[string][]byte, error) {
	all := make(map[string][]byte)
	files, err := filepath.Glob(filepath.Join(maildir, "new", "*"))
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		all[filepath.Base(f)] = text
	}
	return all, err
}

func keys(m map[string][]byte) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// Subject is a delivered message's Subject field.
func Subject(message []byte) string {
	for line := range bytes.Lines(message) {
		if s, ok := strings.CutPrefix(string(line), "Subject: "); ok {
			return strings.TrimRight(s, "\r\n")
		}
	}
	return ""
}
