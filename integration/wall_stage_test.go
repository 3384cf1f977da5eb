package integration

import (
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mailguard/demo/dovecot"
	"mailguard/proxy/proxytest"
)

// stageConfig makes of Dovecot what offers an attacker most: access rights,
// quota, metadata, compression, other people's folders, the same folders under
// a hidden second name; and a record of all that changes. A process serves many
// sessions, one after the other: starting one for each takes longer than the
// attempts.
const stageConfig = `
mail_plugins = $mail_plugins notify mail_log acl quota
protocol imap {
  mail_plugins = $mail_plugins imap_acl imap_quota imap_zlib
}
service imap {
  service_count = 100
}
imap_metadata = yes
mail_attribute_dict = file:%h/attributes
plugin {
  mail_log_events = delete undelete expunge save copy mailbox_delete mailbox_rename flag_change
  mail_log_fields = uid box msgid flags
  acl = vfile
  acl_defaults_from_inbox = yes
  quota = maildir:User quota
  quota_rule = *:storage=100M
}
namespace inbox {
  inbox = yes
  separator = /
  mailbox Trash {
    special_use = \Trash
  }
}
namespace shared {
  type = shared
  separator = /
  prefix = shared/%%n/
  location = maildir:%%h/Maildir
  subscriptions = no
  list = children
}
namespace alias {
  separator = /
  prefix = Alias/
  alias_for =
  hidden = yes
  list = no
}
`

// props are the messages in each attempt's mailbox. Message 2 is starred;
// message 3 carries \Deleted from before the guard's time: any EXPUNGE that
// slips through takes it.
var props = []prop{
	{"", "1", "S"}, {"", "2", "FS"}, {"", "3", "T"}, {"", "4", ""}, {"", "5", "S"},
	{".Trash", "6", "S"}, {".Team", "7", "S"}, {".Team.Plans", "8", "S"},
}

// prop is a message: its folder as Maildir names it, its number, its flags.
type prop struct{ folder, number, flags string }

func (p prop) file() string { return fmt.Sprintf("170000000%s.M%sP1.wall", p.number, p.number) }

// explains reports whether a file with \Deleted is a prop (which is judged for
// itself), or a copy of the one that had the mark before: Dovecot's copies keep
// the flags of what they are copies of. text is the message.
func (p prop) explains(file, text string) bool {
	inPlace := strings.HasPrefix(file, filepath.Join(p.folder, "cur", p.file()))
	return inPlace || strings.Contains(p.flags, "T") && strings.Contains(text, "<"+p.number+"@")
}

// stage is a Dovecot with a mailbox for each attempt: they need not wait for
// each other, and what Dovecot logs can be told apart.
type stage struct {
	*dovecot.Server
	roots *x509.CertPool // its certificate's
	boxes []stageBox     // one more than there are attempts, for settled
}

// stageBox is the mailbox of one attempt, and a neighbour who sees it.
type stageBox struct{ name, dir, rights string }

func (b stageBox) user() string      { return b.name + "@example.com" }
func (b stageBox) neighbour() string { return "n" + b.name[1:] + "@example.com" }

// build runs Dovecot with n mailboxes, all alike.
func build(t *testing.T, n int) *stage {
	t.Helper()
	cert, key, ca := proxytest.WriteCert(t, t.TempDir())
	s := &stage{roots: x509.NewCertPool()}
	pem, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	s.roots.AppendCertsFromPEM(pem)
	s.Server = startDovecot(t, func(o *dovecot.Options) {
		o.Extra, o.TLS = stageConfig, &dovecot.Files{Cert: cert, Key: key}
		for i := range n + 1 {
			b := stageBox{name: fmt.Sprintf("w%03d", i)}
			s.boxes = append(s.boxes, b)
			o.Users = append(o.Users, dovecot.User{Name: b.user(), Password: password}, dovecot.User{Name: b.neighbour(), Password: password})
		}
	})
	for i := range s.boxes {
		b := &s.boxes[i]
		b.dir = filepath.Join(s.Dir(), "mail", b.user(), "Maildir")
		b.rights = fmt.Sprintf("user=%s lrwstipekxa\n", b.neighbour())
		if err := b.fill(); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// fill puts the props and the neighbour's rights into the Maildir.
func (b stageBox) fill() error {
	if err := b.write("dovecot-acl", b.rights); err != nil {
		return err
	}
	for _, p := range props {
		text := fmt.Sprintf("From: customer@example.net\nSubject: %s\nMessage-ID: <%s@%s>\n\nPlease see to it.\n", p.number, p.number, b.name)
		for _, folder := range []string{"", "cur", "new", "tmp"} {
			if err := b.mkdir(filepath.Join(p.folder, folder)); err != nil {
				return err
			}
		}
		if err := b.write(filepath.Join(p.folder, "cur", p.file()+":2,"+p.flags), text); err != nil {
			return err
		}
	}
	return nil
}

func (b stageBox) mkdir(path string) error {
	if err := os.MkdirAll(filepath.Join(b.dir, path), 0o755); err != nil {
		return err
	}
	return b.give(path)
}

func (b stageBox) write(path, text string) error {
	if err := os.WriteFile(filepath.Join(b.dir, path), []byte(text), 0o600); err != nil {
		return err
	}
	return b.give(path)
}

// give makes Dovecot's account the owner.
func (b stageBox) give(path string) error {
	uid, gid, err := owner(b.dir)
	if err != nil || os.Getuid() != 0 {
		return err
	}
	return os.Chown(filepath.Join(b.dir, path), uid, gid)
}

// words are the names that scripts use; login is how a member's login name is
// written.
func (b stageBox) words(login func(box, member string) string) *strings.Replacer {
	user := login(b.user(), "alice")
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	cut := user + "\x00x"
	return strings.NewReplacer("«user»", user, "«USER»", strings.ToUpper(user), "«password»", password,
		"«user+»", lit(user), "«user?»", fmt.Sprintf("{%d}\r\n⌛%s", len(user), user),
		"«user␀+»", fmt.Sprintf("{%d+}\r\n%s", len(cut), cut), "«password+»", lit(password),
		"«plain»", encode("\x00"+user+"\x00"+password), "«user64»", encode(user), "«password64»", encode(password),
		"«plain as»", encode(b.user()+"\x00"+user+"\x00"+password),
		"«plain as neighbour»", encode(b.neighbour()+"\x00"+user+"\x00"+password),
		"«neighbour as plain»", encode(b.user()+"\x00"+b.neighbour()+"\x00"+password),
		"«plain␀»", encode("\x00"+user+"\x00"+password+"\x00z EXPUNGE"), "«plain⏎»", encode("\x00"+user+"\r\nz\x00"+password+"\r\nz EXPUNGE"),
		"«box»", b.user(), "«w»", b.name, "«W»", strings.ToUpper(b.name), "«n»", "n"+b.name[1:], "«neighbour»", b.neighbour())
}
