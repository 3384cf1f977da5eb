package clients

import (
	"context"
	"fmt"
	"path/filepath"
)

// FetchmailIMAP deletes what it has fetched, and expunges after each message.
var FetchmailIMAP = IMAP{Name: "fetchmail over IMAP", Deletes: true, NoMail: 1, program: "fetchmail", pkg: "fetchmail",
	jobs: map[Job]action{Fetch: fetchmailIMAP("")}}

// FetchmailIMAPKeep leaves mail on the server and marks it as read.
var FetchmailIMAPKeep = IMAP{Name: "fetchmail over IMAP, keep", NoMail: 1, program: "fetchmail", pkg: "fetchmail",
	jobs: map[Job]action{Fetch: fetchmailIMAP("keep")}}

func fetchmailIMAP(keep string) action {
	return func(ctx context.Context, d desk) (Run, error) {
		config := fmt.Sprintf(`set no bouncemail
poll %s protocol IMAP port %s no dns
  user %q password %q %s sslproto "TLS1.2+" sslcertck sslcertfile %q %s
  mda %q
`, d.Host, d.Port, d.User, d.Password, d.word("ssl", ""), d.CAFile, keep, scriptInto(d.folder("INBOX")))
		if err := d.write("fetchmailrc", config); err != nil {
			return Run{}, err
		}
		return d.run(ctx, "fetchmail", "-f", d.file("fetchmailrc"), "-i", d.file("ids"), "--pidfile", d.file("pid"))
	}
}

// scriptInto delivers a message into a Maildir.
func scriptInto(maildir string) string {
	return fmt.Sprintf("f=$(mktemp -u %[1]s/tmp/XXXXXXXXXX) && cat >$f && mv $f %[1]s/new/", filepath.Clean(maildir))
}

// GetmailIMAP deletes what it has fetched: it replaces all flags of a message
// by \Seen and \Deleted, and ends with EXPUNGE and CLOSE. It has no STARTTLS.
var GetmailIMAP = IMAP{Name: "getmail over IMAP", Deletes: true, ImplicitOnly: true, program: "getmail", pkg: "getmail6",
	jobs: map[Job]action{Fetch: getmailIMAP}}

func getmailIMAP(ctx context.Context, d desk) (Run, error) {
	config := fmt.Sprintf(`[retriever]
type = SimpleIMAPSSLRetriever
server = %s
port = %s
username = %s
password = %s
ca_certs = %s

[destination]
type = MDA_external
path = /bin/sh
arguments = ("-c", "%s")
allow_root_commands = true

[options]
delete = true
read_all = true
delivered_to = false
received = false
`, d.Host, d.Port, d.User, d.Password, d.CAFile, scriptInto(d.folder("INBOX")))
	if err := d.write("getmailrc", config); err != nil {
		return Run{}, err
	}
	return d.run(ctx, "getmail", "--getmaildir", d.dir, "--rcfile", d.file("getmailrc"))
}
