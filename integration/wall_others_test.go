package integration

import (
	"context"
	"strings"
	"testing"
	"time"

	"mailguard/integration/imapconn"
)

// otherAttempt is an attempt that other servers than Dovecot take in their own
// way. «keep» is a folder beside INBOX.
type otherAttempt struct {
	attempt
	deadlyOn string // the servers on which it removes, marks or changes something where no guard is
}

const both = "Cyrus Courier"

// otherAttempts are those that Cyrus or Courier executes and Dovecot does not,
// or each in a way of its own.
var otherAttempts = []otherAttempt{
	// Line ends, blanks, NUL, tags.
	{attempt{"bare LF", marked, 0, `a EXPUNGE␊`}, both},
	{attempt{"bare CR at the end of the stream", marked, 0, `a EXPUNGE␍■`}, ""},
	{attempt{"CR CR LF", marked, 0, `a EXPUNGE␍␍␊`}, "Courier"},
	{attempt{"NUL behind", marked, 0, `a EXPUNGE␀⏎`}, both},
	{attempt{"NUL before", marked, 0, `␀a EXPUNGE⏎`}, "Courier"},
	{attempt{"NUL behind CLOSE", marked, 0, `a CLOSE␀⏎`}, both},
	{attempt{"TAB between", marked, 0, `a␉EXPUNGE⏎`}, "Courier"},
	{attempt{"two blanks", marked, 0, `a  EXPUNGE⏎`}, "Courier"},
	{attempt{"blank before", marked, 0, ` a EXPUNGE⏎`}, "Courier"},
	{attempt{"two blanks in UID EXPUNGE", marked, 0, `a UID  EXPUNGE 2⏎`}, "Courier"},
	{attempt{"blank behind", marked, 0, `a EXPUNGE ⏎`}, "Courier"},
	{attempt{"an argument", marked, 0, `a EXPUNGE 1⏎`}, ""},
	{attempt{"tag +", marked, 0, `+ EXPUNGE⏎`}, both},
	{attempt{"tag *", marked, 0, `* EXPUNGE⏎`}, "Courier"},
	{attempt{"half a line", marked, 0, `a EXPUNGE■`}, ""},
	{attempt{"half a CLOSE", marked, 0, `a CLOSE■`}, ""},
	{attempt{"a long line, the command in the next", marked, 0, `a NOOP ` + strings.Repeat("x", 9000) + `⏎z EXPUNGE⏎`}, both},
	{attempt{"a long line in pieces", marked, 0, strings.Repeat("x", 8190) + ` z EXPUNGE⏎`}, ""},

	// Literals: Courier knows no {n+} at all.
	{attempt{"{n+} in STATUS", marked, 0, `u STATUS ` + lit(`z EXPUNGE⏎`) + ` (MESSAGES)⏎`}, "Courier"},
	{attempt{"{n+} in SEARCH", marked, 0, `u UID SEARCH SUBJECT ` + lit(`z EXPUNGE⏎`) + `⏎`}, "Courier"},
	{attempt{"{n+} in ID", marked, 0, `u ID ("name" ` + lit(`z EXPUNGE⏎`) + `)⏎`}, "Courier"},
	{attempt{"{n+} in EXAMINE", marked, 0, `u EXAMINE ` + lit(`z UID EXPUNGE 2⏎`) + `⏎`}, ""},
	{attempt{"{n+} in CREATE", marked, 0, `u CREATE ` + lit(`z EXPUNGE⏎`) + `⏎`}, "Courier"},
	{attempt{"{n+} in COPY", marked, 0, `u COPY 1 ` + lit(`z EXPUNGE⏎`) + `⏎`}, "Courier"},
	{attempt{"{n+} in UID MOVE", marked, 0, `u UID MOVE 1 ` + lit(`z EXPUNGE⏎`) + `⏎`}, "Courier"},
	{attempt{"{n+} in FETCH", marked, 0, `u FETCH 1 BODY[HEADER.FIELDS (` + lit(`z EXPUNGE⏎`) + `)]⏎`}, "Courier"},
	{attempt{"{n+} in APPEND", marked, 0, `u APPEND INBOX ` + lit(`z EXPUNGE⏎`) + `⏎`}, "Courier"},
	{attempt{"{n+} in APPEND to a folder that is not there", marked, 0, `u APPEND nosuchbox ` + lit(`z EXPUNGE⏎`) + `⏎`}, "Courier"},
	{attempt{"{n} in APPEND to a folder that is not there, at once", marked, 0, `u APPEND nosuchbox ` + ask(`z EXPUNGE⏎`) + `⏎`}, both},
	{attempt{"a bad date in APPEND, {n+}", marked, 0, `u APPEND INBOX "32-Foo-2026 00:00:00 +0000" ` + lit(`z EXPUNGE⏎`) + `⏎`}, "Courier"},
	{attempt{"~{n+} in APPEND", marked, 0, `u APPEND INBOX ` + lit8(`z EXPUNGE⏎`) + `⏎`}, "Courier"},
	{attempt{"two blanks before {n+}", marked, 0, `u APPEND INBOX  ` + lit(`z EXPUNGE⏎`) + `⏎`}, "Courier"},
	{attempt{"CATENATE", marked, 0, `u APPEND INBOX CATENATE (TEXT ` + lit(`z EXPUNGE⏎`) + `)⏎`}, "Courier"},
	{attempt{"{n+} behind an unknown command", marked, 0, `u FOO ` + lit(`z EXPUNGE⏎`) + `⏎`}, "Courier"},
	{attempt{"{n+} behind NOOP", marked, 0, `u NOOP ` + lit(`z EXPUNGE⏎`) + `⏎`}, "Courier"},
	{attempt{"{n+} ended by a bare LF", marked, 0, `u STATUS {11+}␊z EXPUNGE⏎ (MESSAGES)⏎`}, both},
	{attempt{"{n+} as a set", marked, 0, `u FETCH ` + lit(`z EXPUNGE⏎`) + ` FLAGS⏎`}, both},
	{attempt{"{n+} in ENABLE", marked, 0, `u ENABLE ` + lit(`z EXPUNGE⏎`) + `⏎`}, both},
	{attempt{"a size beyond numbers, {n}", marked, 0, `u APPEND INBOX {99999999999}⏎z EXPUNGE⏎`}, "Cyrus"},
	{attempt{"a size beyond numbers, {n+}", marked, 0, `u APPEND INBOX {99999999999+}⏎z EXPUNGE⏎`}, both},
	{attempt{"a size above 64 bits", marked, 0, `u STATUS {18446744073709551628+}⏎z EXPUNGE⏎`}, "Courier"},
	{attempt{"minus sign", marked, 0, `u STATUS {-1+}⏎z EXPUNGE⏎`}, both},
	{attempt{"blank before the size", marked, 0, `u STATUS { 11+}⏎z EXPUNGE⏎`}, both},
	{attempt{"LITERAL- sign", marked, 0, `u STATUS {11-}⏎z EXPUNGE⏎`}, both},
	{attempt{"leading zero", marked, 0, `u STATUS {011+}⏎z EXPUNGE⏎ (MESSAGES)⏎`}, "Courier"},
	{attempt{"an open quote", marked, 0, `u UID SEARCH SUBJECT "x⏎z EXPUNGE⏎`}, both},
	{attempt{"an open quote before a literal", marked, 0, `u UID SEARCH SUBJECT "a{11+}⏎z EXPUNGE⏎`}, both},
	{attempt{"NUL in a literal", marked, 0, `u STATUS ` + lit(`INBOX␀x⏎z EXPUNGE⏎`) + ` (MESSAGES)⏎`}, "Courier"},

	// What removes: as everywhere, and in ways that Dovecot does not know.
	{attempt{"EXPUNGE", marked, usable, `a EXPUNGE⏎`}, both},
	{attempt{"EXPUNGE of somebody else's mark", selected, usable, `a EXPUNGE⏎`}, both},
	{attempt{"CLOSE", marked, usable, `a CLOSE⏎`}, both},
	{attempt{"UNSELECT", marked, usable, `a UNSELECT⏎`}, ""},
	{attempt{"STORE", selected, usable, `a STORE 1 +FLAGS (\Deleted)⏎`}, both},
	{attempt{"STORE in capitals", selected, usable, `a STORE 1 FLAGS.SILENT (\DELETED)⏎`}, both},
	{attempt{"UID EXPUNGE", marked, usable, `a UID EXPUNGE 2:3⏎`}, both},
	{attempt{"UID EXPUNGE down to 0", marked, 0, `a UID EXPUNGE 3:0⏎`}, "Cyrus"},
	{attempt{"UID EXPUNGE of a reversed range", marked, usable, `a UID EXPUNGE 4294967295:1⏎`}, "Cyrus"},
	{attempt{"UID EXPUNGE of *", marked, usable, `a UID EXPUNGE 3:*⏎`}, both},
	{attempt{"MOVE", selected, usable, `a MOVE 1 «keep»⏎`}, "Cyrus"},
	{attempt{"UID MOVE", selected, usable, `a UID MOVE 1:* «keep»⏎`}, "Cyrus"},
	{attempt{"MOVE to itself", selected, usable, `a MOVE 1 INBOX⏎`}, "Cyrus"},
	{attempt{"MOVE to an alias of the folder", selected, 0, `a UID MOVE 1 «keep»/⏎`}, "Cyrus"},
	{attempt{"XMOVE", selected, 0, `a XMOVE 1 «keep»⏎`}, "Cyrus"},
	{attempt{"UID XMOVE", selected, 0, `a UID XMOVE 1:* «keep»⏎`}, "Cyrus"},
	{attempt{"COPY, mark and CLOSE in one packet", selected, 0, `a UID COPY 1:* «keep»⏎b UID STORE 1:* +FLAGS.SILENT (\Deleted)⏎c CLOSE⏎`}, both},
	{attempt{"upload with \\Deleted", selected, usable, `a APPEND INBOX (\Deleted) ` + ask("⌛"+mailText) + `⏎`}, both},
	{attempt{"REPLACE", selected, 0, `u REPLACE 1 INBOX ` + lit(mailText) + `⏎`}, ""},
	{attempt{"EXAMINE, then everything", examined, usable, `a STORE 1:* +FLAGS (\Deleted)⏎b EXPUNGE⏎c UID EXPUNGE 1:*⏎d UID MOVE 1 «keep»⏎e XMOVE 1 «keep»⏎f CLOSE⏎`}, ""},
	{attempt{"RENAME INBOX", selected, usable, `a RENAME INBOX «keep»2⏎`}, "Cyrus"},
	{attempt{"RENAME INBOX before SELECT", loggedIn, 0, `a RENAME INBOX «keep»2⏎`}, ""}, // imapd dies of it
	{attempt{"RENAME inbox in mixed case", selected, usable, `a RENAME "iNbOx" «keep»2⏎`}, "Cyrus"},
	{attempt{"RENAME INBOX under an alias", selected, 0, `a RENAME INBOX/ «keep»2⏎b RENAME /INBOX «keep»2⏎`}, ""},
	{attempt{"RENAME INBOX by its full name", loggedIn, 0, `a RENAME "user/«user»" «keep»2⏎b RENAME "Other Users/«user»" «keep»2⏎`}, ""},
	{attempt{"DELETE INBOX", loggedIn, usable, `a DELETE INBOX⏎b DELETE inbox⏎`}, ""},
	{attempt{"DELETE INBOX under an alias", loggedIn, 0, `a DELETE INBOX/⏎b DELETE /INBOX⏎c DELETE INBOX.⏎d LOCALDELETE INBOX⏎`}, ""},

	// What makes the server remove later, hide, or let others remove.
	{attempt{"SETMETADATA expire", loggedIn, 0, `a SETMETADATA INBOX (/shared/vendor/cmu/cyrus-imapd/expire "1")⏎`}, "Cyrus"},
	{attempt{"SETMETADATA expire, literal value", selected, 0, `a SETMETADATA INBOX (/shared/vendor/cmu/cyrus-imapd/expire ` + ask(`⌛1`) + `)⏎`}, "Cyrus"},
	{attempt{"SETMETADATA expire, in mixed case", selected, 0, `a SETMETADATA INBOX (/Shared/Vendor/CMU/cyrus-imapd/Expire "1")⏎`}, "Cyrus"},
	{attempt{"SETMETADATA expire behind a comment", selected, 0, `a SETMETADATA INBOX (/shared/comment "x" /shared/vendor/cmu/cyrus-imapd/expire "1")⏎`}, "Cyrus"},
	{attempt{"SETMETADATA pop3showafter", loggedIn, 0, `a SETMETADATA INBOX (/shared/vendor/cmu/cyrus-imapd/pop3showafter "01-Jan-2030 00:00:00 +0000")⏎`}, "Cyrus"},
	{attempt{"SETMETADATA archive", loggedIn, 0, `a SETMETADATA INBOX (/shared/vendor/cmu/cyrus-imapd/archive "1")⏎`}, "Cyrus"},
	{attempt{"SETMETADATA delete", loggedIn, 0, `a SETMETADATA INBOX (/shared/vendor/cmu/cyrus-imapd/delete "1")⏎`}, "Cyrus"},
	{attempt{"SETMETADATA sharedseen", loggedIn, 0, `a SETMETADATA INBOX (/shared/vendor/cmu/cyrus-imapd/sharedseen "true")⏎`}, "Cyrus"},
	{attempt{"SETMETADATA sieve", loggedIn, 0, `a SETMETADATA INBOX (/shared/vendor/cmu/cyrus-imapd/sieve "x")⏎`}, "Cyrus"},
	{attempt{"SETANNOTATION expire", loggedIn, 0, `a SETANNOTATION INBOX "/vendor/cmu/cyrus-imapd/expire" ("value.shared" "1")⏎`}, ""},
	{attempt{"SETACL", loggedIn, 0, `a SETACL INBOX «neighbour» lrswipkxtecda⏎`}, both},
	{attempt{"SETACL for anyone", loggedIn, 0, `a SETACL INBOX anyone lrswipkxtecda⏎`}, both},
	{attempt{"DELETEACL", loggedIn, 0, `a DELETEACL INBOX «user»⏎`}, ""},
	{attempt{"SETQUOTA", loggedIn, 0, `a SETQUOTA INBOX (STORAGE 1)⏎`}, ""},

	// Extensions that are Cyrus' own, and those that Courier lacks.
	{attempt{"COMPRESS, then in clear", marked, 0, `a COMPRESS DEFLATE⏎z EXPUNGE⏎`}, both},
	{attempt{"IDLE, DONE and EXPUNGE in one packet", marked, 0, `a IDLE⏎DONE⏎z EXPUNGE⏎■`}, both}, // Cyrus sleeps on it until the end,
	{attempt{"IDLE ended by EXPUNGE", marked, 0, `a IDLE⏎⌛z EXPUNGE⏎y EXPUNGE⏎`}, both},
	{attempt{"SEARCH RETURN (SAVE), UID EXPUNGE $", marked, 0, `s UID SEARCH RETURN (SAVE) ALL⏎a UID EXPUNGE $⏎`}, ""},
	{attempt{"SCAN", marked, 0, `a SCAN "" * 0 x⏎b EXPUNGE⏎`}, both},
	{attempt{"UNAUTHENTICATE", marked, 0, `a UNAUTHENTICATE⏎b EXPUNGE⏎`}, both},
	{attempt{"XWARMUP, XRUNANNOTATOR, XKILLMY", marked, 0, `a XWARMUP INBOX (ALL)⏎b XRUNANNOTATOR 1:*⏎c XKILLMY INBOX⏎d LOCALCREATE «keep»3⏎`}, ""},
	{attempt{"XFER", loggedIn, 0, `a XFER INBOX other.example.com⏎`}, ""},
	{attempt{"DUMP and UNDUMP", loggedIn, 0, `a DUMP INBOX⏎b UNDUMP INBOX ()⏎`}, ""},
	{attempt{"RECONSTRUCT", loggedIn, 0, `a RECONSTRUCT INBOX RECURSIVE⏎`}, ""},
	{attempt{"replication", loggedIn, 0, `a SYNCRESTART⏎b SYNCAPPLY UNMAILBOX INBOX⏎c SYNCAPPLY UNUSER «user»⏎`}, ""},
	{attempt{"nine unknown commands", marked, usable, bad(9)}, ""},
	{attempt{"twelve unknown commands", marked, 0, bad(12) + `z EXPUNGE⏎`}, "Cyrus"},
	{attempt{"CONDSTORE and QRESYNC", loggedIn, 0, `q ENABLE QRESYNC CONDSTORE⏎a SELECT INBOX (QRESYNC (1 1))⏎b UID STORE 1:* +FLAGS (\Deleted)⏎c EXPUNGE⏎`}, "Cyrus"},
	{attempt{"a second member's EXPUNGE", marked, usable, `a NOOP⏎⌛②b EXPUNGE⏎⌛①`}, both},
	{attempt{"commands behind LOGIN", beforeLogin, 0, `a LOGIN «user» «password»⏎b SELECT INBOX⏎c STORE 1:* +FLAGS (\Deleted)⏎d EXPUNGE⏎`}, "Cyrus"},
	{attempt{"a name in {n+} at LOGIN", beforeLogin, 0, `a LOGIN «user+» «password»⏎⌛b SELECT INBOX⏎⌛c STORE 1:* +FLAGS (\Deleted)⏎⌛d CLOSE⏎`}, "Cyrus"},
	{attempt{"capitals and a percent sign in the name", beforeLogin, 0, `a LOGIN "«USER»" «password»⏎⌛b SELECT INBOX⏎⌛c STORE 1:* +FLAGS (\Deleted)⏎⌛d CLOSE⏎`}, "Cyrus"},
	{attempt{"somebody else's authorization identity", beforeLogin, 0, `a AUTHENTICATE PLAIN⏎⌛«neighbour as plain»⏎⌛b SELECT INBOX⏎⌛c STORE 1:* +FLAGS (\Deleted)⏎⌛d CLOSE⏎`}, ""},
	{attempt{"one's own identity for somebody else", beforeLogin, 0, `a AUTHENTICATE PLAIN⏎⌛«plain as neighbour»⏎⌛b SELECT INBOX⏎⌛c STORE 1:* +FLAGS (\Deleted)⏎⌛d CLOSE⏎`}, "Courier"},
}

// An attack that harms nobody anyway proves nothing. Sent to Cyrus and Courier
// themselves, each does what is said of it.
func TestTheAttacksWorkOnOthers(t *testing.T) {
	for name := range otherStarts {
		t.Run(name, func(t *testing.T) {
			s := buildOther(t, name, otherAttempts)
			harmful := 0
			for i, o := range directlyAt(s).playOthers(s) {
				a := otherAttempts[i]
				harm := beyondPrelude(a.attempt, o.harm)
				if len(harm) > 0 {
					harmful++
				}
				if deadly := strings.Contains(a.deadlyOn, name); deadly != (len(harm) > 0) {
					t.Errorf("%s: said to be deadly: %t; what it did: %q, %v\n%s", a.name, deadly, harm, o.fault, o.transcript)
				}
			}
			t.Logf("%d of %d attempts do harm where no guard is", harmful, len(otherAttempts))
		})
	}
}

// The wall, in front of Cyrus and of Courier: whatever a client sends, no
// message is missing or marked, nothing tells the server to remove it later or
// lets somebody else do it, and the connection is usable or was closed with a
// reason.
func TestWallOnOthers(t *testing.T) {
	for name := range otherStarts {
		t.Run(name, func(t *testing.T) {
			s := buildOther(t, name, otherAttempts)
			outcomes := through(guardOthers(t, s)).playOthers(s)
			for i, a := range otherAttempts {
				t.Run(a.name, func(t *testing.T) {
					if err := outcomes[i].fault; err != nil {
						t.Error(err)
					}
					for _, h := range append(outcomes[i].harm, s.harm(i)...) { // then, and now
						t.Error(h)
					}
					if t.Failed() {
						t.Log(steps(a.script), "\n", outcomes[i].transcript)
					}
				})
			}
		})
	}
}

// guardOthers puts a guard in front of the server. Each attempt's mailbox is
// shared, its neighbour's is not.
func guardOthers(t *testing.T, s *otherStage) *guard {
	t.Helper()
	return startGuard(t, s.POP3(), options{
		imap: s.IMAP(),
		// The list of mailboxes ends where the policy begins. Carol never comes: else
		// what two attackers have deleted would go, since everyone was done with it.
		policy: `  - {match: "w*@example.com", shared: true, members: [alice, bob, carol]}
  - {match: "n*@example.com", shared: false}
policy: {mode: enforce}`,
		extra: "limits: {connections: 2000}",
	})
}

// directlyAt attacks the server itself.
func directlyAt(s *otherStage) *target {
	dial := func() (*imapconn.Conn, error) { return imapconn.Dial(context.Background(), s.IMAP(), nil) }
	return &target{
		dial: dial, clear: dial,
		login:    func(mailbox, _ string) string { return mailbox },
		patience: 5 * time.Second, // a loaded machine must not make an attempt look harmless
	}
}
