package integration

import (
	"bytes"
	"compress/flate"
	"strings"
)

// expunge are the commands of somebody who wants all to go.
const expunge = `x SELECT INBOX⏎y UID STORE 1:* +FLAGS (\Deleted)⏎z EXPUNGE⏎`

// loginAttempts come in by another door, or under another name.
var loginAttempts = []attempt{
	{"before login", beforeLogin, 0, `a SELECT INBOX⏎b EXPUNGE⏎c UID EXPUNGE 1:*⏎`},
	{"LOGIN and commands in one packet", beforeLogin, deadly, `a LOGIN «user» «password»⏎` + expunge},
	{"LOGIN, name in capitals", beforeLogin, deadly, `a LOGIN «USER» «password»⏎⌛` + expunge},
	{"LOGIN, quoted name with backslashes", beforeLogin, deadly, `a LOGIN "\«user»" "\«password»"⏎⌛` + expunge},
	{"LOGIN, literal name", beforeLogin, deadly, `a LOGIN «user+» «password+»⏎⌛` + expunge},
	{"LOGIN, synchronizing literal name", beforeLogin, deadly, `a LOGIN «user?» «password»⏎⌛` + expunge},
	{"LOGIN, literal name with a NUL", beforeLogin, deadly, `a LOGIN «user␀+» «password»⏎⌛` + expunge},
	{"LOGIN, quoted name with a NUL", beforeLogin, 0, `a LOGIN "«user»␀x" «password»⏎⌛` + expunge},
	{"LOGIN, blank behind the name", beforeLogin, 0, `a LOGIN "«user» " «password»⏎⌛` + expunge},
	{"LOGIN, blank before the name", beforeLogin, 0, `a LOGIN " «user»" «password»⏎⌛` + expunge},
	{"LOGIN without a member", beforeLogin, deadly, `a LOGIN «box» «password»⏎⌛` + expunge},
	{"LOGIN as a member nobody knows", beforeLogin, 0, `a LOGIN «box»#nobody «password»⏎⌛` + expunge},
	{"LOGIN as two members", beforeLogin, 0, `a LOGIN «box»#alice#bob «password»⏎⌛` + expunge},
	{"LOGIN as an empty member", beforeLogin, 0, `a LOGIN «box»# «password»⏎⌛` + expunge},
	{"LOGIN, name without its domain", beforeLogin, 0, `a LOGIN «w» «password»⏎⌛` + expunge},
	{"LOGIN, dot behind the domain", beforeLogin, 0, `a LOGIN «box». «password»⏎⌛` + expunge},
	{"LOGIN, a master user's form", beforeLogin, 0, `a LOGIN «box»*«neighbour» «password»⏎⌛` + expunge},
	{"a bare CR before login", beforeLogin, 0, `␍a LOGIN «user» «password»⏎` + expunge},
	{"LOGIN, percent for at", beforeLogin, 0, `a LOGIN «w»%example.com «password»⏎⌛` + expunge},
	{"LOGIN with a bare LF", beforeLogin, deadly, `a LOGIN «user» «password»␊x SELECT INBOX␊y UID STORE 1:* +FLAGS (\Deleted)␊z EXPUNGE␊`},
	{"LOGIN and a bare CR", beforeLogin, 0, `a LOGIN «user» «password»␍` + expunge},
	{"LOGIN, a line end in the name", beforeLogin, 0, `a LOGIN {21+}⏎x⏎a LOGIN «w» secre «password»⏎⌛` + expunge},
	{"LOGIN, commands as the password", beforeLogin, 0, `a LOGIN «user» ` + lit(expunge) + `⏎`},
	{"LOGIN, too large a literal", beforeLogin, 0, `a LOGIN {99999999+}⏎` + expunge},
	{"LOGIN twice", selected, deadly, `a LOGIN «neighbour» «password»⏎` + lit(`z EXPUNGE⏎`) + `⏎`},
	{"LOGIN as the neighbour, then here", beforeLogin, 0, `a LOGIN «neighbour» «password»⏎⌛b LOGIN «user» «password»⏎⌛` + expunge},
	{"LOGIN fails, then works", beforeLogin, deadly, `a LOGIN «user» wrong⏎⌛b LOGIN «user» «password»⏎⌛` + expunge},
	{"AUTHENTICATE PLAIN", beforeLogin, deadly, `a AUTHENTICATE PLAIN «plain»⏎⌛` + expunge},
	{"AUTHENTICATE PLAIN, asked", beforeLogin, deadly, `a AUTHENTICATE PLAIN⏎⌛«plain»⏎⌛` + expunge},
	{"AUTHENTICATE PLAIN, all in one packet", beforeLogin, deadly, `a AUTHENTICATE PLAIN⏎«plain»⏎` + expunge},
	{"AUTHENTICATE PLAIN, answer with a bare LF", beforeLogin, deadly, `a AUTHENTICATE PLAIN⏎⌛«plain»␊⌛` + expunge},
	{"AUTHENTICATE LOGIN", beforeLogin, deadly, `a AUTHENTICATE LOGIN⏎⌛«user64»⏎⌛«password64»⏎⌛` + expunge},
	{"AUTHENTICATE, mechanism in lower case", beforeLogin, deadly, `a authenticate plain «plain»⏎⌛` + expunge},
	{"AUTHENTICATE, quoted mechanism", beforeLogin, 0, `a AUTHENTICATE "PLAIN" «plain»⏎⌛` + expunge},
	{"AUTHENTICATE, literal mechanism", beforeLogin, 0, `a AUTHENTICATE ` + lit(`PLAIN`) + ` «plain»⏎⌛` + expunge},
	{"AUTHENTICATE, a login as the mechanism", beforeLogin, deadly, `a AUTHENTICATE {33+}⏎b LOGIN «box» «password»⏎⌛` + expunge},
	{"AUTHENTICATE PLAIN with an authorization identity", beforeLogin, deadly, `a AUTHENTICATE PLAIN «plain as»⏎⌛` + expunge},
	{"AUTHENTICATE PLAIN as the neighbour", beforeLogin, 0, `a AUTHENTICATE PLAIN «plain as neighbour»⏎⌛` + expunge},
	{"AUTHENTICATE PLAIN, neighbour as this mailbox", beforeLogin, 0, `a AUTHENTICATE PLAIN «neighbour as plain»⏎⌛` + expunge},
	{"AUTHENTICATE PLAIN, NUL in the password", beforeLogin, 0, `a AUTHENTICATE PLAIN «plain␀»⏎⌛` + expunge},
	{"AUTHENTICATE PLAIN, line ends inside", beforeLogin, 0, `a AUTHENTICATE PLAIN «plain⏎»⏎⌛` + expunge},
	{"AUTHENTICATE cancelled", beforeLogin, deadly, `a AUTHENTICATE PLAIN⏎⌛*⏎⌛b LOGIN «user» «password»⏎⌛` + expunge},
	{"AUTHENTICATE, a command as the answer", beforeLogin, deadly, `a AUTHENTICATE PLAIN⏎⌛b LOGIN «user» «password»⏎⌛c LOGIN «user» «password»⏎⌛` + expunge},
	{"AUTHENTICATE, mechanisms nobody offers", beforeLogin, 0, `a AUTHENTICATE ANONYMOUS⏎⌛b AUTHENTICATE EXTERNAL =⏎⌛` + expunge},
	{"AUTHENTICATE with channel binding", beforeLogin, 0, `a AUTHENTICATE SCRAM-SHA-256-PLUS cD10bHMtdW5pcXVlLCxuPXgscj15⏎⌛` + expunge},
	{"AUTHENTICATE with a security layer", beforeLogin, 0, `a AUTHENTICATE GSSAPI⏎⌛b AUTHENTICATE DIGEST-MD5⏎⌛` + expunge},
	{"AUTHENTICATE after login", marked, deadly, `a AUTHENTICATE PLAIN⏎z EXPUNGE⏎`},
	{"UNAUTHENTICATE", marked, deadly, `a UNAUTHENTICATE⏎b LOGIN «neighbour» «password»⏎z EXPUNGE⏎`},
	{"ID with keys that servers trust", beforeLogin, deadly, `a ID ("x-originating-ip" "127.0.0.1" "x-proxy-ttl" "9" "x-session-id" "z")⏎⌛b LOGIN «user» «password»⏎⌛` + expunge},
	{"XCLIENT", beforeLogin, deadly, `a XCLIENT ADDR=127.0.0.1⏎⌛b LOGIN «user» «password»⏎⌛` + expunge},
	{"a request of the web", beforeLogin, 0, "POST / HTTP/1.1⏎Host: localhost⏎Content-Length: 99⏎⏎a LOGIN «user» «password»⏎" + expunge},
	{"a request of the web, two lines", beforeLogin, deadly, "GET / HTTP/1.1⏎Host: x⏎a LOGIN «user» «password»⏎" + expunge},
	{"commands of POP3 and SMTP", beforeLogin, 0, `USER «user»⏎PASS «password»⏎EHLO x⏎` + bad(30)},
	{"deep nesting before login", beforeLogin, 0, `a NOOP ` + strings.Repeat("(", 5_000) + `⏎`},
	{"half a login", beforeLogin, 0, `a LOGIN «user» «password»■`},
}

// clearAttempts happen where TLS has not begun.
var clearAttempts = []attempt{
	{"LOGIN in clear", inClear, deadly, `a LOGIN «user» «password»⏎⌛` + expunge},
	{"AUTHENTICATE in clear", inClear, deadly, `a AUTHENTICATE PLAIN «plain»⏎⌛` + expunge},
	{"STARTTLS and a login in one packet", inClear, 0, `a STARTTLS⏎b LOGIN «user» «password»⏎` + expunge},
	{"STARTTLS and a login in two packets", inClear, 0, `a STARTTLS⏎‖b LOGIN «user» «password»⏎` + expunge},
	{"STARTTLS with a bare LF and a login", inClear, 0, `a STARTTLS␊b LOGIN «user» «password»␊` + expunge},
	{"STARTTLS and a login after the OK", inClear, 0, `a STARTTLS⏎⌛b LOGIN «user» «password»⏎` + expunge + `■`},
	{"STARTTLS with an argument", inClear, 0, `a STARTTLS now⏎⌛b LOGIN «user» «password»⏎` + expunge},
	{"STARTTLS with a literal", inClear, 0, `a STARTTLS ` + lit(`b LOGIN x y⏎`) + `⏎`},
	{"STARTTLS and half a command", inClear, 0, `a STARTTLS⏎b LOGIN «user»■`},
	{"an empty line behind STARTTLS", inClear, 0, `a STARTTLS⏎⏎■`},
	{"STARTTLS after login", marked, deadly, `a STARTTLS⏎z EXPUNGE⏎`},
}

// raceAttempts use a second session, or what is on its way.
var raceAttempts = []attempt{
	{"one marks, another expunges", selected, deadly | usable, `a STORE 1 +FLAGS (\Deleted)⏎⌛②b EXPUNGE⏎⌛①`},
	{"one marks, another closes", selected, deadly | usable, `a STORE 1 +FLAGS.SILENT (\Deleted)⏎⌛②b CLOSE⏎⌛①`},
	{"one marks, another expunges that UID", selected, deadly | usable, `a STORE 1 +FLAGS (\Deleted)⏎⌛②b UID EXPUNGE 1⏎⌛①`},
	{"both mark and expunge at once", selected, deadly | usable, `a STORE 1:* +FLAGS (\Deleted)⏎b EXPUNGE⏎②c STORE 1:* +FLAGS (\Deleted)⏎d EXPUNGE⏎⌛①`},
	{"two MOVEs of one message", selected, deadly | usable, `a UID MOVE 1 Trash⏎②b UID MOVE 1 Team⏎⌛①`},
	{"two MOVEs of the starred message", selected, deadly | usable | frees, `a UID MOVE 2 Trash⏎②b UID MOVE 2 Team⏎⌛①`},
	{"two expunge the starred message", marked, deadly | usable | frees, `a UID EXPUNGE 2⏎②b UID STORE 2 +FLAGS (\Deleted)⏎c UID EXPUNGE 2⏎⌛①`},
	{"MOVE and EXPUNGE", marked, deadly | usable, `a UID MOVE 1:* Trash⏎②b UID STORE 1:* +FLAGS (\Deleted)⏎c EXPUNGE⏎⌛①`},
	{"numbers change under a STORE", marked, deadly | usable, `a UID EXPUNGE 2⏎②b STORE 2 +FLAGS (\Deleted)⏎⌛c EXPUNGE⏎⌛①`},
	{"numbers change under a MOVE", marked, deadly | usable, `a UID EXPUNGE 2⏎b MOVE 2 Trash⏎c MOVE 2 Trash⏎`},
	{"numbers of before an EXPUNGE, in one packet", marked, deadly | usable | frees, `a EXPUNGE⏎b STORE 3 +FLAGS (\Deleted)⏎c EXPUNGE⏎d STORE 2 +FLAGS (\Deleted)⏎e EXPUNGE⏎`},
	{"STORE and EXPUNGE behind a long answer", selected, deadly | usable, strings.Repeat(`f UID FETCH 1:* BODY.PEEK[]⏎`, 50) + `a UID STORE 1:* +FLAGS (\Deleted)⏎b EXPUNGE⏎`},
	{"EXPUNGE behind SEARCH", marked, deadly | usable | frees, `a UID SEARCH DELETED⏎b EXPUNGE⏎c UID SEARCH ALL⏎`},
	{"IDLE and EXPUNGE instead of DONE", marked, 0, `a IDLE⏎⌛b EXPUNGE⏎⌛`},
	{"IDLE and EXPUNGE behind DONE", marked, deadly | usable | frees, `a IDLE⏎⌛DONE⏎b EXPUNGE⏎`},
	{"IDLE, DONE and EXPUNGE in one packet", marked, deadly | usable | frees, `a IDLE⏎DONE⏎b EXPUNGE⏎`},
	{"IDLE, done with a bare LF", marked, deadly, `a IDLE⏎⌛done␊b EXPUNGE⏎`},
	{"IDLE, DONE with an argument", marked, 0, `a IDLE⏎⌛DONE x⏎⌛b NOOP⏎`},
	{"IDLE while another MOVEs", selected, deadly | usable, `a IDLE⏎⌛②b UID MOVE 1 Trash⏎⌛①DONE⏎`},
	{"IDLE and a literal", marked, deadly, `a IDLE⏎⌛` + lit(`z EXPUNGE⏎`) + `⏎`},
	{"IDLE before SELECT", loggedIn, deadly | usable, `a IDLE⏎⌛DONE⏎` + expunge},
	{"the end in the middle of a pipeline", selected, 0, `a STORE 1:* +FLAGS (\Deleted)⏎b NOOP⏎c EXPUNGE■`},
	{"another session is logged out beside", marked, deadly | usable | frees, `②b LOGOUT⏎①a EXPUNGE⏎`},
	{"hundreds of commands in one packet", marked, deadly, strings.Repeat(`n NOOP⏎`, 700) + `a EXPUNGE⏎`},
	{"hundreds of marks on and off", selected, deadly, strings.Repeat(`a STORE 1 +FLAGS (\Deleted)⏎b STORE 1 -FLAGS (\Deleted)⏎`, 100) + `c STORE 1 +FLAGS (\Deleted)⏎d EXPUNGE⏎`},
}

// extensionAttempts use what Dovecot offers or others would, and what blinds a
// proxy.
var extensionAttempts = []attempt{
	{"COMPRESS and a compressed EXPUNGE", marked, deadly, `a COMPRESS DEFLATE⏎⌛` + deflated("b EXPUNGE\r\n") + `■`},
	{"COMPRESS and a compressed EXPUNGE at once", marked, deadly, `a COMPRESS DEFLATE⏎` + deflated("b EXPUNGE\r\n") + `■`},
	{"COMPRESS and EXPUNGE in clear", marked, 0, `a COMPRESS DEFLATE⏎b EXPUNGE⏎`},
	{"NOTIFY", loggedIn, deadly, `a NOTIFY SET (selected (MessageNew MessageExpunge FlagChange)) (personal (MessageNew MessageExpunge))⏎` + expunge},
	{"SETACL gives rights away", loggedIn, deadly, `a SETACL INBOX stranger@example.com lrswipkxtecda⏎`},
	{"SETACL takes rights away", loggedIn, deadly, `a SETACL INBOX «neighbour» ""⏎`},
	{"DELETEACL", loggedIn, deadly, `a DELETEACL INBOX «neighbour»⏎`},
	{"SETACL of a NUL's name", loggedIn, deadly, `a SETACL ` + lit(`INBOX␀x`) + ` stranger@example.com lrswipkxtecda⏎`},
	{"SETQUOTA", loggedIn, 0, `a SETQUOTA "User quota" (STORAGE 0)⏎`},
	{"SETMETADATA of an expiry", marked, 0, `a SETMETADATA INBOX (/shared/vendor/cmu/cyrus-imapd/expire "1")⏎b SETMETADATA "" (/shared/vendor/vendor.dovecot/x ` + lit(`z EXPUNGE⏎`) + `)⏎`},
	{"SETANNOTATION", marked, deadly, `a SETANNOTATION INBOX "/vendor/cmu/cyrus-imapd/expire" ("value.shared" ` + lit(`z EXPUNGE⏎`) + `)⏎`},
	{"GETMETADATA with a literal", marked, 0, `a GETMETADATA INBOX (` + lit(`z EXPUNGE⏎`) + `)⏎`},
	{"CONVERT, ESEARCH, FILTER", marked, deadly, `a ESEARCH IN (mailboxes INBOX) RETURN (ALL) ALL⏎b UID SEARCH FILTER x⏎c UID CONVERT 1⏎z EXPUNGE⏎`},
	{"commands of Cyrus", loggedIn, 0, `a LOCALDELETE Team⏎b XFER Team elsewhere⏎c UNDUMP Team ("x")⏎d RECONSTRUCT Team⏎e XKILLMY x⏎f XWARMUP INBOX⏎`},
	{"commands of Cyrus with literals", marked, deadly, `a UNDUMP Team (` + lit(`z EXPUNGE⏎`) + `)⏎`},
	{"commands nobody knows", marked, deadly, `a X-EXPUNGE⏎b XEXPUNGE ALL⏎c PURGE⏎d X⏎z EXPUNGE⏎`},
	{"XLIST and XAPPLEPUSHSERVICE", marked, deadly, `a XLIST "" *⏎b XAPPLEPUSHSERVICE "aps-version" "2" mailboxes (INBOX)⏎z EXPUNGE⏎`},
	{"commands of Gmail", selected, 0, `a STORE 1 +X-GM-LABELS (\Trash)⏎b STORE 1 -X-GM-LABELS (\Inbox)⏎`},
	{"STATUS with items nobody knows", marked, deadly, `a STATUS INBOX (DELETED FOO)⏎z EXPUNGE⏎`},
	{"URLFETCH and GENURLAUTH", marked, deadly, `a GENURLAUTH "imap://x/INBOX/;UID=1" INTERNAL⏎b RESETKEY⏎z EXPUNGE⏎`},
	{"SEARCH nested deeply", marked, deadly, `a UID SEARCH ` + strings.Repeat("(", 3_000) + `ALL⏎z EXPUNGE⏎`},
	{"SEARCH of many ORs", marked, deadly, `a UID SEARCH ` + strings.Repeat("OR ALL ", 8_000) + `ALL⏎z EXPUNGE⏎`},
	{"SEARCH of many NOTs", marked, deadly, `a UID SEARCH ` + strings.Repeat("NOT ", 15_000) + `ALL⏎z EXPUNGE⏎`},
	{"FETCH of twenty thousand elements", marked, deadly, `a UID FETCH ` + strings.Repeat("1,", 20_000) + `2 FLAGS⏎z EXPUNGE⏎`},
	{"FETCH nested deeply", marked, 0, `a UID FETCH 1 ` + strings.Repeat("(", 60_000) + `⏎`},
	{"LIST that returns the status of a literal", marked, 0, `a LIST "" ` + lit(`z EXPUNGE⏎`) + ` RETURN (STATUS (MESSAGES))⏎`},
	{"LIST with an open option", marked, deadly, `a LIST (SUBSCRIBED "" *⏎z EXPUNGE⏎`},
	{"ENABLE of everything", marked, deadly, `a ENABLE CONDSTORE QRESYNC UTF8=ACCEPT IMAP4rev2 UIDONLY⏎⌛z EXPUNGE⏎`},
	{"bad commands without end", marked, 0, bad(60) + `z EXPUNGE⏎`},
	{"bad commands, then a good one", marked, deadly, bad(5) + `z EXPUNGE⏎`},
	{"a UNIX mailbox of one's own making", loggedIn, 0, `a CREATE "INBOX␀x"⏎b CREATE ` + lit(`INBOX␀x`) + `⏎c CREATE INBOX⏎d CREATE inbox/x⏎e DELETE inbox/x⏎`},
	{"SUBSCRIBE with a line end", loggedIn, 0, `a SUBSCRIBE ` + lit(`x⏎z DELETE Team⏎`) + `⏎b UNSUBSCRIBE INBOX⏎`},
	{"FETCH by PARTIAL and UIDONLY", marked, deadly, `a UID FETCH 1:* (FLAGS) (PARTIAL 1:2)⏎b ENABLE UIDONLY⏎z EXPUNGE⏎`},
}

// deflated is what a client sends after COMPRESS DEFLATE (RFC 4978).
func deflated(text string) string {
	var all bytes.Buffer
	w, _ := flate.NewWriter(&all, flate.BestCompression) // the level is a good one
	_, _ = w.Write([]byte(text))                         // a buffer takes everything
	_ = w.Flush()
	return all.String()
}
