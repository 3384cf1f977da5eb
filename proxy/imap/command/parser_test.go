package command

import (
	"bufio"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"mailguard/proxy/imap/wire"
)

// session is a parser as a session uses it, on a client's whole input.
type session struct {
	*Parser
	r     *bufio.Reader
	asked int
}

func newSession(r io.Reader) *session {
	s := &session{r: bufio.NewReaderSize(r, 16)} // the smallest: every line is longer
	s.Parser = NewParser(func() error { s.asked++; return nil })
	s.Reset(s.r)
	s.SetSearchRes(true)
	return s
}

// next reads a command and, of APPEND, takes the octets of its messages. All
// that is encoded is returned with it.
func (s *session) next() (Command, string, error) {
	tag, name, err := s.Start()
	if err != nil {
		return Command{Tag: tag}, "", err
	}
	grammar, known := grammars[name]
	if !known {
		if err := s.Skip(); err != nil {
			return Command{Tag: tag, Name: name}, "", err
		}
		return Command{Tag: tag, Name: name}, "", &wire.SyntaxError{Text: "Unknown command"}
	}
	args, err := s.Args(grammar)
	if err != nil {
		return Command{Tag: tag, Name: name}, "", err
	}
	c := Command{tag, name, args}
	e := wire.Encoder{UTF8: s.lex.UTF8()}
	c.Encode(&e)
	if a, ok := args.(Append); ok {
		err = s.stream(&e, a.Message)
	}
	if err != nil {
		return c, "", err
	}
	return c, encoded(&e), nil
}

// stream stands for the messages of an APPEND: their octets are dropped, and
// written as so many "x".
func (s *session) stream(e *wire.Encoder, m AppendMessage) error {
	for {
		if _, err := io.CopyN(io.Discard, s.r, m.Size); err != nil {
			return err
		}
		next, err := s.NextAppend()
		if err != nil {
			return err
		}
		if m.UTF8 {
			e.Close()
		}
		if next == nil {
			e.End()
			return nil
		}
		m = *next
		m.Encode(e)
	}
}

// encoded is the text that was written, with the literals in their places.
func encoded(e *wire.Encoder) string {
	parts, err := e.Parts()
	if err != nil {
		return "cannot be written: " + err.Error()
	}
	var b strings.Builder
	for _, p := range parts {
		b.Write(p.Text)
		b.Write(p.Literal)
		if p.Stream {
			b.WriteString(strings.Repeat("x", int(p.Size)))
		}
	}
	return b.String()
}

// literal is a string as a non-synchronizing literal.
func literal(s string) string { return "{" + strconv.Itoa(len(s)) + "+}\r\n" + s }

func TestCanonicalForm(t *testing.T) {
	for name, list := range canonical {
		if _, known := grammars[name]; !known {
			t.Errorf("%s has no grammar", name)
		}
		for _, c := range list {
			s := newSession(strings.NewReader("a1 " + c.in + "\r\n"))
			cmd, got, err := s.next()
			want := "a1 " + name + c.out + "\r\n"
			if err != nil || got != want || cmd.Tag != "a1" || cmd.Name != name {
				t.Errorf("%q: got %q, %v; want %q", c.in, got, err, want)
				continue
			}
			again := newSession(iotest.OneByteReader(strings.NewReader(got)))
			if _, second, err := again.next(); err != nil || second != want {
				t.Errorf("%q: not the same when it is read again: %q, %v", got, second, err)
			}
		}
	}
	for name := range grammars {
		if len(canonical[name]) == 0 {
			t.Errorf("%s has no test", name)
		}
	}
}

// form is a command without its tag, and the arguments that are written.
type form struct{ in, out string }

var canonical = map[string][]form{
	"CAPABILITY": {{"capability", ""}},
	"NOOP":       {{"Noop", ""}},
	"LOGOUT":     {{"LOGOUT", ""}},
	"STARTTLS":   {{"STARTTLS", ""}},
	"NAMESPACE":  {{"namespace", ""}},
	"CHECK":      {{"CHECK", ""}},
	"CLOSE":      {{"CLOSE", ""}},
	"UNSELECT":   {{"UNSELECT", ""}},
	"EXPUNGE":    {{"expunge", ""}},
	"IDLE":       {{"IDLE", ""}},
	"LOGIN": {
		{`LOGIN bob secret`, " bob secret"},
		{`login "b\"o\\b" ""`, ` "b\"o\\b" ""`},
		{`LOGIN ` + literal("bob@example.com") + ` {1}` + "\r\n%", ` bob@example.com "%"`},
		{`LOGIN support@x#alice "` + "p\xc3\xa4ss" + `"`, ` "support@x#alice" {5}` + "\r\np\xc3\xa4ss"},
		{`LOGIN NIL nil`, ` "NIL" "nil"`},
		{`LOGIN a]b }`, ` "a]b" "}"`},
	},
	"AUTHENTICATE": {
		{`authenticate plain`, " PLAIN"},
		{`AUTHENTICATE PLAIN AGIAcA==`, " PLAIN AGIAcA=="},
		{`AUTHENTICATE EXTERNAL =`, " EXTERNAL ="},
		{`AUTHENTICATE SCRAM-SHA-256`, " SCRAM-SHA-256"},
	},
	"ID": {
		{`ID NIL`, " NIL"},
		{`ID ()`, " NIL"},
		{`ID ("name" "Thunderbird" "version" nil)`, ` ("name" "Thunderbird" "version" NIL)`},
	},
	"ENABLE": {
		{`ENABLE utf8=accept`, " UTF8=ACCEPT"},
		{`ENABLE CONDSTORE QRESYNC`, " CONDSTORE QRESYNC"},
	},
	"SELECT": {
		{`SELECT inbox`, " INBOX"},
		{`select "InBox"`, " INBOX"},
		{`SELECT {5}` + "\r\ninbox", " INBOX"},
		{`SELECT "in\\box"`, ` "in\\box"`},
		{`SELECT inbox/sub`, " inbox/sub"},
		{`SELECT &AOk-t&AOk-`, " &AOk-t&AOk-"},
		{`SELECT "A &- B"`, ` "A &- B"`},
		{`SELECT a (condstore)`, " a (CONDSTORE)"},
		{`SELECT a (QRESYNC (67890007 20050715194045000))`, " a (QRESYNC (67890007 20050715194045000))"},
		{`SELECT a (QRESYNC (1 2 41:38,43) CONDSTORE)`, " a (CONDSTORE QRESYNC (1 2 38:41,43))"},
		{`SELECT a (QRESYNC (1 2 41 (1,3 2:4)))`, " a (QRESYNC (1 2 41 (1,3 2:4)))"},
		{`SELECT a (QRESYNC (1 2 (1 2)))`, " a (QRESYNC (1 2 (1 2)))"},
	},
	"EXAMINE": {{`EXAMINE "a b"`, ` "a b"`}},
	"CREATE": {
		{`CREATE x/`, " x/"},
		{`CREATE x (USE (\trash \Sent))`, ` x (USE (\Trash \Sent))`},
		{`CREATE x (use ())`, " x"},
	},
	"DELETE":      {{`DELETE x`, " x"}},
	"RENAME":      {{`RENAME Inbox "x y"`, ` INBOX "x y"`}},
	"SUBSCRIBE":   {{`SUBSCRIBE INBOX`, " INBOX"}},
	"UNSUBSCRIBE": {{`UNSUBSCRIBE "~x"`, ` "~x"`}},
	"LIST": {
		{`LIST "" ""`, ` "" ""`},
		{`list "" *`, ` "" "*"`},
		{`LIST "" "Trash/%"`, ` "" "Trash/%"`},
		{`LIST "" &AOk-*`, ` "" "&AOk-*"`},
		{`LIST () "" x`, ` () "" x`},
		{`LIST (SUBSCRIBED) "" "*"`, ` (SUBSCRIBED) "" "*"`},
		{`list (special-use recursivematch REMOTE) "" "*" return (subscribed)`,
			` (REMOTE RECURSIVEMATCH SPECIAL-USE) "" "*" RETURN (SUBSCRIBED)`},
		{`LIST "" (INBOX "Dr%" a) RETURN (STATUS (MESSAGES UNSEEN) CHILDREN)`,
			` "" (INBOX "Dr%" a) RETURN (CHILDREN STATUS (MESSAGES UNSEEN))`},
		{`LIST "" (a)`, ` "" a`},
		{`LIST "" % RETURN ()`, ` "" "%" RETURN ()`},
		{`LIST "" % RETURN (MYRIGHTS SPECIAL-USE)`, ` "" "%" RETURN (SPECIAL-USE MYRIGHTS)`},
		{`LIST "" % RETURN (STATUS (SIZE))`, ` "" "%" RETURN (STATUS (SIZE))`},
	},
	"LSUB":  {{`LSUB "#news." "comp.*"`, ` "#news." "comp.*"`}},
	"XLIST": {{`XLIST "" %`, ` "" "%"`}},
	"STATUS": {
		{`STATUS inbox (messages)`, " INBOX (MESSAGES)"},
		{`STATUS INBOX (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN DELETED SIZE HIGHESTMODSEQ APPENDLIMIT MAILBOXID DELETED-STORAGE)`,
			" INBOX (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN DELETED SIZE HIGHESTMODSEQ APPENDLIMIT MAILBOXID DELETED-STORAGE)"},
	},
	"APPEND": {
		{`APPEND x {3}` + "\r\nabc", " x {3}\r\nxxx"},
		{`APPEND x () {3+}` + "\r\n\r\n\x00", " x {3}\r\nxxx"},
		{`append "Trash" (\seen $Junk) " 9-Nov-2026 01:02:03 +0100" {1+}` + "\r\na", ` Trash (\Seen $Junk) " 9-Nov-2026 01:02:03 +0100" {1}` + "\r\nx"},
		{`APPEND x "9-nov-2026 01:02:03 -0930" {1+}` + "\r\na", ` x " 9-Nov-2026 01:02:03 -0930" {1}` + "\r\nx"},
		{`APPEND x ~{3+}` + "\r\na\x00b", " x ~{3}\r\nxxx"},
		{`APPEND x utf8 (~{1+}` + "\r\na)", " x UTF8 (~{1}\r\nx)"},
		{`APPEND x {1+}` + "\r\na (\\Flagged) {2+}\r\nbb {0+}\r\n", " x {1}\r\nx (\\Flagged) {2}\r\nxx {0}\r\n"},
		{`APPEND x UTF8 (~{1+}` + "\r\na) UTF8 (~{1}\r\nb) {1}\r\nc", " x UTF8 (~{1}\r\nx) UTF8 (~{1}\r\nx) {1}\r\nx"},
	},
	"UID EXPUNGE": {
		{`uid expunge 3`, " 3"},
		{`UID EXPUNGE 4294967295:1`, " 1:4294967295"},
		{`UID EXPUNGE *`, " *"},
		{`UID EXPUNGE $`, " $"},
	},
	"SEARCH": {
		{`SEARCH all`, " ALL"},
		{`SEARCH UNSEEN undeleted`, " UNSEEN UNDELETED"},
		{`SEARCH CHARSET utf-8 SUBJECT ` + literal("\xc3\xa9"), " CHARSET utf-8 SUBJECT {2}\r\n\xc3\xa9"},
		{`SEARCH RETURN (max COUNT) 1:* $`, " RETURN (MAX COUNT) 1:* $"},
		{`SEARCH return () SEEN`, " RETURN (ALL) SEEN"},
		{`SEARCH RETURN (SAVE) CHARSET US-ASCII DRAFT`, " RETURN (SAVE) CHARSET US-ASCII DRAFT"},
		{`SEARCH SUBJECT "x {11+}"`, ` SUBJECT "x {11+}"`},
		{`SEARCH ANSWERED DELETED DRAFT FLAGGED NEW OLD RECENT SEEN UNANSWERED UNDRAFT UNFLAGGED`,
			" ANSWERED DELETED DRAFT FLAGGED NEW OLD RECENT SEEN UNANSWERED UNDRAFT UNFLAGGED"},
		{`SEARCH BCC a BODY b CC c FROM d TEXT e TO f`, " BCC a BODY b CC c FROM d TEXT e TO f"},
		{`SEARCH HEADER Message-ID "<a@b>" HEADER x ""`, ` HEADER Message-ID "<a@b>" HEADER x ""`},
		{`SEARCH BEFORE 01-jan-2026 ON "2-Feb-2026" SINCE 3-Mar-2026 SENTBEFORE 4-Apr-2026 SENTON 5-May-2026 SENTSINCE 6-Jun-2026`,
			" BEFORE 1-Jan-2026 ON 2-Feb-2026 SINCE 3-Mar-2026 SENTBEFORE 4-Apr-2026 SENTON 5-May-2026 SENTSINCE 6-Jun-2026"},
		{`SEARCH SAVEDBEFORE 1-Jan-2026 SAVEDON 1-Jan-2026 SAVEDSINCE 1-Jan-2026 SAVEDATESUPPORTED`,
			" SAVEDBEFORE 1-Jan-2026 SAVEDON 1-Jan-2026 SAVEDSINCE 1-Jan-2026 SAVEDATESUPPORTED"},
		{`SEARCH LARGER 0 SMALLER 9223372036854775807 OLDER 1 YOUNGER 4294967295`,
			" LARGER 0 SMALLER 9223372036854775807 OLDER 1 YOUNGER 4294967295"},
		{`SEARCH KEYWORD $Junk UNKEYWORD Old`, " KEYWORD $Junk UNKEYWORD Old"},
		{`SEARCH EMAILID M6d99ac3275bb4e THREADID "T-64_b"`, " EMAILID M6d99ac3275bb4e THREADID T-64_b"},
		{`SEARCH MODSEQ 0 MODSEQ "/flags/\\Draft" ALL 620162338`, ` MODSEQ 0 MODSEQ "/flags/\\Draft" all 620162338`},
		{`SEARCH NOT not UID 5:3,1`, " NOT NOT UID 1,3:5"},
		{`SEARCH UID $`, " UID $"},
		{`SEARCH OR SEEN OR DRAFT OR RECENT (NEW OLD)`, " OR SEEN OR DRAFT OR RECENT (NEW OLD)"},
		{`SEARCH OR SEEN (OR DRAFT NEW)`, " OR SEEN OR DRAFT NEW"},
		{`SEARCH OR OR SEEN DRAFT RECENT ALL`, " OR OR SEEN DRAFT RECENT ALL"},
		{`SEARCH (SEEN) ((DRAFT NEW) OLD)`, " SEEN ((DRAFT NEW) OLD)"},
		{`SEARCH FUZZY (SUBJECT a BODY b)`, " FUZZY (SUBJECT a BODY b)"},
	},
	"UID SEARCH": {
		{`uid search 1:*`, " 1:*"},
		{`UID SEARCH *:7 UID *`, " 7:* UID *"},
	},
	"SORT":       {{`SORT (reverse date SUBJECT) utf-8 all`, " (REVERSE DATE SUBJECT) utf-8 ALL"}},
	"UID SORT":   {{`UID SORT RETURN (MIN) (DISPLAYFROM) UTF-8 NOT DELETED`, " RETURN (MIN) (DISPLAYFROM) UTF-8 NOT DELETED"}},
	"THREAD":     {{`THREAD references UTF-8 SINCE 1-Jan-2026`, " REFERENCES UTF-8 SINCE 1-Jan-2026"}},
	"UID THREAD": {{`UID THREAD REFS UTF-8 ALL SEEN`, " REFS UTF-8 ALL SEEN"}},
	"FETCH": {
		{`FETCH 1 flags`, " 1 (FLAGS)"},
		{`FETCH 3:1,2 ALL`, " 1:3 (FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)"},
		{`FETCH 1 fast`, " 1 (FLAGS INTERNALDATE RFC822.SIZE)"},
		{`FETCH 1 FULL`, " 1 (FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY)"},
		{`FETCH 1 (BODY BODYSTRUCTURE EMAILID ENVELOPE FLAGS INTERNALDATE MODSEQ PREVIEW RFC822 RFC822.HEADER RFC822.SIZE RFC822.TEXT SAVEDATE THREADID UID x-guid)`,
			" 1 (BODY BODYSTRUCTURE EMAILID ENVELOPE FLAGS INTERNALDATE MODSEQ PREVIEW RFC822 RFC822.HEADER RFC822.SIZE RFC822.TEXT SAVEDATE THREADID UID X-GUID)"},
		{`FETCH 1 (PREVIEW (lazy) BODY[])`, " 1 (PREVIEW (LAZY) BODY[])"},
		{`FETCH 1 body.peek[]<0.100>`, " 1 (BODY.PEEK[]<0.100>)"},
		{`FETCH 1 (BODY[HEADER] BODY[TEXT] BODY[1.2.HEADER] BODY[1.mime] BODY[2])`,
			" 1 (BODY[HEADER] BODY[TEXT] BODY[1.2.HEADER] BODY[1.MIME] BODY[2])"},
		{`FETCH 1 (BODY.PEEK[HEADER.FIELDS (Date "FROM" "x y")] BODY[1.HEADER.FIELDS.NOT (a)])`,
			` 1 (BODY.PEEK[HEADER.FIELDS (Date FROM "x y")] BODY[1.HEADER.FIELDS.NOT (a)])`},
		{`FETCH 1 BODY[HEADER.FIELDS (` + literal("To") + `)]`, " 1 (BODY[HEADER.FIELDS (To)])"},
		{`FETCH 1 (BINARY[] BINARY.PEEK[1.2]<5.6> BINARY.SIZE[3])`, " 1 (BINARY[] BINARY.PEEK[1.2]<5.6> BINARY.SIZE[3])"},
		{`FETCH 1 FLAGS (CHANGEDSINCE 0)`, " 1 (FLAGS) (CHANGEDSINCE 0)"},
		{`FETCH $ (UID)`, " $ (UID)"},
	},
	"UID FETCH": {
		{`UID fetch 1:* (FLAGS)`, " 1:* (FLAGS)"},
		{`UID FETCH 1:* (FLAGS) (vanished changedsince 12345)`, " 1:* (FLAGS) (CHANGEDSINCE 12345 VANISHED)"},
	},
	"STORE": {
		{`STORE 1 FLAGS ()`, " 1 FLAGS ()"},
		{`store 1 +flags.silent (\dELETED \SEEN)`, ` 1 +FLAGS.SILENT (\Deleted \Seen)`},
		{`STORE 1 -FLAGS \Answered \Flagged $x`, ` 1 -FLAGS (\Answered \Flagged $x)`},
		{`STORE 1 (unchangedsince 0) FLAGS.SILENT \Draft`, ` 1 (UNCHANGEDSINCE 0) FLAGS.SILENT (\Draft)`},
	},
	"UID STORE":    {{`UID STORE 1:* +FLAGS (old Old)`, ` 1:* +FLAGS (old Old)`}},
	"COPY":         {{`COPY 2:4 "Trash"`, " 2:4 Trash"}},
	"UID COPY":     {{`UID COPY 4,2 "a b"`, ` 2,4 "a b"`}},
	"MOVE":         {{`MOVE * INBOX`, " * INBOX"}},
	"UID MOVE":     {{`uid move 1,1,2:3 inbox`, " 1:3 INBOX"}},
	"GETACL":       {{`GETACL INBOX`, " INBOX"}},
	"MYRIGHTS":     {{`MYRIGHTS INBOX`, " INBOX"}},
	"LISTRIGHTS":   {{`LISTRIGHTS INBOX "bob"`, " INBOX bob"}},
	"SETACL":       {{`SETACL INBOX -bob +lrs`, ` INBOX -bob "+lrs"`}, {`SETACL x anyone ""`, ` x anyone ""`}},
	"DELETEACL":    {{`DELETEACL INBOX bob`, " INBOX bob"}},
	"GETQUOTA":     {{`GETQUOTA ""`, ` ""`}, {`GETQUOTA "User quota"`, ` "User quota"`}},
	"GETQUOTAROOT": {{`GETQUOTAROOT INBOX`, " INBOX"}},
	"SETQUOTA":     {{`SETQUOTA "" (storage 512 MESSAGE 5)`, ` "" (STORAGE 512 MESSAGE 5)`}, {`SETQUOTA x ()`, " x ()"}},
	"GETMETADATA": {
		{`GETMETADATA "" /shared/Comment`, ` "" (/shared/comment)`},
		{`GETMETADATA (MAXSIZE 1024 DEPTH infinity) INBOX (/private/comment /shared/x)`,
			` (MAXSIZE 1024 DEPTH infinity) INBOX (/private/comment /shared/x)`},
		{`GETMETADATA (DEPTH 0) INBOX /a`, ` INBOX (/a)`},
	},
	"SETMETADATA": {
		{`SETMETADATA INBOX (/private/comment "My comment")`, ` INBOX (/private/comment "My comment")`},
		{`SETMETADATA "" (/shared/a NIL /shared/b ~{3+}` + "\r\na\x00b)", ` "" (/shared/a NIL /shared/b ~{3}` + "\r\na\x00b)"},
	},
}

func TestErrorsOfTheReader(t *testing.T) {
	for _, in := range []string{"", "a", "a NOOP", "a NOOP\r", "a LOGIN x {5+}\r\nab", "a LOGIN x {5+}\r\nabcde", "a APPEND x {5}\r\nab", "a APPEND x {1}\r\na"} {
		for range 2 {
			_, _, err := newSession(strings.NewReader(in)).next()
			var syntax *wire.SyntaxError
			if err == nil || errors.As(err, &syntax) || !(errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)) {
				t.Errorf("%q: %v", in, err)
			}
		}
	}
}
