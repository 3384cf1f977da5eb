package integration

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mailguard/demo/dovecot"
	"mailguard/integration/clients"
	"mailguard/proxy/proxytest"
)

// place is where clients log in: at a mail server, or at a guard before it.
type place struct {
	dovecot     *dovecot.Server
	imap, imaps string // STARTTLS, implicit TLS
	ca          string // file
}

// atDovecot is a Dovecot with these mailboxes beside the usual ones.
func atDovecot(t testing.TB, users ...string) place {
	t.Helper()
	cert, key, ca := proxytest.WriteCert(t, t.TempDir())
	d := startDovecot(t, func(o *dovecot.Options) {
		o.TLS = &dovecot.Files{Cert: cert, Key: key}
		for _, name := range users {
			o.Users = append(o.Users, dovecot.User{Name: name, Password: password})
		}
	})
	return place{dovecot: d, imap: d.IMAP(), imaps: d.IMAPS(), ca: ca}
}

func (p place) account(user string, implicit bool) clients.Account {
	address := p.imap
	if implicit {
		address = p.imaps
	}
	_, port, _ := net.SplitHostPort(address)
	return clients.Account{Host: "localhost", Port: port, User: user, Password: password, CAFile: p.ca, Implicit: implicit}
}

// chapter is one run of a client, and what happened before it.
type chapter struct {
	arrives   string      // the subject of a new message
	elsewhere clients.Job // what another program of the same person does
	with      string      // to this message
	job       clients.Job
	subject   string
}

// story is what people do with a mail client. Each client does what it can.
var story = []chapter{
	{job: clients.Fetch},
	{arrives: "four", job: clients.Fetch},
	{elsewhere: clients.Flag, with: "three", job: clients.Fetch},
	{elsewhere: clients.Delete, with: "three", job: clients.Fetch},
	{job: clients.Flag, subject: "one"},
	{job: clients.Upload, subject: "five"},
	{job: clients.MakeFolder},
	{job: clients.Copy, subject: "two"},
	{job: clients.Move, subject: "four"},
	{job: clients.Delete, subject: "one"},
	{job: clients.Fetch},
}

// reader is one person with one client at one place.
type reader struct {
	place
	client clients.IMAP
	user   string // who logs in
	box    string // whose mailbox it is at the Dovecot
	dir    string
}

func (r *reader) do(job clients.Job, subject string, implicit bool) (clients.Run, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	implicit = implicit || r.client.ImplicitOnly
	run, err := r.client.Do(ctx, r.dir, r.account(r.user, implicit), job, subject)
	if err != nil {
		err = fmt.Errorf("%s: %s %s: %w\n%s", r.client.Name, job, subject, err, tail(run.Output))
	}
	return run, err
}

// live does a chapter.
func (r *reader) live(c chapter, implicit bool) (clients.Run, error) {
	if c.arrives != "" {
		if err := r.dovecot.Deliver(r.box, mail(c.arrives)); err != nil {
			return clients.Run{}, err
		}
	}
	if c.elsewhere != "" {
		other := *r
		other.client, other.dir = clients.GoIMAP, filepath.Join(r.dir, "elsewhere")
		run, err := other.do(c.elsewhere, c.with, true)
		if err != nil || run.Exit != 0 && !r.client.Deletes { // else it is gone
			return run, fmt.Errorf("elsewhere: %s %s: %s", c.elsewhere, c.with, errors.Join(err, errors.New(run.Output)))
		}
	}
	return r.do(c.job, c.subject, implicit)
}

// liveTogether does a chapter on all sides at once.
func liveTogether(t testing.TB, sides []*reader, c chapter, implicit bool) []clients.Run {
	t.Helper()
	runs, errs := make([]clients.Run, len(sides)), make([]error, len(sides))
	var all sync.WaitGroup
	for i, r := range sides {
		all.Go(func() { runs[i], errs[i] = r.live(c, implicit) })
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	return runs
}

// For a mailbox that policy cannot touch a client works behind the guard as it
// does at the server: it ends with the same status, and leaves the same there
// and at home.
func TestIMAPClientsEndAsWithoutTheGuard(t *testing.T) {
	users := readers()
	left := atDovecot(t, users...)
	right, _ := behindGuard(t, options{}, users...)
	t.Run("clients", func(t *testing.T) {
		for i, client := range clients.AllIMAP() {
			t.Run(client.Name, func(t *testing.T) {
				t.Parallel()
				need(t, client.Installed())
				dir := t.TempDir()
				sides := []*reader{
					{place: left, client: client, user: users[i], box: users[i], dir: filepath.Join(dir, "direct")},
					{place: right, client: client, user: users[i], box: users[i], dir: filepath.Join(dir, "guard")},
				}
				tell(t, sides)
			})
		}
	})
}

// readers are mailboxes that policy cannot touch, one for each client.
func readers() []string {
	var users []string
	for i := range clients.AllIMAP() {
		users = append(users, fmt.Sprintf("reader%d@personal.example.com", i))
	}
	return users
}

// tell lives the story on both sides, and compares them after each chapter.
func tell(t *testing.T, sides []*reader) {
	t.Helper()
	for _, r := range sides {
		deliver(t, r.dovecot, r.box, "one", "two", "three")
	}
	for i, c := range story {
		if !sides[0].client.Can(c.job) {
			continue
		}
		name := fmt.Sprintf("chapter %d: %s %s", i, c.job, c.subject)
		runs := liveTogether(t, sides, c, i%2 == 0)
		if !sides[0].client.OK(runs[0]) || runs[0].Exit != runs[1].Exit {
			t.Fatalf("%s: ended with status %d directly and %d through the guard:\n%s\n%s", name, runs[0].Exit, runs[1].Exit, tail(runs[0].Output), tail(runs[1].Output))
		}
		if diff := settle(t, sides); diff != "" {
			t.Fatalf("%s: - directly, + through the guard:\n%s\n%s", name, diff, tail(runs[1].Output))
		}
		if err := sides[0].achieved(t, c); err != nil {
			t.Fatalf("%s: %v\n%s\nstatus %d, %s", name, err, strings.Join(sides[0].state(t), "\n"), runs[0].Exit, tail(runs[0].Output))
		}
	}
}

// settle compares the two sides until they are alike: some clients do not wait
// for the server's last answer.
func settle(t *testing.T, sides []*reader) string {
	t.Helper()
	var diff string
	for range 100 {
		if diff = cmp.Diff(sides[0].state(t), sides[1].state(t)); diff == "" {
			return ""
		}
		time.Sleep(20 * time.Millisecond)
	}
	return diff
}

// achieved is whether the job was done at all: two clients that both do
// nothing are alike, too.
func (r *reader) achieved(t *testing.T, c chapter) error {
	t.Helper()
	there := func(folder, subject string) bool {
		return slices.ContainsFunc(r.remote(t), func(m onServer) bool { return m.folder == folder && m.Subject == subject })
	}
	var want, got []bool
	switch c.job {
	case clients.Fetch:
		return r.fetched(t)
	case clients.Flag:
		want, got = []bool{true}, []bool{slices.ContainsFunc(r.remote(t), func(m onServer) bool { return m.Subject == c.subject && m.Flags == "FS" })}
	case clients.Upload:
		want, got = []bool{true}, []bool{there("INBOX", c.subject)}
	case clients.Delete:
		want, got = []bool{false, r.client.Name == clients.MbsyncTrash.Name}, []bool{there("INBOX", c.subject), there("Trash", c.subject)}
	case clients.Copy, clients.Move:
		want, got = []bool{c.job == clients.Copy, true}, []bool{there("INBOX", c.subject), there(clients.Archive, c.subject)}
	case clients.MakeFolder:
		want, got = []bool{true}, []bool{slices.Contains(r.folders(t), clients.Archive)}
	}
	if !slices.Equal(want, got) {
		return fmt.Errorf("the server has it where it should be: got %v, want %v", got, want)
	}
	return nil
}

// fetched is whether everything in the folder is at home, and, for clients
// that delete what they fetch, no longer there.
func (r *reader) fetched(t *testing.T) error {
	t.Helper()
	home, err := clients.ReadMaildir(filepath.Join(r.dir, "mail", "INBOX"))
	if err != nil {
		return err
	}
	subjects := make(map[string]bool)
	for _, m := range home {
		subjects[m.Subject] = true
	}
	for _, m := range r.remote(t) {
		if m.folder == "INBOX" && (r.client.Deletes || !subjects[m.Subject] && !strings.Contains(m.Flags, "S")) {
			return fmt.Errorf("%s is on the server; fetched: %v", m.Subject, subjects)
		}
	}
	if len(home) == 0 {
		return fmt.Errorf("nothing was fetched")
	}
	return nil
}

// A program that waits in IDLE hears of new mail.
func TestIMAPIdleThroughTheGuard(t *testing.T) {
	guarded, _ := behindGuard(t, options{})
	for i, p := range []place{atDovecot(t), guarded} {
		deliver(t, p.dovecot, private, "one")
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		n, err := clients.Idle(ctx, p.account(private, i == 0), func() error { return p.dovecot.Deliver(private, mail("two")) })
		if err != nil || n != 2 {
			t.Errorf("%d messages, %v; want 2", n, err)
		}
	}
}
