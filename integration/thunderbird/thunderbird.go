package thunderbird

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

//go:embed driver.js
var driver string

// Thunderbird is a running program with one person's profile. It is used by
// one goroutine, which ends it by Quit or Kill.
type Thunderbird struct {
	Version string

	process *process
	output  bytes.Buffer // of the process; whole when it has ended
	control *marionette
}

// Start starts Thunderbird without a screen. A profile in dir is used as it
// is; where there is none a fresh one is made. Close it by Quit or Kill.
func Start(ctx context.Context, dir string, a Account) (*Thunderbird, error) {
	profile := filepath.Join(dir, "profile")
	if _, err := os.Stat(profile); err != nil {
		if err := writeProfile(profile, a); err != nil {
			return nil, err
		}
	}
	t := &Thunderbird{}
	if err := t.launch(dir, profile); err != nil {
		return nil, err
	}
	if err := t.open(ctx, profile, a); err != nil {
		t.Kill()
		return nil, fmt.Errorf("start Thunderbird: %w\n%s", err, &t.output)
	}
	return t, nil
}

func (t *Thunderbird) launch(dir, profile string) error {
	active := filepath.Join(profile, "MarionetteActivePort")
	if err := os.Remove(active); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	cmd := exec.Command("thunderbird", "--headless", "--no-remote", "--marionette", "--remote-allow-system-access", "--profile", profile)
	cmd.Env = append(os.Environ(), "HOME="+dir, "MOZ_CRASHREPORTER_DISABLE=1", "LC_ALL=C.UTF-8")
	cmd.Stdout, cmd.Stderr = &t.output, &t.output
	var err error
	t.process, err = launch(cmd)
	return err
}

// open waits for the remote control and gives the account what a person would
// type in.
func (t *Thunderbird) open(ctx context.Context, profile string, a Account) error {
	port, err := activePort(ctx, profile)
	if err != nil {
		return err
	}
	if t.control, err = dialMarionette(ctx, net.JoinHostPort("127.0.0.1", port)); err != nil {
		return err
	}
	if err := t.control.open(); err != nil {
		return err
	}
	ca, err := os.ReadFile(a.CAFile)
	if err != nil {
		return err
	}
	block, _ := pem.Decode(ca)
	if block == nil {
		return fmt.Errorf("no certificate in %s", a.CAFile)
	}
	return t.call(&t.Version, "prepare", block.Bytes, a.Host, a.Password)
}

// activePort waits for the file in which Thunderbird says where it listens.
func activePort(ctx context.Context, profile string) (string, error) {
	for {
		text, err := os.ReadFile(filepath.Join(profile, "MarionetteActivePort"))
		if err == nil && len(text) > 0 {
			return strings.TrimSpace(string(text)), nil
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("no remote control: %w", ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// call calls a function of driver.js.
func (t *Thunderbird) call(result any, function string, arguments ...any) error {
	words, err := json.Marshal(append([]any{}, arguments...))
	if err != nil {
		return err
	}
	script := fmt.Sprintf("return (async () => { %s\nreturn await %s(...%s); })();", driver, function, words)
	return t.control.call("WebDriver:ExecuteScript", map[string]any{"script": script, "args": []any{}, "sandbox": "system"}, result)
}

// Folder is what a person sees in one folder, sorted by subjects, and what
// Thunderbird's index of it has. "one(struck-out)" is marked as deleted.
type Folder struct{ Shown, Index []string }

const struckOut = "(struck-out)"

// Is reports whether the person sees just these messages, named by subjects
// in a row, and whether the index has no others but such as are marked as
// deleted.
func (f Folder) Is(subjects string) bool {
	want := strings.Fields(subjects)
	slices.Sort(want)
	return slices.Equal(f.Shown, want) && slices.Equal(unstruck(f.Index), unstruck(want))
}

// unstruck are the messages that are not marked as deleted.
func unstruck(all []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return strings.HasSuffix(s, struckOut) })
}

// Refresh asks the server about a folder, as "Get Messages" does.
func (t *Thunderbird) Refresh(folder string) error { return t.status("refresh", folder) }

// List is what is in a folder.
func (t *Thunderbird) List(folder string) (Folder, error) {
	var f Folder
	err := t.call(&f, "list", folder)
	return f, err
}

// Delete presses the Delete key on a message, and does not wait for the
// server. On a message that is struck out it takes that back.
func (t *Thunderbird) Delete(folder, subject string) error {
	return t.call(nil, "press", folder, subject, "cmd_deleteMessage")
}

// Move drags a message to another folder, and does not wait for the server.
func (t *Thunderbird) Move(folder, subject, to string) error {
	return t.call(nil, "move", folder, subject, to)
}

// DeleteForGood presses Shift+Delete.
func (t *Thunderbird) DeleteForGood(folder, subject string) error {
	return t.call(nil, "press", folder, subject, "cmd_shiftDeleteMessage")
}

// Undo presses Ctrl+Z.
func (t *Thunderbird) Undo() error { return t.call(nil, "undo") }

// EmptyTrash is the account's menu item.
func (t *Thunderbird) EmptyTrash() error { return t.call(nil, "emptyTrash") }

// Compact is the folder's menu item: it expunges.
func (t *Thunderbird) Compact(folder string) error { return t.status("compact", folder) }

func (t *Thunderbird) status(function, folder string) error {
	var status uint32
	if err := t.call(&status, function, folder); err != nil {
		return err
	}
	if status != 0 {
		return fmt.Errorf("%s %s ended with status %#x", function, folder, status)
	}
	return nil
}

// Complaints are the dialogs and alerts since the start, and the errors of the
// mail code in the console. Where all went well there is none.
func (t *Thunderbird) Complaints() ([]string, error) {
	var all []string
	err := t.call(&all, "complaints")
	return all, err
}

// Quit ends Thunderbird as its menu does, and waits for the end.
func (t *Thunderbird) Quit(ctx context.Context) error {
	if err := t.call(nil, "quit"); err != nil {
		t.Kill()
		return err
	}
	t.control.close()
	select {
	case <-t.process.ended:
		return t.process.err
	case <-ctx.Done():
		t.process.kill()
		return errors.New("Thunderbird does not quit")
	}
}

// Kill ends Thunderbird at once, if it has not ended.
func (t *Thunderbird) Kill() {
	if t.control != nil {
		t.control.close()
	}
	t.process.kill()
}
