package imap

import (
	"strings"
)

// fuzzSeed is one input of FuzzSession.
type fuzzSeed struct {
	how    byte
	cuts   []byte
	octets []byte
}

const fuzzInFolder = fuzzLoggedIn | fuzzSelected

// fuzzSeeds are the lines of real clients, and attacks: each by itself in several
// states, octet by octet, and all lines of a kind as one session.
func fuzzSeeds() (all []fuzzSeed) {
	add := func(how byte, cuts []byte, text string) {
		all = append(all, fuzzSeed{how, cuts, []byte(strings.NewReplacer("⏎", "\r\n", "␍", "\r", "␊", "\n", "␀", "\x00").Replace(text))})
	}
	for _, session := range fuzzDialogues {
		for _, how := range []byte{fuzzInFolder, fuzzInFolder | fuzzAllows | fuzzMarked, fuzzInFolder | fuzzAllows | fuzzPlain, fuzzInFolder | fuzzAllows | fuzzPlain | fuzzNoUIDPlus} {
			add(how, nil, session)
		}
	}
	for _, attack := range fuzzAttacks {
		add(fuzzInFolder|fuzzMarked|fuzzOldMark, nil, attack)
		add(fuzzInFolder|fuzzMarked|fuzzAllows, []byte{7, 2, 11, 0, 0, 3}, attack)
		add(fuzzInFolder|fuzzAllows|fuzzRefuses, make([]byte, 64), attack)
		add(fuzzInFolder|fuzzPlain|fuzzOldMark|fuzzMarked, nil, attack)
	}
	// An upstream that refuses the literal which an ID becomes, less what is dropped.
	add(fuzzLoggedIn|fuzzMarked|fuzzRefuses, []byte{48}, "1 ID (\"name\" \"Th.0\" \"x-\xe9d\" \"version\" \"153\xb5h\" \"192.0.2.9\")⏎")
	for _, login := range fuzzLogins {
		add(0, nil, login)
		add(fuzzAllows|fuzzPlain|fuzzNoUIDPlus, []byte{3, 3, 3, 3}, login)
	}
	return all
}

// fuzzDialogues are what mail clients were seen to send once they have logged
// in and opened the INBOX: one session of each kind of client.
var fuzzDialogues = []string{
	// Thunderbird
	`1 ID ("name" "Thunderbird" "version" "153.7.0" "x-originating-ip" "192.0.2.9")⏎2 noop⏎3 namespace⏎4 list (subscribed) "" "*" return (special-use)⏎5 select "INBOX"⏎6 UID fetch 1:* (FLAGS)⏎` +
		`7 UID fetch 1:3 (UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS (From To Cc Bcc Subject Date Message-ID Priority X-Priority References Newsgroups In-Reply-To Content-Type Reply-To Received)])⏎` +
		`8 IDLE⏎DONE⏎9 uid store 2 +Flags (\Seen \Deleted)⏎10 uid copy 2 "Trash"⏎11 uid move 1 "Trash"⏎12 uid expunge 2⏎13 expunge⏎14 close⏎`,
	// mbsync, OfflineIMAP
	`A CAPABILITY⏎B LIST "" "*"⏎C SELECT INBOX⏎D UID FETCH 1:4 (UID RFC822.SIZE FLAGS INTERNALDATE BODY.PEEK[HEADER.FIELDS (DATE FROM TO SUBJECT)])⏎E UID FETCH 1 (BODY.PEEK[])⏎F UID FETCH 2 (BODY.PEEK[])⏎G UID FETCH 3 (BODY.PEEK[])⏎` +
		`H UID STORE 1:3 +FLAGS.SILENT (\Deleted)⏎I UID STORE 1 -FLAGS (\Deleted)⏎J CLOSE⏎K EXAMINE "Trash"⏎L CLOSE⏎`,
	// Mutt, NeoMutt
	`a STATUS "Trash" (UIDNEXT UIDVALIDITY UNSEEN RECENT MESSAGES)⏎b FETCH 1:3 (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (DATE FROM SENDER)])⏎c UID COPY 1 "Trash"⏎d UID STORE 1 +FLAGS.SILENT (\Deleted)⏎e EXPUNGE⏎f UID STORE 2:3 +FLAGS.SILENT (Old)⏎g UNSELECT⏎`,
	// fetchmail, getmail, imaplib, fdm
	`a SELECT {5}⏎INBOX⏎b SEARCH UNSEEN UNDELETED⏎c FETCH 1:3 RFC822.SIZE⏎d FETCH 1 RFC822.HEADER⏎e FETCH 1 BODY.PEEK[TEXT]⏎f STORE 1 +FLAGS (\Seen \Deleted)⏎g UID SEARCH CHARSET UTF-8 DELETED⏎h EXPUNGE⏎i FETCH * (RFC822 UID)⏎`,
	// imapfilter, Roundcube, aerc
	`a LIST "" "*" RETURN (STATUS (MESSAGES RECENT UNSEEN))⏎b LIST (SPECIAL-USE) "" "*" RETURN (SUBSCRIBED)⏎c UID SEARCH RETURN (MIN MAX COUNT ALL) OR DELETED NOT UNDELETED⏎d UID STORE 1:* FLAGS (\Deleted \Seen)⏎e UID MOVE 1:2 "Trash"⏎f MOVE 3 Sent⏎g CREATE New⏎h DELETE New⏎i RENAME Trash Old⏎j CHECK⏎`,
	// Uploads
	`a APPEND "Trash" (\Seen \Deleted) "23-Nov-2026 02:10:39 +0000" {31+}⏎From: x⏎Subject: y⏎⏎z EXPUNGE⏎⏎b APPEND INBOX {4}⏎abcd⏎c APPEND INBOX (\Deleted) {2+}⏎ab {3+}⏎abc⏎d APPEND nosuch {11+}⏎z EXPUNGE⏎⏎e APPEND INBOX "bad date" {11+}⏎z EXPUNGE⏎⏎`,
	`u SETACL INBOX x lrswipkxtecda⏎u DELETEACL INBOX x⏎u MYRIGHTS INBOX⏎u SETMETADATA INBOX (/private/comment "x")⏎u SETQUOTA "" (STORAGE 0)⏎u ENABLE CONDSTORE UTF8=ACCEPT⏎u SELECT inbox (CONDSTORE)⏎u COPY 1:4 INBOX⏎u STORE 4:* FLAGS ()⏎u SELECT nosuch⏎u SELECT Trash⏎u STORE 1 +FLAGS \Deleted⏎u EXPUNGE⏎`,
}

// fuzzAttacks end, split and hide commands.
var fuzzAttacks = []string{
	`a NOOP␊b EXPUNGE␊`, `a EXPUNGE␍`, `a EXPUNGE␍␍␊`, `a EXPUNGE ⏎b EXPUNGE 1⏎`, `a NOOP␀⏎b EXPUNGE␀⏎`, `a EXPUNGE`, `⏎⏎␊a EXPUNGE⏎`, `a eXpUnGe⏎`,
	`* EXPUNGE⏎+ EXPUNGE⏎"a" EXPUNGE⏎`, `{11+}⏎z EXPUNGE⏎ NOOP⏎`, `g1 EXPUNGE⏎g1 NOOP⏎`, `OK EXPUNGE⏎BYE NOOP⏎`,
	`u UID SEARCH SUBJECT "x {11+}"⏎z EXPUNGE⏎`, `u UID SEARCH SUBJECT x{11+}⏎z EXPUNGE⏎`, `u UID SEARCH SUBJECT "x\"⏎z EXPUNGE⏎`, `u STORE 1 +FLAGS ("\\Deleted")⏎`,
	`u UID SEARCH SUBJECT {12+}⏎x⏎z EXPUNGE⏎ ALL⏎`, `u CREATE {15+}⏎x⏎z DELETE Trash⏎⏎`, `u STATUS {5}⏎Trash (MESSAGES)⏎`, `u STATUS {11}⏎z EXPUNGE⏎ (MESSAGES)⏎`, `u FOO {11+}⏎z EXPUNGE⏎⏎`, `u FOO {11}⏎z EXPUNGE⏎⏎`,
	`u NOOP {11+}⏎z EXPUNGE⏎⏎`, `u LOGOUT {11+}⏎z EXPUNGE⏎⏎`, `u UID {11+}⏎z EXPUNGE⏎ 2⏎`, `u STATUS {011+}⏎z EXPUNGE⏎ (MESSAGES)⏎`, `u STATUS {18446744073709551627+}⏎z EXPUNGE⏎`, `u STATUS ~{11+}⏎z EXPUNGE⏎ (MESSAGES)⏎`,
	`u STATUS {0+}⏎⏎z EXPUNGE⏎`, `u STATUS {30+}⏎z EXPUNGE⏎`, `u APPEND INBOX {99999999+}⏎z EXPUNGE⏎`, `u APPEND INBOX UTF8 (~{5+}⏎abcde)⏎z EXPUNGE⏎`, `u APPEND INBOX ~{3+}⏎a␀b⏎z EXPUNGE⏎`, `u APPEND INBOX {2+}⏎ab z EXPUNGE⏎`,
	`s UID SEARCH RETURN (SAVE) ALL⏎a UID EXPUNGE $⏎b STORE $ +FLAGS (\Deleted)⏎c UID MOVE $ Trash⏎`, `a UID EXPUNGE *:1⏎b UID EXPUNGE 4294967295:1⏎c UID STORE *:1 +FLAGS (\DELETED)⏎`, `a STORE 1 (UNCHANGEDSINCE 4294967295) +FLAGS (\Deleted)⏎`,
	`a STORE 1:* +FLAGS (\Deleted)⏎b EXPUNGE⏎c STORE 1:* +FLAGS (\Deleted)⏎d CLOSE⏎`, `a EXAMINE INBOX⏎b STORE 1:* +FLAGS (\Deleted)⏎c EXPUNGE⏎d UID MOVE 1:* Trash⏎e CLOSE⏎`, `a IDLE⏎b EXPUNGE⏎c IDLE⏎DONE⏎d EXPUNGE⏎`, `a IDLE⏎{11+}⏎z EXPUNGE⏎⏎`,
	`a MOVE 1 {5}⏎Trash⏎b MOVE 1 "Tr\\ash"⏎c MOVE 1 INBOX⏎d UID MOVE 1:* inbox⏎e XMOVE 1 Trash⏎`, `a COMPRESS DEFLATE⏎b EXPUNGE⏎`, `a REPLACE 1 INBOX {4+}⏎abcd⏎b NOTIFY NONE⏎c UNAUTHENTICATE⏎`,
	`a DELETE INBOX⏎b DELETE inbox/x⏎c RENAME INBOX Old⏎d DELETE Trash/⏎e DELETE "shared/x"⏎f RENAME shared y⏎g CREATE "INBOX/"⏎h DELETE &AFQ-rash⏎`, `a UID FETCH 1:* (FLAGS UID BODY[]<0.5> BODY[1] BINARY[]) (CHANGEDSINCE 1)⏎`, `a STARTTLS⏎b LOGIN x y⏎c AUTHENTICATE PLAIN⏎`,
	`a STORE 1 +FLAGS (` + strings.Repeat(`\Seen `, 50) + `\Deleted)⏎`, `a UID SEARCH ` + strings.Repeat("NOT ", 300) + `DELETED⏎`, `a SEARCH ` + strings.Repeat(`SUBJECT {3+}⏎a⏎b `[:0]+`OR DELETED `, 100) + `ALL⏎`, `a FETCH ` + strings.Repeat("1,", 500) + `2 (BODY[HEADER.FIELDS.NOT ("x y" {3+}⏎a⏎)])⏎`,
	`a LIST "" {3+}⏎a"b RETURN (STATUS (MESSAGES))⏎b LSUB "a b" %⏎c STATUS "&-" (UIDNEXT)⏎d SUBSCRIBE {2+}⏎⏎⏎`, strings.Repeat("n NOOP⏎", 150) + "a EXPUNGE⏎",
}

// fuzzLogins come in by every door.
var fuzzLogins = []string{
	`a LOGIN ` + fuzzBox + ` pw⏎b SELECT INBOX⏎c STORE 1:* +FLAGS (\Deleted)⏎d EXPUNGE⏎`,
	`a LOGIN {20}⏎` + fuzzBox + ` {2+}⏎pw⏎b SELECT INBOX⏎c UID MOVE 1:* Trash⏎`,
	`a LOGIN "` + fuzzBox + `#alice" "p\w"⏎b LOGIN "` + fuzzBox + `#alice" "pw"⏎b CAPABILITY⏎c IDLE⏎DONE⏎`,
	`a AUTHENTICATE PLAIN⏎AGIwMDAwMDAwQGV4YW1wbGUuY29tAHB3⏎b SELECT INBOX⏎`,
	`a AUTHENTICATE PLAIN AGIwMDAwMDAwQGV4YW1wbGUuY29tAHB3⏎b SELECT INBOX⏎c EXPUNGE⏎`,
	`a AUTHENTICATE LOGIN⏎YjAwMDAwMDBAZXhhbXBsZS5jb20=⏎cHc=⏎b NOOP⏎`, `a AUTHENTICATE PLAIN⏎*⏎b AUTHENTICATE XOAUTH2 =⏎c NOOP⏎`,
	`a SELECT INBOX⏎b EXPUNGE⏎`, `a STARTTLS⏎b ID NIL⏎c LOGIN nobody@example.com x⏎d LOGOUT⏎e EXPUNGE⏎`, `a LOGIN ` + fuzzBox + ` {12+}⏎pw⏎z EXPUNGE⏎`,
	`u STATUS {30+}⏎z`, `a LOGIN {30}⏎z`,
}
