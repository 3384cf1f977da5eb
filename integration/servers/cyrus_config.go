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
servername: mail.example.com
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
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: /etc/sasldb2
`

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

// administrator makes the mailboxes. Where a name has no domain Cyrus looks
// for it under the server's name.
const administrator = "cyrus"

// configure writes all that Cyrus reads but for the ports.
func (c *Cyrus) configure() error {
	if err := c.root.mkdir("var/lib/cyrus/db", "var/lib/cyrus/socket", "var/spool/cyrus", "run/cyrus/proc", "run/cyrus/lock"); err != nil {
		return err
	}
	if err := c.root.write("etc/imapd.conf", []byte(imapdConf)); err != nil {
		return err
	}
	c.secret = rand.Text()
	users := append([]User{{Name: administrator + "@mail.example.com", Password: c.secret}}, c.options.Users...)
	for _, u := range users {
		name, domain, _ := strings.Cut(u.Name, "@")
		_, err := c.root.run(strings.NewReader(u.Password), saslPassword, "-p", "-c", "-f", "/etc/sasldb2", "-u", domain, name)
		if err != nil {
			return fmt.Errorf("a password for %s: %w", u.Name, err)
		}
	}
	return nil
}

func (c *Cyrus) writePorts() error {
	return c.root.write("etc/cyrus.conf", fmt.Appendf(nil, cyrusConf, c.ports["imap"], c.ports["pop3"]))
}
