package imapconn

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

// opened is a session with three messages in the selected folder.
const opened = "S:* OK hello|C:s SELECT INBOX|S:* FLAGS ()|S:* 3 EXISTS|S:s OK selected|"

// ruleTest says what a session's last response breaks; "" is a session without
// fault.
type ruleTest struct{ name, session, broken string }

var rules = []ruleTest{
	{"greeting", "S:* NO hello", "the greeting is"},
	{"greeting of a tag", "S:a OK hello", "the greeting is"},
	{"no CRLF", "S:* OK hello\n", "does not end in CRLF"},
	{"bare CR", "S:* OK hello|S:* OK hel\rlo", "CR, LF or NUL"},
	{"NUL", "S:* OK hello|S:* OK hel\x00lo", "CR, LF or NUL"},
	{"empty line", "S:* OK hello|S:", "neither tagged nor"},
	{"a word", "S:* OK hello|S:nonsense", "neither tagged nor"},
	{"tag only", opened + "C:a NOOP|S:a OK", "neither tagged nor"},
	{"plus only", opened + "C:a IDLE|S:+", "neither tagged nor"},
	{"tag with BYE", opened + "C:a NOOP|S:a BYE over", "neither tagged nor"},
	{"tag with a quote", opened + "C:a NOOP|S:\"a OK done", "neither tagged nor"},
	{"response code open", opened + "C:a NOOP|S:a OK [READ-ONLY done", "response code"},
	{"unknown data", opened + "S:* FROBNICATE 1", "no RFC knows"},
	{"number without a name", opened + "S:* 3", "no known form"},
	{"EXISTS with more", opened + "S:* 3 EXISTS now", "no known form"},
	{"FETCH without a list", opened + "S:* 3 FETCH UID 3", "no known form"},
	{"list open", opened + "S:* 3 FETCH (UID 3", "a parenthesis that does not end"},
	{"list closed twice", opened + "S:* 3 FETCH (UID 3))", "a parenthesis too many"},
	{"quoted open", opened + `S:* LIST () "/" "a\"`, "quoted string"},
	{"quoted with CR", opened + "S:* LIST () \"/\" \"a\rb\"", "quoted string"},
	{"parentheses in strings", opened + "S:* 3 FETCH (ENVELOPE (\"((\\\")\") BODY[] {4}\r\n)\"\r) BINARY[1] ~{2}\r\n\x00()", ""},

	{"two commands", opened + "C:a NOOP|C:b NOOP|S:b OK done|S:a OK done", ""},
	{"reply twice", opened + "C:a NOOP|S:a OK done|S:a OK done", "or a second one"},
	{"reply to nothing", opened + "C:a NOOP|S:b OK done", "or a second one"},
	{"reply missing at LOGOUT", opened + "C:a NOOP|C:z LOGOUT|S:* BYE now|S:z OK done", "without a reply to a NOOP"},
	{"commands behind LOGOUT", opened + "C:z LOGOUT|C:a NOOP|S:* BYE now|S:z OK done", ""},
	{"LOGOUT", opened + "C:z LOGOUT|S:* BYE now|S:z OK done", ""},
	{"LOGOUT without BYE", opened + "C:z LOGOUT|S:z OK done", "without a BYE"},

	{"continuation", opened + "C:a APPEND x {2}|S:+ go|C:ab|S:a OK done", ""},
	{"continuation twice", opened + "C:a APPEND x {2}|S:+ go|S:+ go", "no command waits"},
	{"continuation of nothing", opened + "C:a NOOP|S:+ go", "no command waits"},
	{"continuation of a literal that needs none", opened + "C:a APPEND x {2+}|C:ab|S:+ go", "no command waits"},
	{"literal refused", opened + "C:a APPEND x {7}|S:a NO none|C:b NOOP|S:b OK done", ""},
	{"literal with a command in it", opened + "C:a APPEND x {8+}|C:b NOOP|C:|S:a OK done|S:b OK done", "or a second one"},
	{"SASL", "S:* OK hello|C:a AUTHENTICATE LOGIN|S:+ ABC=|C:b LOGIN|S:+ DEF=|C:xyz|S:a OK in", ""},
	{"IDLE", opened + "C:a IDLE|S:+ idling|S:* 4 EXISTS|S:* 1 EXPUNGE|C:DONE|S:a OK done", ""},

	{"EXPUNGE during NOOP", opened + "C:a NOOP|S:* 3 EXPUNGE|S:* 2 EXISTS|S:a OK done", ""},
	{"EXPUNGE during UID FETCH", opened + "C:a UID FETCH 1 FLAGS|S:* 3 EXPUNGE|S:a OK done", ""},
	{"EXPUNGE during FETCH", opened + "C:a fetch 1 FLAGS|S:* 3 EXPUNGE", "EXPUNGE during FETCH"},
	{"EXPUNGE during STORE", opened + "C:a STORE 1 FLAGS ()|S:* 3 EXPUNGE", "EXPUNGE during STORE"},
	{"EXPUNGE during SEARCH", opened + "C:a SEARCH ALL|S:* 3 EXPUNGE", "EXPUNGE during SEARCH"},
	{"EXPUNGE during SORT", opened + "C:a SORT (DATE) UTF-8 ALL|S:* 3 EXPUNGE", "EXPUNGE during SORT"},
	{"EXPUNGE before an earlier FETCH is answered", opened + "C:a FETCH 1 FLAGS|C:b NOOP|S:* 3 EXPUNGE", "EXPUNGE during FETCH"},
	{"EXPUNGE unasked", opened + "S:* 3 EXPUNGE", "no command is in progress"},
	{"EXPUNGE with nothing selected", "S:* OK hello|C:a NOOP|S:* 1 EXPUNGE", "no folder is selected"},
	{"VANISHED during FETCH", opened + "C:a FETCH 1 FLAGS|S:* VANISHED 7", "EXPUNGE during FETCH"},
	{"VANISHED EARLIER during FETCH", opened + "C:a FETCH 1 FLAGS|S:* VANISHED (EARLIER) 1:900|S:a OK done", ""},
	{"VANISHED, then a number too high", opened + "C:a NOOP|S:* VANISHED 7:8|S:* 2 FETCH (UID 9)", "there are 1 messages"},
	{"VANISHED more than there is", opened + "C:a NOOP|S:* VANISHED 6:9", "out of range"},

	{"EXISTS grows", opened + "S:* 4 EXISTS|S:* 4 FETCH (UID 4)", ""},
	{"EXISTS shrinks", opened + "S:* 2 EXISTS", "EXISTS shrinks from 3"},
	{"EXISTS shrinks by SELECT", opened + "C:a SELECT b|S:* OK [CLOSED] gone|S:* FLAGS ()|S:* 1 EXISTS|S:a OK done", ""},
	{"EXISTS with nothing selected", "S:* OK hello|S:* 2 EXISTS", "no folder is selected"},
	{"EXISTS after a failed SELECT", opened + "C:a SELECT b|S:a NO none|S:* 4 EXISTS", "no folder is selected"},
	{"EXISTS after CLOSE", opened + "C:a CLOSE|S:a OK done|S:* 4 EXISTS", "no folder is selected"},
	{"FETCH after UNSELECT", opened + "C:a UNSELECT|S:a OK done|S:* 1 FETCH (UID 1)", "no folder is selected"},

	{"FETCH 0", opened + "S:* 0 FETCH (UID 4)", "out of range"},
	{"FETCH above", opened + "S:* 4 FETCH (UID 4)", "out of range: there are 3"},
	{"EXPUNGE above", opened + "C:a NOOP|S:* 3 EXPUNGE|S:* 3 EXPUNGE", "out of range: there are 2"},
	{"RECENT above", opened + "S:* 4 RECENT", "out of range"},
	{"SEARCH", opened + "C:a SEARCH ALL|S:* SEARCH 1 3 (MODSEQ 917)|S:a OK done", ""},
	{"SEARCH above", opened + "C:a SEARCH ALL|S:* SEARCH 1 4", "out of range"},
	{"SORT above", opened + "C:a SORT (DATE) UTF-8 ALL|S:* SORT 4 1", "out of range"},
	{"UID SEARCH", opened + "C:a UID SEARCH ALL|S:* SEARCH 17 400|S:a OK done", ""},
	{"SEARCH with a word", opened + "C:a UID SEARCH ALL|S:* SEARCH one", "out of range"},
	{"ESEARCH", opened + `C:a SEARCH RETURN (ALL COUNT) ALL|S:* ESEARCH (TAG "a") ALL 1:3 COUNT 3|S:a OK done`, ""},
	{"ESEARCH above", opened + `C:a SEARCH RETURN (ALL) ALL|S:* ESEARCH (TAG "a") ALL 1,3:4`, "out of range"},
	{"ESEARCH by UID", opened + `C:a UID SEARCH RETURN (ALL) ALL|S:* ESEARCH (TAG "a") UID ALL 1,3:400`, ""},
	{"ESEARCH for another", opened + `C:a SEARCH RETURN (ALL) ALL|S:* ESEARCH (TAG "b") ALL 1`, "no outstanding command"},
}

func TestRules(t *testing.T) { checkRules(t, rules) }

func checkRules(t *testing.T, rules []ruleTest) {
	t.Helper()
	for _, test := range rules {
		t.Run(test.name, func(t *testing.T) {
			var k checker
			steps := strings.Split(test.session, "|")
			for i, step := range steps {
				broken := take(&k, step)
				if i < len(steps)-1 && broken != "" {
					t.Fatalf("%q: %s", step, broken)
				}
				if i == len(steps)-1 && (test.broken == "" && broken != "" || !strings.Contains(broken, test.broken)) {
					t.Errorf("%q: %q, want %q", step, broken, test.broken)
				}
			}
		})
	}
}

// take lets a checker see one step of a session.
func take(k *checker, step string) string {
	side, line := step[:2], step[2:]
	if !strings.HasSuffix(line, "\n") {
		line += "\r\n"
	}
	if side == "C:" {
		k.sent(line)
		return ""
	}
	return k.received(line)
}

func TestStrictIsAnOption(t *testing.T) {
	c := serve(t, hello, "C:t1 NOOP\r\n", "* 1 EXISTS\r\n", "t1 OK done\r\n", "C:t2 NOOP\r\n", "* 1 EXISTS\r\n", "t2 OK done\r\n")
	if _, _, err := c.Do("NOOP"); err != nil {
		t.Fatal(err)
	}
	c.Strict = true
	var violation *Violation
	if _, _, err := c.Do("NOOP"); !errors.As(err, &violation) || violation.Response != "* 1 EXISTS" {
		t.Errorf("%v", err)
	}
}

func TestEndWithoutReply(t *testing.T) {
	var k checker
	k.sent("a NOOP\r\n")
	if err := k.ended(io.EOF, true); !errors.Is(err, io.EOF) || !strings.Contains(err.Error(), "a NOOP") {
		t.Errorf("%v", err)
	}
	k.received("* OK hello\r\n")
	k.received("* BYE too many\r\n")
	if err := k.ended(io.EOF, true); err != io.EOF {
		t.Errorf("%v: BYE explains it", err)
	}
}

// A server need not wait for the end of a line that is too long.
func TestReplyToHalfALine(t *testing.T) {
	var k checker
	k.received("* OK hello\r\n")
	k.sent("abc NOO")
	if broken := k.received("abc BAD too long\r\n"); broken != "" {
		t.Error(broken)
	}
	k = checker{greeted: true}
	k.sent("abc NOO")
	if broken := k.received("ab BAD too long\r\n"); broken == "" {
		t.Error("nobody has sent anything with that tag")
	}
}

// A test may send and be sent anything; the checker has to live with it.
func FuzzChecker(f *testing.F) {
	for _, test := range slices.Concat(rules, folderRules, fetchRules, searchRules, openingRules) {
		f.Add(test.session)
	}
	f.Fuzz(func(t *testing.T, session string) {
		var k checker
		for step := range strings.SplitSeq(session, "|") {
			if len(step) >= 2 {
				take(&k, step)
			}
		}
		if k.folder.exists < 0 {
			t.Errorf("%d messages", k.folder.exists)
		}
	})
}
