package account

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// What the command for a token may take. A token of Exchange lives for an hour;
// what is kept for five minutes is young enough, and the command is not run for
// each of a thousand mailboxes.
const (
	tokenTime   = 30 * time.Second
	tokenLasts  = 5 * time.Minute
	tokenSettle = time.Second // for what the command started, after its end
)

// tokens runs a command for tokens, one at a time.
type tokens struct {
	command []string
	turn    chan struct{} // held by who runs the command; others wait for its token
	now     func() time.Time

	mu    sync.Mutex
	token string
	until time.Time
}

// kept is the token that was fetched last, or "" if it is too old.
func (t *tokens) kept() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.now().Before(t.until) {
		return t.token
	}
	return ""
}

func (t *tokens) keep(token string, until time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.token, t.until = token, until
}

// forget drops a token, unless there is another by now.
func (t *tokens) forget(token string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.token == token {
		t.token, t.until = "", time.Time{}
	}
}

func (t *tokens) get(ctx context.Context) (string, error) {
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	if token := t.kept(); token != "" {
		return token, nil
	}
	began := t.now()
	token, err := t.run(ctx)
	if err == nil {
		t.keep(token, began.Add(tokenLasts))
	}
	return token, err
}

// run runs the command. What it writes is not shown: the token may be in it.
func (t *tokens) run(ctx context.Context) (string, error) {
	limited, cancel := context.WithTimeout(ctx, tokenTime)
	defer cancel()
	if len(t.command) == 0 {
		return "", errors.New("the service account has no command for its token")
	}
	cmd := exec.CommandContext(limited, t.command[0], t.command[1:]...) //nolint:gosec // the administrator's own
	cmd.WaitDelay = tokenSettle
	out := bounded{stop: cancel}
	cmd.Stdout = &out
	err := cmd.Run()
	token := strings.TrimSpace(string(out.text))
	var status *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case out.full:
		return "", errors.New("the service account's `token_command` writes more than 64 KiB")
	case limited.Err() != nil:
		return "", fmt.Errorf("the service account's `token_command` did not end within %s", tokenTime)
	case errors.As(err, &status):
		return "", fmt.Errorf("the service account's `token_command` failed: %s", status.ProcessState)
	case err != nil:
		return "", fmt.Errorf("the service account's `token_command` cannot be run: %w", errors.Unwrap(err))
	case token == "":
		return "", errors.New("the service account's `token_command` writes no token to its standard output")
	}
	return token, nil
}

// bounded keeps so much of what a command writes as a token may have.
type bounded struct {
	text []byte
	full bool
	stop func()
}

// Write ends a command that writes too much: a full pipe alone does not.
func (b *bounded) Write(p []byte) (int, error) {
	if len(b.text)+len(p) > largestSecret {
		b.full = true
		b.stop()
		return 0, errors.New("too much")
	}
	b.text = append(b.text, p...)
	return len(p), nil
}
