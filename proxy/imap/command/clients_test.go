package command

// clientLines are commands as mail clients were seen to send them: aerc, Claws
// Mail, curl, fdm, fetchmail, getmail, imapfilter, Python's imaplib, mbsync,
// Mutt, NeoMutt, OfflineIMAP, Roundcube, Thunderbird. A line end in one is that
// of a literal.
var clientLines = []string{
	`LOGOUT`, `CAPABILITY`, `NAMESPACE`, `namespace`, `IDLE`, `CLOSE`, `EXPUNGE`, `expunge`, `CHECK`, `noop`,
	`AUTHENTICATE PLAIN`, `authenticate PLAIN`, `AUTHENTICATE PLAIN AHU5AHB3`,
	`LOGIN "u9" "pw"`, `LOGIN u9 "pw"`, "LOGIN {2}\nu3 {2}\npw",
	`SELECT INBOX`, `SELECT "INBOX"`, `select "INBOX"`, "SELECT {5}\nINBOX", `EXAMINE INBOX`, `select "Trash"`,
	`ID ("name" "Thunderbird" "version" "153.7.0")`, `ENABLE UTF8=ACCEPT`,
	`LIST "" "*"`, `LIST "" ""`, `list "" "INBOX"`, `list "" "Trash/*"`, `LIST (SUBSCRIBED) "" "*"`,
	`LIST (SPECIAL-USE) "" "*" RETURN (SUBSCRIBED)`, `list (subscribed) "" "*" return (special-use)`,
	`LIST "" "*" RETURN (STATUS (MESSAGES RECENT UNSEEN))`,
	`STATUS INBOX (MESSAGES UNSEEN)`, `STATUS INBOX (HIGHESTMODSEQ MESSAGES UNSEEN)`,
	`STATUS "" (MESSAGES UIDNEXT UIDVALIDITY UNSEEN)`, `STATUS "Trash" (UIDNEXT UIDVALIDITY UNSEEN RECENT MESSAGES)`,
	`UID SEARCH 3`, `UID SEARCH ALL`, `UID SEARCH ALL SUBJECT "test"`, `SEARCH UNSEEN UNDELETED`, `UID SEARCH CHARSET UTF-8 ALL`,
	`UID fetch 1:* (FLAGS)`, `UID FETCH 1:* (FLAGS UID)`, `FETCH 1:* (FLAGS UID INTERNALDATE)`, `FETCH 1 RFC822.SIZE`,
	`UID FETCH 2 (BODY.PEEK[])`, `UID FETCH 3 BODY[]`, `UID FETCH 3 BODY.PEEK[]`, `FETCH 1 RFC822.HEADER`, `FETCH 1 BODY.PEEK[TEXT]`,
	`FETCH 1:3 (UID RFC822.SIZE)`, `UID fetch 1:3 (UID RFC822.SIZE BODY.PEEK[])`,
	`UID FETCH 1:3 (BODYSTRUCTURE ENVELOPE INTERNALDATE FLAGS UID BODY.PEEK[HEADER])`,
	`UID FETCH 1:3 (UID RFC822.SIZE FLAGS INTERNALDATE BODY.PEEK[HEADER.FIELDS (DATE FROM TO SUBJECT CONTENT-TYPE CC REPLY-TO LIST-POST DISPOSITION-NOTIFICATION-TO X-PRIORITY)])`,
	`UID fetch 3 (UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS (From To Cc Bcc Subject Date Message-ID Priority X-Priority References Newsgroups In-Reply-To Content-Type Reply-To Received)])`,
	`FETCH 1:3 (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (DATE FROM SENDER SUBJECT TO CC MESSAGE-ID REFERENCES CONTENT-TYPE CONTENT-DESCRIPTION IN-REPLY-TO REPLY-TO LINES LIST-POST LIST-SUBSCRIBE LIST-UNSUBSCRIBE X-LABEL X-ORIGINAL-TO)])`,
	`UID STORE 3 +FLAGS.SILENT (\Deleted)`, `UID STORE 1:* +FLAGS.SILENT (\Deleted)`, `UID STORE 2 FLAGS (\Deleted \Seen)`,
	`STORE 1 +FLAGS (\Seen \Deleted)`, `uid store 2 +Flags (\Seen \Deleted)`, `UID STORE 1,3 +FLAGS.SILENT (Old)`,
	`UID COPY 2 Trash`, `UID COPY 1:2 "Trash"`, `uid copy 2 "Trash"`, `UID MOVE 2 "Trash"`, `uid move 2 "Sent"`,
	`UID EXPUNGE 2`, `uid expunge 2`, "APPEND \"Trash\" () \"23-Nov-2026 02:10:39 +0000\" {2}\nab",
}
