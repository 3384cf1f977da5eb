package clients

import (
	"context"
	"fmt"
	"os/exec"
)

// Mutt leaves a folder by CLOSE, which removes what was deleted.
var Mutt = IMAP{Name: "mutt", program: "mutt", pkg: "mutt", jobs: muttJobs("mutt", "<quit>y")}

// NeoMutt removes by EXPUNGE, which it sends without waiting for STORE.
var NeoMutt = IMAP{Name: "neomutt", program: "neomutt", pkg: "neomutt", jobs: muttJobs("neomutt", "<sync-mailbox><exit>")}

// NeoMuttQuit leaves a folder as mutt does.
var NeoMuttQuit = IMAP{Name: "neomutt, quit", program: "neomutt", pkg: "neomutt", jobs: muttJobs("neomutt", "<quit>")}

// muttJobs are done by keys. leave is how the person ends the session: where
// the server did not take the changes, mutt asks whether to close anyway, and
// neomutt leaves with <exit>, which asks the server for nothing.
func muttJobs(program, leave string) map[Job]action {
	keys := func(push string) action {
		return func(ctx context.Context, d desk) (Run, error) {
			return d.mutt(ctx, program, d.url("INBOX"), fmt.Sprintf(push, d.subject)+leave)
		}
	}
	const tagged = "<tag-pattern>~s %s<enter><tag-prefix-cond>"
	return map[Job]action{
		Fetch: func(ctx context.Context, d desk) (Run, error) {
			const unread = "<tag-pattern>~U<enter><tag-prefix-cond><copy-message>%s<enter><end-cond><tag-prefix-cond><clear-flag>N<end-cond>"
			return d.mutt(ctx, program, d.url("INBOX"), fmt.Sprintf(unread, d.folder("INBOX"))+leave)
		},
		List: func(ctx context.Context, d desk) (Run, error) {
			if err := d.clear(listed); err != nil {
				return Run{}, err
			}
			const all = "<tag-pattern>~A<enter><tag-prefix-cond><copy-message>%s<enter><end-cond><exit>"
			return d.mutt(ctx, program, d.url("INBOX"), fmt.Sprintf(all, d.file(listed)))
		},
		Flag:   keys(tagged + "<set-flag>!<end-cond>"),
		Delete: keys("<delete-pattern>~s %s<enter>"),
		Copy:   keys(tagged + "<copy-message>=" + Archive + "<enter><end-cond>"),
		Move:   keys(tagged + "<save-message>=" + Archive + "<enter><end-cond>"),
		Upload: func(ctx context.Context, d desk) (Run, error) {
			if err := addFile(d.file("written"), "cur", d.message()); err != nil {
				return Run{}, err
			}
			return d.mutt(ctx, program, d.file("written"), fmt.Sprintf(tagged+"<copy-message>=INBOX<enter><end-cond><exit>", d.subject))
		},
	}
}

func (d desk) url(folder string) string {
	return fmt.Sprintf("%s://%s:%s/%s", d.word("imaps", "imap"), d.Host, d.Port, folder)
}

// mutt opens a folder and types the keys. The program wants a terminal, which
// script gives it; it ends by itself when all keys were read.
func (d desk) mutt(ctx context.Context, program, folder, keys string) (Run, error) {
	config := fmt.Sprintf(`set folder="%s"
set imap_user="%s"
set imap_pass="%s"
set ssl_starttls=yes
set ssl_force_tls=yes
set certificate_file="%s"
set ssl_ca_certificates_file="%[4]s"
set mbox_type=Maildir
set delete=yes
set quit=yes
set move=no
set confirmappend=no
set confirmcreate=no
set wait_key=no
set sleep_time=0
unset mark_old
unset beep
push "%s"
`, d.url(""), d.User, d.Password, d.CAFile, keys)
	if err := d.write("muttrc", config); err != nil {
		return Run{}, err
	}
	if _, err := exec.LookPath("script"); err != nil {
		return Run{}, fmt.Errorf("no script here: apt-get install bsdutils")
	}
	return d.run(ctx, "script", "-qec", quoted(program, "-n", "-F", d.file("muttrc"), "-f", folder), "/dev/null")
}
