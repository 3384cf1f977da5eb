package servers

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"strings"
)

// authdaemonrc tells Courier's authentication daemon where passwords are.
const authdaemonrc = `authmodulelist="authuserdb"
authmodulelistorig="authuserdb"
daemons=2
authdaemonvar=/run/courier/authdaemon
DEBUG_LOGIN=0
DEFAULTOPTIONS=""
`

// courierSettings are Debian's, but for IMAP_ENHANCEDIDLE: IDLE tells of news
// at once, and not within a minute.
var courierSettings = []string{
	"IMAP_CAPABILITY=IMAP4rev1 UIDPLUS CHILDREN NAMESPACE THREAD=ORDEREDSUBJECT THREAD=REFERENCES SORT QUOTA IDLE",
	"IMAP_KEYWORDS=1",
	"IMAP_ACL=1",
	"IMAP_CHECK_ALL_FOLDERS=0",
	"IMAP_OBSOLETE_CLIENT=0",
	"IMAP_MAILBOX_SANITY_CHECK=1",
	"IMAP_USELOCKS=1",
	"IMAP_ENHANCEDIDLE=1",
	"IMAP_TRASHFOLDERNAME=Trash",
	"IMAP_EMPTYTRASH=Trash:7",
	"IMAP_MOVE_EXPUNGE_TO_TRASH=0",
	"IMAP_SHAREDINDEXFILE=/etc/courier/shared/index",
	"IMAP_UMASK=022",
	"POP3AUTH=PLAIN LOGIN",
	"IMAP_IDLE_TIMEOUT=60",
}

// hiddenGamServer is where imapd does not find it: imapd would start one that
// leaves our process groups, and outlives the server.
const hiddenGamServer = "/usr/sbin/gam_server"

// configure writes all that Courier reads.
func (c *Courier) configure() error {
	if err := os.Rename(c.root.path(gamServer), c.root.path(hiddenGamServer)); err != nil {
		return err
	}
	if err := c.root.write("etc/courier/authdaemonrc", []byte(authdaemonrc)); err != nil {
		return err
	}
	if err := c.root.mkdir("run/courier/authdaemon"); err != nil {
		return err
	}
	var accounts, secrets strings.Builder
	for _, u := range c.options.Users {
		home := "/" + home(u.Name)
		fmt.Fprintf(&accounts, "%s\tuid=%d|gid=%d|home=%s|mail=%s/Maildir|_=\n", u.Name, nobody, nobody, home, home)
		sum := sha256.Sum256([]byte(u.Password))
		fmt.Fprintf(&secrets, "%s\tsystempw={SHA256}%s\n", u.Name, base64.StdEncoding.EncodeToString(sum[:]))
		for _, folder := range []string{"cur", "new", "tmp"} {
			if err := c.root.mkdir(home[1:] + "/Maildir/" + folder); err != nil {
				return err
			}
		}
	}
	for name, lines := range map[string]string{"userdb": accounts.String(), "userdbshadow": secrets.String()} {
		path := "/etc/courier/" + name
		// Its input ends with a dot on a line of its own.
		if _, err := c.root.run(strings.NewReader(lines+".\n"), courierAuth+"makedatprog", "-", path+".tmp", path+".dat"); err != nil {
			return err
		}
	}
	return nil
}

func home(user string) string { return "var/mail/" + user }
