package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// families are the commands that the script has to have, and words that must
// stand in some command of it.
var families = []string{
	"APPEND", "AUTHENTICATE", "CAPABILITY", "CHECK", "CLOSE", "COMPRESS", "COPY", "CREATE", "DELETE", "DELETEACL", "ENABLE", "EXAMINE", "EXPUNGE",
	"FETCH", "GETACL", "GETMETADATA", "GETQUOTA", "GETQUOTAROOT", "ID", "IDLE", "LIST", "LISTRIGHTS", "LOGIN", "LOGOUT", "LSUB", "MOVE", "MYRIGHTS",
	"NAMESPACE", "NOOP", "NOTIFY", "RENAME", "SEARCH", "SELECT", "SETACL", "SETMETADATA", "SETQUOTA", "SORT", "STATUS", "STORE", "SUBSCRIBE", "THREAD",
	"UID COPY", "UID EXPUNGE", "UID FETCH", "UID MOVE", "UID SEARCH", "UID SORT", "UID STORE", "UID THREAD", "UNSELECT", "UNSUBSCRIBE", "XLIST",
	"(CONDSTORE)", "(QRESYNC", "CHANGEDSINCE", "VANISHED", "UNCHANGEDSINCE", "RETURN (SAVE", "RETURN (MIN", "MODSEQ", "BINARY[", "BINARY.PEEK[", "BINARY.SIZE[",
	"BODY[", "BODY.PEEK[", "BODYSTRUCTURE", "ENVELOPE", "INTERNALDATE", "RFC822.HEADER", "RFC822.SIZE", "RFC822.TEXT", "HEADER.FIELDS.NOT", ".MIME]", "]<",
	"ALL", "FAST", "FULL", "~{", "+}", "SPECIAL-USE", "RECURSIVEMATCH", "STATUS (", "(USE (", "CHARSET", "$", "&", "*",
}

func TestScriptHasEveryFamily(t *testing.T) {
	steps := readScript(t)
	var words strings.Builder
	have := make(map[string]bool)
	for _, s := range steps {
		if s.isCommand() {
			have[s.name()] = true
			words.WriteString(s.shown + "\n")
		}
	}
	for _, f := range families {
		if !have[f] && !strings.Contains(words.String(), f) {
			t.Errorf("the script has no %s", f)
		}
	}
}

// An expected answer must belong to a step or a section of the script.
func TestExpectedDifferences(t *testing.T) {
	steps := readScript(t)
	for _, d := range readDifferences(t) {
		known := slices.ContainsFunc(steps, func(s scriptStep) bool {
			return d.rule == "answer" && s.kind+" "+s.shown == d.arguments[0] || d.rule == "section" && s.section == d.arguments[0]
		})
		if (d.rule == "answer" || d.rule == "section") && !known {
			t.Errorf("the script has no %s %q", d.rule, d.arguments[0])
		}
	}
}

// answered is as many equal commands as a proof needs.
func answered(answer ...string) []played {
	var all []played
	for i := range fewest {
		all = append(all, played{step: scriptStep{section: "a", kind: "C:", shown: "NOOP", line: i}, answer: normalise(answer)})
	}
	return all
}

const (
	wordsOfBad = "words: BAD\nreason: because\n"
	noCompress = "capability: COMPRESS=DEFLATE\nreason: because\n"
	ofNoop     = "answer: C: NOOP\nguard: \\* 1 RECENT\nguard: NO .*\nreason: because\n"
)

func TestDifferences(t *testing.T) {
	for _, test := range []struct {
		name, left, right, expected string // responses and rules, one a line
		equal                       bool
	}{
		{"equal", "* 1 EXISTS\nOK done", "* 1 EXISTS\nOK done", "", true},
		{"another status", "OK done", "NO done", "", false},
		{"other words", "OK done", "OK well", "", false},
		{"one response more", "OK done", "* 1 EXISTS\nOK done", "", false},
		{"one response less", "* 1 EXISTS\nOK done", "OK done", "", false},
		{"the right side is silent", "OK done", "", "", false},
		{"both are silent", "", "", "", false},
		{"other time", "OK done (0.001 + 0.000 secs).", "OK done (1.100 + 0.020 + 0.999 secs).", "", true},
		{"other UIDVALIDITY", "OK [APPENDUID 17 1] done", "OK [APPENDUID 18 1] done", "", true},
		{"other UID", "OK [APPENDUID 17 1] done", "OK [APPENDUID 17 2] done", "", false},
		{"folders in another order", "* LIST () \"/\" a\n* LIST () \"/\" b\nOK done", "* LIST () \"/\" b\n* LIST () \"/\" a\nOK done", "", true},
		{"folder not marked yet", "* LIST (\\HasChildren \\UnMarked) \"/\" a\nOK done", "* LIST (\\HasChildren) \"/\" a\nOK done", "", true},
		{"folder with another attribute", "* LIST (\\HasChildren \\Noselect) \"/\" a\nOK done", "* LIST (\\HasChildren) \"/\" a\nOK done", "", false},
		{"messages in another order", "* 1 FETCH (UID 1)\n* 2 FETCH (UID 2)\nOK done", "* 2 FETCH (UID 2)\n* 1 FETCH (UID 1)\nOK done", "", false},
		{"old dates", `* 1 FETCH (INTERNALDATE "01-Jan-2020 00:00:00 +0000")`, `* 1 FETCH (INTERNALDATE "02-Jan-2020 00:00:00 +0000")`, "", false},

		{"words of BAD", "BAD Error in it (0.001 + 0.000 secs).", "BAD I do not know this", wordsOfBad, true},
		{"words of NO", "NO Error in it", "NO I do not know this", wordsOfBad, false},
		{"BAD with another code", "BAD [A] it", "BAD [B] it", wordsOfBad, false},
		{"BAD without the untagged one", "* 1 EXISTS\nBAD it", "BAD it is", wordsOfBad, false},
		{"words of BAD do not differ", "OK done", "OK done", wordsOfBad, false},
		{"words of OK to NOOP", "OK it", "OK that", "words: OK NOOP\nreason: because\n", true},
		{"words of OK and of BAD", "* OK a\nBAD b", "* OK c\nBAD d", wordsOfBad + "words: OK NOOP\nreason: because\n", true},
		{"words of OK to another", "OK it", "OK that", "words: OK CHECK\nreason: because\n", false},

		{"capability taken out", "* CAPABILITY IMAP4rev1 COMPRESS=DEFLATE\nOK done", "* CAPABILITY IMAP4rev1\nOK done", noCompress, true},
		{"capability taken out of a code", "OK [CAPABILITY IMAP4rev1 COMPRESS=DEFLATE] in", "OK [CAPABILITY IMAP4rev1] in", noCompress, true},
		{"capability in another place", "* CAPABILITY IMAP4rev1 IDLE\nOK done", "* CAPABILITY IDLE IMAP4rev1\nOK done", "", true},
		{"capability that is not to be taken out", "* CAPABILITY IMAP4rev1 IDLE\nOK done", "* CAPABILITY IMAP4rev1\nOK done", noCompress, false},
		{"capability added", "* CAPABILITY IMAP4rev1\nOK done", "* CAPABILITY IMAP4rev1 IDLE\nOK done", "", false},
		{"capability still there", "* CAPABILITY COMPRESS=DEFLATE\nOK done", "* CAPABILITY COMPRESS=DEFLATE\nOK done", noCompress, false},

		{"the expected answer", "OK done", "* 1 RECENT\nNO not here", ofNoop, true},
		{"more than the expected answer", "OK done", "* 1 RECENT\n* 2 RECENT\nNO not here", ofNoop, false},
		{"the expected answer in a section", "OK done", "NO not here", "section: a\nguard: NO .*\nreason: because\n", true},
		{"the expected answer in another section", "OK done", "NO not here", "section: b\nguard: NO .*\nreason: because\n", false},
		{"not the expected answer", "OK done", "NO not here", ofNoop, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			expected, err := parseDifferences(test.expected)
			if err != nil {
				t.Fatal(err)
			}
			found := differences(answered(strings.Split(test.left, "\n")...), answered(strings.Split(test.right, "\n")...), expected)
			if (len(found) == 0) != test.equal {
				t.Errorf("%q", found[:min(2, len(found))])
			}
		})
	}
}

func TestTooFewCommands(t *testing.T) {
	all := answered("OK done")
	if found := differences(all[1:], all[1:], nil); len(found) == 0 {
		t.Errorf("%d commands are no proof", fewest-1)
	}
	if found := differences(all, all[1:], nil); len(found) == 0 {
		t.Error("the right side answered one command less")
	}
	all[0] = played{step: all[0].step, lost: true}
	if found := differences(all, all, nil); len(found) != 1 {
		t.Errorf("a command was lost on both sides: %q", found)
	}
}

func TestScriptFormat(t *testing.T) {
	for _, test := range []struct {
		name, script, kind, text string // of the last step; kind "" is a mistake in it
	}{
		{"command", "=== a\nC: NOOP", "C:", "NOOP"},
		{"comment", "=== a\nC: NOOP\n# C: CHECK\n", "C:", "NOOP"},
		{"literal", `=== a` + "\n" + `C: LOGIN {"a\r\n\"b"} ~{"ü"+}`, "C:", "LOGIN {5}\r\na\r\n\"b ~{2+}\r\nü"},
		{"no literal", "=== a\nC: FETCH 1 BODY[]<0.10> {5}", "C:", "FETCH 1 BODY[]<0.10> {5}"},
		{"octets", "=== a\n" + `> "a\x00\n"`, ">", "a\x00\n"},
		{"octets without quotes", "=== a\n> a", "", ""},
		{"message that is not there", "=== a\nC: APPEND INBOX {@none}", "", ""},
		{"unknown step", "=== a\nD: NOOP", "", ""},
		{"no section", "C: NOOP", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			steps, err := parseScript(test.script)
			if test.kind == "" {
				if err == nil {
					t.Errorf("%q", steps)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			last := steps[len(steps)-1]
			if diff := cmp.Diff([]string{test.kind, test.text}, []string{last.kind, last.text}); diff != "" {
				t.Error(diff)
			}
		})
	}
	if _, err := parseDifferences("capability: X\n"); err == nil || !strings.Contains(fmt.Sprint(err), "reason") {
		t.Errorf("%v: a difference needs its reason", err)
	}
}
