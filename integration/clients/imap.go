package clients

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Job is something that people do with their mail client. It is one run of
// the program, unless its client needs several.
type Job string

// Messages are named by their subjects, which are single words that do not
// occur in one another. The folder is INBOX.
const (
	Fetch      Job = "fetch"  // bring the local mail up to date, and the server
	Flag       Job = "flag"   // read a message and star it
	Delete     Job = "delete" // a message
	Copy       Job = "copy"   // a message into Archive
	Move       Job = "move"   // a message into Archive
	Upload     Job = "upload" // a new message with this subject
	MakeFolder Job = "make folder"
	List       Job = "list" // what is in INBOX, read or not; see Listed
)

// Archive is the folder that Copy and Move name.
const Archive = "Archive"

// Listed are the messages that the last List showed, sorted by subject. dir is
// the client's folder.
func Listed(dir string) ([]Message, error) { return ReadMaildir(filepath.Join(dir, listed)) }

const listed = "listed"

// IMAP is one IMAP client in one set-up.
type IMAP struct {
	Name         string
	Deletes      bool // Fetch removes from the server what it has fetched
	NoMail       int  // the exit status that says that there was no mail, beside 0
	ImplicitOnly bool // has no STARTTLS, or none that can be relied on
	Syncs        bool // keeps a copy at home in step with the server

	program string // that must be installed, "" for none
	pkg     string // the Debian package that has it
	jobs    map[Job]action
}

// AllIMAP are the IMAP clients that can be run.
func AllIMAP() []IMAP {
	return []IMAP{Mbsync, MbsyncTrash, OfflineIMAP, Mutt, NeoMutt, Curl, FetchmailIMAP, FetchmailIMAPKeep, GetmailIMAP, Imaplib, GoIMAP}
}

// Installed reports whether the client can be run here, and if not, which
// Debian package is missing.
func (c IMAP) Installed() error {
	if c.program == "" {
		return nil
	}
	return Client{program: c.program, pkg: c.pkg}.Installed()
}

// Can reports whether the client has a way to do the job.
func (c IMAP) Can(j Job) bool { return c.jobs[j] != nil }

// Run is how one job ended.
type Run struct {
	Exit   int
	Output string
}

// OK reports whether the client ended as it does when all went well.
func (c IMAP) OK(r Run) bool { return r.Exit == 0 || r.Exit == c.NoMail }

// Do does one job. dir keeps the client's mail and its state from job to job;
// one client at a time uses it. Fetch and MakeFolder need no subject. An error
// means that the client could not be run at all, or did not end in time.
func (c IMAP) Do(ctx context.Context, dir string, a Account, j Job, subject string) (Run, error) {
	do := c.jobs[j]
	if do == nil {
		return Run{}, fmt.Errorf("%s has no way to %s", c.Name, j)
	}
	if err := makeMaildir(filepath.Join(dir, "mail", "INBOX")); err != nil {
		return Run{}, err
	}
	return do(ctx, desk{Account: a, dir: dir, subject: subject})
}

// action is how a client does a job.
type action func(context.Context, desk) (Run, error)

// desk is where a job is done.
type desk struct {
	Account
	dir     string
	subject string
}

func (d desk) file(name string) string { return filepath.Join(d.dir, name) }

func (d desk) folder(name string) string { return filepath.Join(d.dir, "mail", name) }

// write makes one of the client's own files.
func (d desk) write(name, text string) error {
	return os.WriteFile(d.file(name), []byte(text), 0o600)
}

// Clients that were told to end close what they inherited a moment later.
const closing = 2 * time.Second

// run runs a program of the client's. Its exit status is no error.
func (d desk) run(ctx context.Context, program string, args ...string) (Run, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = d.dir
	cmd.Env = append(os.Environ(), "HOME="+d.dir, "FETCHMAILHOME="+d.dir, "LC_ALL=C", "TERM=xterm")
	cmd.WaitDelay = closing
	out, err := cmd.CombinedOutput()
	var status *exec.ExitError
	if err != nil && !errors.As(err, &status) {
		return Run{}, fmt.Errorf("run %s: %w", program, err)
	}
	if !cmd.ProcessState.Exited() {
		return Run{Output: string(out)}, fmt.Errorf("run %s: %w", program, errors.Join(err, ctx.Err()))
	}
	return Run{Exit: cmd.ProcessState.ExitCode(), Output: string(out)}, nil
}

// message is what Upload uploads.
func (d desk) message() []byte {
	return fmt.Appendf(nil, "From: member@example.com\nTo: customer@example.net\nSubject: %[1]s\nMessage-ID: <%[1]s@example.com>\n\nWritten here: %[1]s.\n", d.subject)
}

// word is one word for implicit TLS and another for STARTTLS.
func (d desk) word(implicit, starttls string) string {
	if d.Implicit {
		return implicit
	}
	return starttls
}

// quoted are words as the shell reads them.
func quoted(words ...string) string {
	var all []string
	for _, w := range words {
		all = append(all, "'"+strings.ReplaceAll(w, "'", `'\''`)+"'")
	}
	return strings.Join(all, " ")
}

// jobs makes one action out of one function for several jobs.
func jobs(do func(Job) action, names ...Job) map[Job]action {
	all := make(map[Job]action)
	for _, j := range names {
		all[j] = do(j)
	}
	return all
}
