package integration

// nameAttempts spell folders in other ways. Whichever way opens a folder of
// the shared mailbox, its messages stay.
var nameAttempts = []attempt{
	spelt("inbox in lower case", deadly|usable, `inbox`),
	spelt("INBOX in mixed case", deadly|usable, `iNbOx`),
	spelt("INBOX in quotes", deadly|usable, `"INBOX"`),
	spelt("INBOX with a backslash", deadly|usable, `"IN\BOX"`),
	spelt("INBOX as a literal", deadly|usable, lit(`INBOX`)),
	spelt("INBOX as a synchronizing literal", deadly|usable, ask(`⌛inBOX`)),
	spelt("INBOX and a NUL in a literal", deadly, lit(`INBOX␀x`)),
	spelt("INBOX, a NUL and a way out", deadly, lit(`INBOX␀/../`)),
	spelt("INBOX and a NUL in quotes", 0, `"INBOX␀"`),
	spelt("INBOX as a literal8", 0, lit8(`INBOX`)),
	spelt("INBOX and the delimiter", 0, `INBOX/`),
	spelt("the delimiter and INBOX", 0, `/INBOX`),
	spelt("INBOX and a blank", 0, `"INBOX "`),
	spelt("a blank and INBOX", 0, `" INBOX"`),
	spelt("INBOX and a line end", 0, lit(`INBOX⏎`)),
	spelt("INBOX in needless modified UTF-7", 0, `&AEkATgBCAE8AWA-`),
	spelt("INBOX, one letter in modified UTF-7", 0, `I&AE4-BOX`),
	spelt("INBOX in wide letters", 0, `&,yn,Lv8i,y,,OA-`),
	spelt("INBOX with a letter of no width", 0, `INBOX&IAs-`),
	spelt("INBOX with a dotless i", 0, `&ATE-nbox`),
	spelt("INBOX in 8-bit", 0, "\"INBO\xd8\""),
	spelt("INBOX below itself", 0, `INBOX/INBOX`),
	spelt("Trash in modified UTF-7", 0, `&AFQ-rash`),
	spelt("Trash in lower case", 0, `trash`),
	spelt("a folder under another delimiter", 0, `Team.Plans`),
	spelt("a folder with a way back", 0, `Trash/../Team`),
	spelt("a folder with a dot in between", 0, `Team/./Plans`),
	spelt("a folder in quotes with backslashes", deadly|usable, `"\T\e\a\m\/Plans"`),
	spelt("a folder as a literal", deadly|usable, lit(`Team/Plans`)),
	spelt("the hidden other name", deadly|usable, `Alias`),
	spelt("the hidden other name and the delimiter", 0, `Alias/`),
	spelt("a folder below the hidden other name", deadly|usable, `Alias/Team`),
	spelt("a folder below it in a literal with a NUL", deadly, lit(`Alias/Team␀x`)),
	spelt("one's own mailbox as another's", 0, `shared/«w»`),
	spelt("a file's way", 0, `"~/Maildir"`),
	spelt("an absolute way", 0, `"/tmp"`),
	spelt("a pattern", 0, `*`),
	spelt("NIL", 0, `NIL`),
	spelt("a decomposed letter", 0, `Te&AwE-am`),
	spelt("the Maildir's own name", 0, `.Team`),
	{"SELECT with CONDSTORE", loggedIn, deadly, `a SELECT INBOX (CONDSTORE)⏎b UID STORE 1:* +FLAGS (\Deleted)⏎c EXPUNGE⏎`},
	{"SELECT with QRESYNC", loggedIn, deadly, `q ENABLE QRESYNC⏎a SELECT INBOX (QRESYNC (1 1))⏎b UID STORE 1:* +FLAGS (\Deleted)⏎c EXPUNGE⏎`},
	{"SELECT with a parameter nobody knows", loggedIn, 0, `a SELECT INBOX (FOO)⏎b UID STORE 1:* +FLAGS (\Deleted)⏎c EXPUNGE⏎`},
	{"SELECT of two", loggedIn, deadly, `a SELECT INBOX Trash⏎b UID STORE 1:* +FLAGS (\Deleted)⏎c EXPUNGE⏎`},
	{"SELECT in UTF-8", loggedIn, 0, "u ENABLE UTF8=ACCEPT⏎⌛a SELECT \"＆INBOX\"⏎b UID STORE 1:* +FLAGS (\\Deleted)⏎c EXPUNGE⏎"},
}

// spelt opens a folder by a spelling and removes all in it.
func spelt(name string, how how, spelling string) attempt {
	return attempt{name, loggedIn, how, `a SELECT ` + spelling + `⏎⌛b UID STORE 1:* +FLAGS (\Deleted)⏎⌛c EXPUNGE⏎⌛d UID MOVE 1:* Team⏎`}
}

// neighbourAttempts come from a mailbox of its own, through the namespace that
// shows it this one.
var neighbourAttempts = []attempt{
	seen("shared/«w»", deadly|usable, `shared/«w»`),
	seen("shared/«w»/INBOX", deadly|usable, `shared/«w»/INBOX`),
	seen("inbox in lower case", 0, `shared/«w»/inbox`),
	seen("quoted", deadly|usable, `"shared/«w»"`),
	seen("quoted with backslashes", deadly|usable, `"\shared\/«w»/INBOX"`),
	seen("a lower folder", deadly|usable, `shared/«w»/Team/Plans`),
	seen("a literal with a NUL", deadly, "{13+}⏎shared/«w»␀x"),
	seen("a literal with a NUL behind INBOX", deadly, "{19+}⏎shared/«w»/INBOX␀x"),
	seen("namespace in capitals", 0, `SHARED/«w»`),
	seen("mailbox in capitals", deadly, `shared/«W»`),
	seen("mailbox in capitals and INBOX", deadly, `shared/«W»/INBOX`),
	seen("delimiter behind", 0, `shared/«w»/`),
	seen("two delimiters", 0, `shared//«w»`),
	seen("mailbox with its domain", 0, `shared/«box»`),
	seen("modified UTF-7", 0, `&AHM-hared/«w»`),
	seen("from another's to a third's", 0, `shared/«n»/shared/«w»`),
	seen("a way back", 0, `shared/«n»/../«w»`),
	{"neighbour MOVEs home", neighbour, deadly | usable, `a SELECT shared/«w»⏎b MOVE 1 INBOX⏎`},
	{"neighbour MOVEs under EXAMINE", neighbour, deadly | usable, `a EXAMINE shared/«w»/INBOX⏎b UID MOVE 1:* INBOX⏎`},
	{"neighbour CLOSEs", neighbour, deadly | usable, `a SELECT shared/«w»⏎b CLOSE⏎`},
	{"neighbour switches in one packet", neighbour, deadly | usable, `a SELECT INBOX⏎b SELECT shared/«w»⏎c STORE 1:* +FLAGS (\Deleted)⏎d EXPUNGE⏎e SELECT INBOX⏎`},
	{"neighbour APPENDs \\Deleted", neighbour, deadly | usable, `a APPEND shared/«w» (\Deleted) ` + lit(mailText) + `⏎`},
	{"neighbour DELETEs a folder", neighbour, deadly | usable, `a DELETE shared/«w»/Team⏎`},
	{"neighbour DELETEs the mailbox", neighbour, usable, `a DELETE shared/«w»/INBOX⏎b DELETE shared/«w»⏎c DELETE shared⏎`},
	{"neighbour RENAMEs a folder", neighbour, deadly, `a RENAME shared/«w»/Team shared/«w»/Old⏎`},
	{"neighbour RENAMEs a folder home", neighbour, 0, `a RENAME shared/«w»/Team Team⏎`},
	{"neighbour RENAMEs the mailbox", neighbour, 0, `a RENAME shared/«w» Old⏎b RENAME shared/«w»/INBOX Old⏎`},
	{"neighbour takes rights", neighbour, deadly, `a SETACL shared/«w»/INBOX «box» lr⏎`},
	{"neighbour uses CONDSTORE", neighbour, deadly, `q ENABLE CONDSTORE⏎a SELECT shared/«w» (CONDSTORE)⏎b STORE 1 (UNCHANGEDSINCE 4294967295) +FLAGS (\Deleted)⏎c UID EXPUNGE 1⏎`},
	{"neighbour uses a saved search", neighbour, deadly, `a SELECT shared/«w»⏎s UID SEARCH RETURN (SAVE) ALL⏎b UID MOVE $ INBOX⏎`},
}

// seen opens a folder of the mailbox from beside it and removes all in it.
func seen(name string, how how, spelling string) attempt {
	a := spelt("neighbour: "+name, how, spelling)
	a.state = neighbour
	return a
}
