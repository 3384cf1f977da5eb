package clients

import (
	"fmt"
	"path/filepath"
)

// Fetchmail as it is by default: what was fetched is deleted. Its exit status
// 1 says that there was no mail.
var Fetchmail = Client{Name: "fetchmail", Deletes: true, NoMail: 1, program: "fetchmail", pkg: "fetchmail", prepare: fetchmail("", "")}

// FetchmailKeep leaves mail on the server and remembers unique-ids.
var FetchmailKeep = Client{Name: "fetchmail keep", NoMail: 1, program: "fetchmail", pkg: "fetchmail", prepare: fetchmail("keep", "uidl")}

// script delivers a message into the Maildir: fetchmail has no Maildir of its
// own, and getmail delivers into none as root.
func script(dir string) string {
	return fmt.Sprintf("f=$(mktemp -u %[1]s/tmp/XXXXXXXXXX) && cat >$f && mv $f %[1]s/new/", filepath.Join(dir, "mail"))
}

func fetchmail(keep, uidl string) func(string, Account) (string, []string) {
	return func(dir string, a Account) (string, []string) {
		tls := ""
		if a.Implicit {
			tls = "ssl"
		}
		config := fmt.Sprintf(`set no bouncemail
poll %s protocol POP3 port %s no dns %s
  user %q password %q %s sslproto "TLS1.2+" sslcertck sslcertfile %q %s
  mda %q
`, a.Host, a.Port, uidl, a.User, a.Password, tls, a.CAFile, keep, script(dir))
		return config, []string{"-f", filepath.Join(dir, "config"), "-i", filepath.Join(dir, "ids"), "--pidfile", filepath.Join(dir, "pid")}
	}
}

// Mpop with keep off: it pipelines RETR and DELE.
var Mpop = Client{Name: "mpop", Deletes: true, program: "mpop", pkg: "mpop", prepare: func(dir string, a Account) (string, []string) {
	starttls := "on"
	if a.Implicit {
		starttls = "off"
	}
	config := fmt.Sprintf(`account test
host %s
port %s
user %s
password %s
tls on
tls_starttls %s
tls_trust_file %s
keep off
delivery maildir %s
uidls_file %s
`, a.Host, a.Port, a.User, a.Password, starttls, a.CAFile, filepath.Join(dir, "mail"), filepath.Join(dir, "uidls"))
	return config, []string{"-C", filepath.Join(dir, "config"), "test"}
}}

// Getmail deletes what it has fetched.
var Getmail = Client{Name: "getmail", Deletes: true, program: "getmail", pkg: "getmail6", prepare: getmail("true")}

// GetmailKeep leaves mail on the server and remembers unique-ids.
var GetmailKeep = Client{Name: "getmail keep", program: "getmail", pkg: "getmail6", prepare: getmail("false")}

func getmail(deletes string) func(string, Account) (string, []string) {
	return func(dir string, a Account) (string, []string) {
		kind := "SimplePOP3Retriever\nuse_peek = false\n" // STLS
		if a.Implicit {
			kind = "SimplePOP3SSLRetriever\n"
		}
		config := fmt.Sprintf(`[retriever]
type = %sserver = %s
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
delete = %s
read_all = %s
delivered_to = false
received = false
`, kind, a.Host, a.Port, a.User, a.Password, a.CAFile, script(dir), deletes, deletes)
		return config, []string{"--getmaildir", dir, "--rcfile", filepath.Join(dir, "config")}
	}
}

// Poplib is the loop that people write in Python: RETR and DELE, then QUIT.
var Poplib = Client{Name: "poplib", Deletes: true, program: "/usr/bin/python3", pkg: "python3", prepare: func(dir string, a Account) (string, []string) {
	return fmt.Sprintf(`
import os, poplib, ssl, sys
context = ssl.create_default_context(cafile=%q)
if %s:
    box = poplib.POP3_SSL(%q, %s, context=context, timeout=60)
else:
    box = poplib.POP3(%[3]q, %[4]s, timeout=60)
    box.stls(context=context)
box.user(%[5]q)
box.pass_(%[6]q)
for line in box.list()[1]:
    number = line.split()[0].decode()
    text = b"\n".join(box.retr(number)[1]) + b"\n"
    name = os.urandom(8).hex()
    with open(os.path.join(%[7]q, "new", name), "wb") as f:
        f.write(text)
    box.dele(number)
box.quit()
`, a.CAFile, pythonBool(a.Implicit), a.Host, a.Port, a.User, a.Password, filepath.Join(dir, "mail")), []string{filepath.Join(dir, "config")}
}}

func pythonBool(b bool) string {
	if b {
		return "True"
	}
	return "False"
}
