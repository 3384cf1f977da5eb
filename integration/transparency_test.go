package integration

import (
	"crypto/tls"
	"sync"
	"testing"

	"mailguard/demo/dovecot"
	"mailguard/integration/imapconn"
)

// everything switches on all that Dovecot 2.3 can do over IMAP.
const everything = `
mail_plugins = acl quota zlib notify
imap_metadata = yes
mail_attribute_dict = file:%h/dovecot-attributes
imap_urlauth_host = mail.example.com
protocol imap {
  mail_plugins = $mail_plugins imap_acl imap_quota imap_zlib
}
plugin {
  acl = vfile
  quota = maildir:User quota
  quota_rule = *:storage=100M
  quota_rule2 = Trash:storage=+10M
}
namespace inbox {
  inbox = yes
  separator = /
  mailbox Drafts {
    special_use = \Drafts
    auto = create
  }
  mailbox Trash {
    special_use = \Trash
    auto = subscribe
  }
  mailbox Sent {
    special_use = \Sent
  }
}
namespace archive {
  prefix = Archive/
  separator = /
  location = maildir:~/archive
}
`

// For a mailbox that policy cannot touch the guard answers as the server behind
// it does, but for what testdata/transparency/differences.txt says.
func TestTransparency(t *testing.T) {
	direct, behind := startEverything(t), startEverything(t)
	g := startGuard(t, behind.POP3(), options{imap: behind.IMAP()})
	config := &tls.Config{RootCAs: g.roots, ServerName: "localhost"}
	compare(t, readDifferences(t), dialer(t, direct.IMAP(), nil), dialer(t, g.imaps, config))
}

// Two sessions with equal Dovecots are equal: then a difference that the guard
// makes is the guard's.
func TestTransparencyOfNothing(t *testing.T) {
	left, right := startEverything(t), startEverything(t)
	compare(t, nil, dialer(t, left.IMAP(), nil), dialer(t, right.IMAP(), nil))
}

func startEverything(t *testing.T) *dovecot.Server {
	t.Helper()
	return startDovecot(t, func(o *dovecot.Options) { o.Extra = everything })
}

// compare plays the script to both sides at once. Only the expected differences
// may be seen on the right, and all of them must be.
func compare(t *testing.T, expected []*difference, left, right func() (*imapconn.Conn, error)) {
	t.Helper()
	steps := readScript(t)
	var plays [2][]played
	var errs [2]error
	var both sync.WaitGroup
	for i, dial := range []func() (*imapconn.Conn, error){left, right} {
		both.Go(func() { plays[i], errs[i] = (&scriptPlayer{dial: dial}).play(steps) })
	}
	both.Wait()
	for i, err := range errs {
		if err != nil {
			t.Errorf("the %s side: %v", []string{"left", "right"}[i], err)
		}
	}
	for _, d := range differences(plays[0], plays[1], expected) {
		t.Error(d)
	}
	t.Logf("%d commands", commands(plays[0]))
}

// dialer dials an address in clear, or with TLS.
func dialer(t *testing.T, address string, config *tls.Config) func() (*imapconn.Conn, error) {
	return func() (*imapconn.Conn, error) { return imapconn.Dial(t.Context(), address, config) }
}
