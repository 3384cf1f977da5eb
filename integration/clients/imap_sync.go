package clients

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// syncJobs are what people do with mail that a program synchronises: they
// change their Maildirs, and the program carries it to the server.
func syncJobs(synchronise action, remove func(Message) error) map[Job]action {
	then := func(change func(desk) error) action {
		return func(ctx context.Context, d desk) (Run, error) {
			if err := change(d); err != nil {
				return Run{}, err
			}
			return synchronise(ctx, d)
		}
	}
	return map[Job]action{
		Fetch:      synchronise,
		Flag:       then(func(d desk) error { return change(d, func(m Message) error { return addFlags(m, "FS") }) }),
		Delete:     then(func(d desk) error { return change(d, remove) }),
		Copy:       then(func(d desk) error { return change(d, d.copyToArchive) }),
		Move:       then(func(d desk) error { return change(d, d.moveToArchive) }),
		Upload:     then(func(d desk) error { return addFile(d.folder("INBOX"), "cur", d.message()) }),
		MakeFolder: then(func(d desk) error { return makeMaildir(d.folder(Archive)) }),
	}
}

func change(d desk, how func(Message) error) error {
	m, err := find(d.folder("INBOX"), d.subject)
	if err != nil {
		return err
	}
	return how(m)
}

func (d desk) copyToArchive(m Message) error {
	text, err := os.ReadFile(m.Path)
	if err != nil {
		return err
	}
	return addFile(d.folder(Archive), "cur", text)
}

func (d desk) moveToArchive(m Message) error {
	if err := d.copyToArchive(m); err != nil {
		return err
	}
	return os.Remove(m.Path)
}

func removeFile(m Message) error { return os.Remove(m.Path) }

func markTrashed(m Message) error { return addFlags(m, "T") }

// Mbsync as most people have it: both sides alike, deletions too.
var Mbsync = IMAP{Name: "mbsync", Syncs: true, program: "mbsync", pkg: "isync", jobs: syncJobs(mbsync("", "Patterns *"), removeFile)}

// MbsyncMark is for people whose mail reader marks a file as trashed and leaves
// the rest to mbsync.
var MbsyncMark = IMAP{Name: "mbsync, marked", Syncs: true, program: "mbsync", pkg: "isync", jobs: syncJobs(mbsync("", "Patterns *"), markTrashed)}

// MbsyncTrash moves what is deleted to Trash on the server.
var MbsyncTrash = IMAP{Name: "mbsync with Trash", Syncs: true, program: "mbsync", pkg: "isync",
	jobs: syncJobs(mbsync("Trash Trash\n", "Patterns * !Trash"), markTrashed)}

func mbsync(trash, patterns string) action {
	return func(ctx context.Context, d desk) (Run, error) {
		config := fmt.Sprintf(`IMAPAccount test
Host %s
Port %s
User %q
Pass %q
SSLType %s
CertificateFile %s
SystemCertificates no

IMAPStore server
Account test
%s
MaildirStore local
Path %s/
Inbox %s
SubFolders Verbatim

Channel all
Far :server:
Near :local:
%s
Create Both
Expunge Both
SyncState *
`, d.Host, d.Port, d.User, d.Password, d.word("IMAPS", "STARTTLS"), d.CAFile, trash, d.file("mail"), d.folder("INBOX"), patterns)
		if err := errors.Join(d.write("mbsyncrc", config), d.age()); err != nil {
			return Run{}, err
		}
		return d.run(ctx, "mbsync", "-c", d.file("mbsyncrc"), "-V", "all")
	}
}

// age makes the Maildirs look unchanged for a while, as they are when a person
// synchronises: mbsync waits a second or more for one that has just changed.
func (d desk) age() error {
	const while = 10 * time.Second
	dirs, err := filepath.Glob(d.file("mail/*/*"))
	for _, dir := range dirs {
		then := time.Now().Add(-while)
		err = errors.Join(err, os.Chtimes(dir, then, then))
	}
	return err
}

// OfflineIMAP synchronises like mbsync, one command at a time. Over STARTTLS
// version 8.0.0 hangs or crashes in one of thirty runs, without a guard, too;
// over implicit TLS it does not.
var OfflineIMAP = IMAP{Name: "offlineimap", Syncs: true, ImplicitOnly: true, program: "offlineimap", pkg: "offlineimap3", jobs: syncJobs(offlineIMAP, removeFile)}

func offlineIMAP(ctx context.Context, d desk) (Run, error) {
	config := fmt.Sprintf(`[general]
accounts = test
metadata = %s
ui = basic
socktimeout = 60

[Account test]
localrepository = local
remoterepository = server

[Repository local]
type = Maildir
localfolders = %s
sep = /

[Repository server]
type = IMAP
remotehost = %s
remoteport = %s
remoteuser = %s
remotepass = %s
sslcacertfile = %s
%s
`, d.file("state"), d.file("mail"), d.Host, d.Port, strings.ReplaceAll(d.User, "%", "%%"), d.Password, d.CAFile,
		d.word("ssl = yes", "ssl = no\nstarttls = yes"))
	if err := d.write("offlineimaprc", config); err != nil {
		return Run{}, err
	}
	return d.run(ctx, "offlineimap", "-c", d.file("offlineimaprc"), "-o")
}
