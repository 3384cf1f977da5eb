package clients

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"regexp"
	"strings"
)

// Imaplib is the script that people write in Python.
var Imaplib = IMAP{Name: "imaplib", program: "/usr/bin/python3", pkg: "python3",
	jobs: jobs(imaplib, Fetch, Flag, Delete, Copy, Move, Upload, MakeFolder)}

//go:embed imaplib.py
var imaplibScript string

func imaplib(j Job) action {
	return func(ctx context.Context, d desk) (Run, error) {
		if err := d.write("job.py", imaplibScript); err != nil {
			return Run{}, err
		}
		return d.run(ctx, "/usr/bin/python3", d.file("job.py"),
			d.word("implicit", "starttls"), d.CAFile, d.Host, d.Port, d.User, d.Password, d.folder("INBOX"), string(j), d.subject, string(d.message()))
	}
}

// Curl makes one connection for each command.
var Curl = IMAP{Name: "curl", program: "curl", pkg: "curl", jobs: map[Job]action{
	Fetch: curlFetch,
	Flag:  curlEach(`STORE %s +FLAGS (\Seen \Flagged)`),
	Delete: func(ctx context.Context, d desk) (Run, error) {
		r, err := curlEach(`STORE %s +FLAGS (\Deleted)`)(ctx, d)
		if err != nil || r.Exit != 0 {
			return r, err
		}
		return d.curl(ctx, "INBOX", "-X", "EXPUNGE")
	},
	Copy:       curlEach("COPY %s " + Archive),
	Move:       curlEach("MOVE %s " + Archive),
	MakeFolder: func(ctx context.Context, d desk) (Run, error) { return d.curl(ctx, "", "-X", "CREATE "+Archive) },
	Upload: func(ctx context.Context, d desk) (Run, error) {
		if err := d.write("upload", strings.ReplaceAll(string(d.message()), "\n", "\r\n")); err != nil {
			return Run{}, err
		}
		return d.curl(ctx, "INBOX", "-T", d.file("upload"))
	},
}}

// curl sends one request. The password is in a file: others see arguments.
func (d desk) curl(ctx context.Context, path string, args ...string) (Run, error) {
	if err := d.write("curlrc", fmt.Sprintf("user = \"%s:%s\"\n", d.User, d.Password)); err != nil {
		return Run{}, err
	}
	all := append([]string{"-sS", "-K", d.file("curlrc"), "--ssl-reqd", "--cacert", d.CAFile, "--max-time", "60", d.url(path)}, args...)
	return d.run(ctx, "curl", all...)
}

var searched = regexp.MustCompile(`\d+`)

// curlSearch are the message numbers that SEARCH answers.
func (d desk) curlSearch(ctx context.Context, what string) ([]string, Run, error) {
	r, err := d.curl(ctx, "INBOX", "-X", "SEARCH "+what)
	return searched.FindAllString(r.Output, -1), r, err
}

// curlEach sends a command for the message with the subject.
func curlEach(command string) action {
	return func(ctx context.Context, d desk) (Run, error) {
		numbers, r, err := d.curlSearch(ctx, "SUBJECT "+d.subject)
		if err != nil || r.Exit != 0 {
			return r, err
		}
		if len(numbers) != 1 {
			return r, fmt.Errorf("curl found %q for subject %s", numbers, d.subject)
		}
		return d.curl(ctx, "INBOX", "-X", fmt.Sprintf(command, numbers[0]))
	}
}

// curlFetch downloads what is unread, which reads it.
func curlFetch(ctx context.Context, d desk) (Run, error) {
	numbers, r, err := d.curlSearch(ctx, "UNSEEN")
	for _, n := range numbers {
		if err != nil || r.Exit != 0 {
			return r, err
		}
		r, err = d.curl(ctx, "INBOX/;MAILINDEX="+n, "-o", d.file("download"))
		if err == nil && r.Exit == 0 {
			err = d.keep()
		}
	}
	return r, err
}

// keep files what was downloaded.
func (d desk) keep() error {
	text, err := os.ReadFile(d.file("download"))
	if err != nil {
		return err
	}
	return addFile(d.folder("INBOX"), "new", text)
}
