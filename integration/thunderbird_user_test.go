//go:build thunderbird

package integration

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mailguard/integration/thunderbird"
)

// tbPatience is how long Thunderbird may take for one thing.
const tbPatience = 30 * time.Second

// tbUser is a person with a Thunderbird.
type tbUser struct {
	*thunderbird.Thunderbird
	name    string
	dir     string
	account thunderbird.Account
	server  *reader // of what is there
	record  *tbRecord
}

func newTBUser(t *testing.T, server *reader, name, login string, model thunderbird.Model, record *tbRecord) *tbUser {
	t.Helper()
	need(t, thunderbird.Installed())
	a := server.account(login, true)
	u := &tbUser{name: name, dir: filepath.Join(t.TempDir(), name), server: server, record: record, account: thunderbird.Account{
		Host: a.Host, Port: a.Port, User: a.User, Password: a.Password, CAFile: a.CAFile, Model: model,
	}}
	u.start(t)
	return u
}

func (u *tbUser) start(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), tbPatience)
	defer cancel()
	running, err := thunderbird.Start(ctx, u.dir, u.account)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(running.Kill)
	u.Thunderbird = running
	u.record.version = u.Version
}

// restart quits as a person does, and starts again with the same profile.
func (u *tbUser) restart(t *testing.T) {
	t.Helper()
	u.quit(t)
	u.start(t)
}

// quit ends Thunderbird. Until then nobody may have been told of anything:
// there was no dialog, no alert and no error of the mail code in the console.
func (u *tbUser) quit(t *testing.T) {
	t.Helper()
	all, err := u.Complaints()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		t.Errorf("%s was told: %s", u.name, c)
		u.record.note(u.name + " was told: " + c)
	}
	ctx, cancel := context.WithTimeout(context.Background(), tbPatience)
	defer cancel()
	if err := u.Quit(ctx); err != nil {
		t.Errorf("%s's Thunderbird ended with %v", u.name, err)
	}
}

// sees is waits, and takes down what is seen.
func (u *tbUser) sees(t *testing.T, folder, want string) {
	t.Helper()
	seen := u.waits(t, folder, want)
	u.record.note(fmt.Sprintf("%s's %s: %s", u.name, folder, strings.Join(seen.Shown, ", ")))
}

// waits waits until the person sees these messages in the folder. Then the
// server is asked twice more: they stay, and nothing comes back or comes twice.
func (u *tbUser) waits(t *testing.T, folder, want string) thunderbird.Folder {
	t.Helper()
	seen := u.look(t, folder)
	for deadline := time.Now().Add(tbPatience); !seen.Is(want) && time.Now().Before(deadline); {
		time.Sleep(50 * time.Millisecond)
		seen = u.look(t, folder)
	}
	for range 2 {
		if seen.Is(want) {
			seen = u.look(t, folder)
		}
	}
	if !seen.Is(want) {
		t.Errorf("%s sees %q in %s (index %q), want %s", u.name, seen.Shown, folder, seen.Index, want)
	}
	return seen
}

// look asks the server and tells what is seen then. A refresh that fails is
// taken down: in a fresh mailbox two connections of one Thunderbird may both
// try to make Trash. What a person is told of it is in complaints.
func (u *tbUser) look(t *testing.T, folder string) thunderbird.Folder {
	t.Helper()
	if err := u.Refresh(folder); err != nil {
		u.record.note(fmt.Sprintf("%s: %v", u.name, err))
	}
	f, err := u.List(folder)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// do is something that is done in Thunderbird, and has to work.
func (u *tbUser) do(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s %s: %v", u.name, what, err)
	}
}

// remove deletes a message for good and leaves these. What Thunderbird shows at
// first is not what the server has: it waits until it is. Where the model leaves
// the message on the server the folder is compacted then.
func (u *tbUser) remove(t *testing.T, subject, left string) {
	t.Helper()
	u.do(t, "deletes "+subject, u.Delete("Inbox", subject))
	switch u.account.Model {
	case thunderbird.Mark:
		u.waits(t, "Inbox", left+" "+subject+"(struck-out)")
	case thunderbird.Remove:
		u.waits(t, "Inbox", left)
	default:
		u.moved(t, subject)
		return
	}
	u.compact(t)
}

func (u *tbUser) compact(t *testing.T) {
	t.Helper()
	u.do(t, "compacts", u.Compact("Inbox"))
}

// moved waits until the server has a message in Trash. A Thunderbird that is
// ended before shows it in the Inbox again, at whatever server.
func (u *tbUser) moved(t *testing.T, subject string) {
	t.Helper()
	for deadline := time.Now().Add(tbPatience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if slices.Contains(u.server.subjects(t, "Trash"), subject) {
			return
		}
	}
	t.Fatalf("%s's %s is not in Trash at the server", u.name, subject)
}
