package imapconn

import "testing"

// The client knows three messages with the UIDs 5, 7 and 9.
const knows = opened + "C:k FETCH 1:3 UID|S:* 1 FETCH (UID 5)|S:* 2 FETCH (UID 7)|S:* 3 FETCH (UID 9)|S:k OK done|"

// The second of them has gone.
const expunged = knows + "C:g NOOP|S:* 2 EXPUNGE|S:g OK done|"

// What can be told from the UIDs that a client was shown.
var folderRules = []ruleTest{
	{"the same UID", knows + "S:* 2 FETCH (FLAGS () UID 7)", ""},
	{"another UID", knows + "S:* 2 FETCH (FLAGS () UID 8)", "message 2 had UID 7 and has UID 8"},
	{"UID moves up", expunged + "S:* 2 FETCH (UID 9)", ""},
	{"UID stays behind an EXPUNGE", expunged + "S:* 2 FETCH (UID 7)", "had UID 9 and has UID 7"},
	{"UID comes back", expunged + "S:* 3 EXISTS|S:* 3 FETCH (UID 7)", "reported as expunged, and is back"},
	{"a new UID", expunged + "S:* 3 EXISTS|S:* 3 FETCH (UID 10)", ""},
	{"UIDs out of order", opened + "S:* 1 FETCH (UID 5)|S:* 3 FETCH (UID 4)", "UID 4 of message 3 is not in order"},
	{"UIDs out of order, backwards", opened + "S:* 3 FETCH (UID 5)|S:* 2 FETCH (UID 5)", "UID 5 of message 2 is not in order"},
	{"UIDs in order, backwards", opened + "S:* 3 FETCH (UID 5)|S:* 2 FETCH (UID 4)", ""},
	{"UID 0", opened + "S:* 3 FETCH (UID 0)", "a UID that is none"},
	{"UID in a string", knows + `S:* 2 FETCH (BODY[HEADER.FIELDS (UID)] "UID 8" ENVELOPE ("UID" (("8"))) UID 7)`, ""},
	{"UID behind a literal", knows + "S:* 2 FETCH (BODY[] {6}\r\n(UID 7 UID 8)", "had UID 7 and has UID 8"},
	{"an item without a value", knows + "S:* 2 FETCH (UID 7 FLAGS)", "without a value"},
	{"another folder, other UIDs", knows + "C:a SELECT b|S:* OK [CLOSED] gone|S:* FLAGS ()|S:* 2 EXISTS|S:a OK done|S:* 2 FETCH (UID 8)", ""},
	{"VANISHED and back", knows + "C:a NOOP|S:* VANISHED 7|S:* 2 FETCH (UID 9)|S:* 3 EXISTS|S:* 3 FETCH (UID 7)", "is back"},
	{"VANISHED of an unknown one", opened + "S:* 1 FETCH (UID 5)|S:* 3 FETCH (UID 9)|C:a NOOP|S:* VANISHED 7|S:* 2 FETCH (UID 9)", ""},

	{"UIDNEXT", "S:* OK hello|C:a SELECT b|S:* FLAGS ()|S:* 2 EXISTS|S:* OK [UIDNEXT 6] next|S:a OK done|S:* 2 FETCH (UID 5)|S:* 3 EXISTS|S:* 3 FETCH (UID 6)", ""},
	{"UIDNEXT of a message", "S:* OK hello|C:a SELECT b|S:* FLAGS ()|S:* 2 EXISTS|S:* OK [UIDNEXT 6] next|S:a OK done|S:* 2 FETCH (UID 6)", "does not go with UIDNEXT 6"},
	{"new and below UIDNEXT", "S:* OK hello|C:a SELECT b|S:* FLAGS ()|S:* 2 EXISTS|S:* OK [UIDNEXT 6] next|S:a OK done|S:* 3 EXISTS|S:* 3 FETCH (UID 5)", "does not go with UIDNEXT 6"},
	{"STATUS of the folder", knows + "C:a STATUS inbox (UIDNEXT)|S:* STATUS \"INBOX\" (UIDNEXT 10)|S:a OK done", ""},
	{"STATUS below what is known", knows + "C:a STATUS inbox (UIDNEXT)|S:* STATUS \"INBOX\" (UIDNEXT 9)", "UIDNEXT 9, and UID 9 is known"},
	{"STATUS below what was known", knows + "C:g NOOP|S:* 3 EXPUNGE|S:g OK done|C:a STATUS INBOX (UIDNEXT)|S:* STATUS INBOX (UIDNEXT 8)", "UIDNEXT 8, and UID 9 is known"},
	{"STATUS of another folder", knows + "C:a STATUS b (UIDNEXT)|S:* STATUS b (UIDNEXT 2)|S:a OK done", ""},

	{"UID SEARCH", expunged + "C:a UID SEARCH ALL|S:* SEARCH 5 9 12|S:a OK done", ""},
	{"UID SEARCH finds what has gone", expunged + "C:a UID SEARCH ALL|S:* SEARCH 5 7 9", "UID 7 was reported as expunged"},
	{"UID SORT finds what has gone", expunged + "C:a UID SORT (DATE) UTF-8 ALL|S:* SORT 9 7", "UID 7 was reported as expunged"},
	{"UID THREAD finds what has gone", expunged + "C:a UID THREAD REFS UTF-8 ALL|S:* THREAD (9 (5)(7))", "UID 7 was reported as expunged"},
	{"SEARCH finds the number of a UID that has gone", expunged + "S:* 7 EXISTS|C:a SEARCH ALL|S:* SEARCH 7|S:a OK done", ""},
	{"ESEARCH finds what has gone", expunged + `C:a UID SEARCH RETURN (ALL) ALL|S:* ESEARCH (TAG "a") UID ALL 5:9`, "UID 7 was reported as expunged"},
	{"ESEARCH begins with what has gone", expunged + `C:a UID SEARCH RETURN (MIN) ALL|S:* ESEARCH (TAG "a") UID MIN 7`, "UID 7 was reported as expunged"},
	{"ESEARCH", expunged + `C:a UID SEARCH RETURN (ALL) ALL|S:* ESEARCH (TAG "a") UID ALL 5,9|S:a OK done`, ""},

	{"COPYUID", expunged + "C:a UID COPY 5,9 b|S:a OK [COPYUID 4 5,9 1:2] done", ""},
	{"COPYUID of what has gone", expunged + "C:a UID COPY 5:9 b|S:a OK [COPYUID 4 5,7,9 1:3] done", "UID 7 was reported as expunged"},
	{"COPYUID of what goes meanwhile", knows + "C:a UID COPY 5:9 b|S:* 2 EXPUNGE|S:a OK [COPYUID 4 5,7,9 1:3] done", ""},
	{"COPYUID of more than was copied", knows + "C:a COPY 1 b|S:a OK [COPYUID 4 5,7 1] done", "as many UIDs"},
	{"COPYUID of nothing", knows + "C:a COPY 1 b|S:a OK [COPYUID 4 5] done", "three arguments"},
	{"MOVE", knows + "C:a UID MOVE 7 b|S:* OK [COPYUID 4 7 1] moved|S:* 2 EXPUNGE|S:a OK done", ""},
	{"MOVE of what has gone", expunged + "C:a UID MOVE 7 b|S:* OK [COPYUID 4 7 1] moved", "UID 7 was reported as expunged"},
}

// What a FETCH asks for has to come.
var fetchRules = []ruleTest{
	{"FETCH without a message, which is there", knows + "C:a FETCH 1:2 FLAGS|S:* 1 FETCH (FLAGS ())|S:a OK done|C:b NOOP|S:b OK done", "without message 2, which is there after NOOP"},
	{"FETCH without a message, which is shown later", knows + "C:a FETCH 2 FLAGS|S:a OK done|C:b FETCH 2 FLAGS|S:* 2 FETCH (FLAGS ())", "OK without message 2"},
	{"FETCH without a message, which has gone", knows + "C:a FETCH 2 FLAGS|S:a OK done|C:b NOOP|S:* 2 EXPUNGE|S:b OK done", ""},
	{"FETCH without a message, one before it has gone", knows + "C:a FETCH 3 FLAGS|S:a OK done|C:b NOOP|S:* 1 EXPUNGE|S:b OK done", "without message 2, which is there"},
	{"FETCH without a message is NO", knows + "C:a FETCH 2 FLAGS|S:a NO [EXPUNGEISSUED] gone|C:b NOOP|S:b OK done", ""},
	{"FETCH of more than there is", knows + "C:a FETCH 3:99 FLAGS|S:* 3 FETCH (FLAGS ())|S:a OK done|C:b NOOP|S:b OK done", ""},
	{"FETCH of what has changed", knows + "C:a FETCH 1:3 (FLAGS) (CHANGEDSINCE 7)|S:a OK done|C:b NOOP|S:b OK done", ""},
	{"UID FETCH without a message, which is there", knows + "C:a UID FETCH 7 FLAGS|S:a OK done|C:b NOOP|S:b OK done", "without message 2, which is there"},
	{"UID FETCH", knows + "C:a UID FETCH 7:* FLAGS|S:* 2 FETCH (UID 7 FLAGS ())|S:* 3 FETCH (UID 9 FLAGS ())|S:a OK done|C:b NOOP|S:b OK done", ""},
	{"UID FETCH of what nobody knows", opened + "C:a UID FETCH 7 FLAGS|S:a OK done|C:b NOOP|S:b OK done", ""},
	{"UID FETCH without UID", opened + "C:a UID FETCH 7 (RFC822.SIZE)|S:* 2 FETCH (RFC822.SIZE 8)", "without UID during UID FETCH"},
	{"UID STORE without UID", knows + `C:a UID STORE 7 +FLAGS (\Seen)|S:* 2 FETCH (FLAGS (\Seen) RFC822.SIZE 7)`, "without UID during UID STORE"},
	{"UID STORE and news of another message", knows + `C:a UID STORE 7 +FLAGS (\Seen)|S:* 3 FETCH (FLAGS (\Seen))|S:* 2 FETCH (UID 7 FLAGS (\Seen))|S:a OK done`, ""},
	{"FETCH without UID", knows + "C:a FETCH 2 (RFC822.SIZE)|S:* 2 FETCH (RFC822.SIZE 8)|S:a OK done", ""},
}

func TestFolderRules(t *testing.T) { checkRules(t, folderRules) }

func TestFetchRules(t *testing.T) { checkRules(t, fetchRules) }
