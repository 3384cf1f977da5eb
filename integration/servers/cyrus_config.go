package servers

import (
	"crypto/rand"
	"fmt"
	"strings"
)

// imapdConf is Cyrus' configuration. What is unusual in it:
//   - expunged messages lose their files at once, because the files are the judge;
//   - users have a domain, and the administrator has none;
//   - a wrong password costs nothing, and POP3 may be polled at will.
const imapdConf = `configdirectory: /var/lib/cyrus
defaultpartition: default
partition-default: /var/spool/cyrus
proc_path: /run/cyrus/proc
mboxname_lockpath: /run/cyrus/lock
lmtpsocket: /run/cyrus/lmtp
idlesocket: /run/cyrus/idle
notifysocket: /run/cyrus/notify
servername: ` + serverName + `
cyrus_user: cyrus
cyrus_group: mail
admins: cyrus
virtdomains: userid
defaultdomain: internal.example
unixhierarchysep: yes
altnamespace: yes
allowplaintext: yes
expunge_mode: immediate
delete_mode: immediate
popminpoll: 0
failedloginpause: 0
sasl_mech_list: PLAIN LOGIN
sasl_pwcheck_method: saslauthd
sasl_saslauthd_path: /` + saslauthd + `
`

const serverName = "mail.example.com"

const cyrusConf = `START {
  recover cmd="` + cyrusBin + `ctl_cyrusdb -r"
}
SERVICES {
  imap cmd="imapd" listen="127.0.0.1:%d" proto="tcp4" prefork=1
  pop3 cmd="pop3d" listen="127.0.0.1:%d" proto="tcp4" prefork=0
}
DAEMON {
  idled cmd="idled"
}
EVENTS {
}
`

// administrator makes the mailboxes.
const administrator = "cyrus"

// configure writes all that Cyrus reads but for the ports.
func (c *Cyrus) configure() error {
	if err := c.root.mkdir("var/lib/cyrus/db", "var/lib/cyrus/socket", "var/spool/cyrus", "run/cyrus/proc", "run/cyrus/lock"); err != nil {
		return err
	}
	if err := c.root.write("etc/imapd.conf", []byte(imapdConf)); err != nil {
		return err
	}
	var err error
	c.secret = rand.Text()
	c.passwords, err = answerPasswords(c.root, c.right)
	return err
}

// right reports whether a password is the user's. Cyrus has made the name
// canonical, and looks for a name without a domain under the server's own name.
func (c *Cyrus) right(name, password string) bool {
	local, domain, _ := strings.Cut(name, "@")
	if local == administrator && (domain == "" || domain == serverName) {
		return password == c.secret
	}
	return password != "" && password == c.options.password(name)
}

func (c *Cyrus) writePorts() error {
	return c.root.write("etc/cyrus.conf", fmt.Appendf(nil, cyrusConf, c.ports["imap"], c.ports["pop3"]))
}
