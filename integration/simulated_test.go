package integration

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"mailguard/demo/dovecot"
	"mailguard/demo/upstream"
	"mailguard/integration/imapconn"
)

// simulatedDir holds the script about what a member's view depends on, and the
// differences that are expected.
const simulatedDir = "testdata/simulated"

// special gives Dovecot the folders that the server in memory has.
const special = `
namespace inbox {
  inbox = yes
  separator = /
  mailbox Archive {
    auto = create
    special_use = \Archive
  }
  mailbox Drafts {
    auto = create
    special_use = \Drafts
  }
  mailbox Junk {
    auto = create
    special_use = \Junk
  }
  mailbox Sent {
    auto = create
    special_use = \Sent
  }
  mailbox Trash {
    auto = create
    special_use = \Trash
  }
}
`

// The server in memory stands for Dovecot in tests. It is held to Dovecot's
// answers in all that the guard and a member's view depend on.
func TestSimulatedUpstream(t *testing.T) {
	holdToDovecot(t, filepath.Join(simulatedDir, "script.txt"), filepath.Join(simulatedDir, "differences.txt"))
}

// The same with the script of TestTransparency.
func TestSimulatedUpstreamTransparency(t *testing.T) {
	holdToDovecot(t, filepath.Join(transparencyDir, "script.txt"), filepath.Join(simulatedDir, "transparency.txt"))
}

// recentCount is told by Dovecot before or behind what it goes with, as it has looked
// last.
var recentCount = regexp.MustCompile(`^\* \d+ RECENT$`)

// holdToDovecot plays a script to both, and allows the differences of a file.
func holdToDovecot(t *testing.T, script, differences string) {
	t.Helper()
	rules := readRules(t, differences)
	rules.irrelevant = recentCount
	steps := readSteps(t, script, rules.leftOut)
	direct := startDovecot(t, func(o *dovecot.Options) { o.Extra = special })
	comparePlays(t, steps, rules, dialer(t, direct.IMAP(), nil), dialer(t, serveSimulated(t), nil))
}

// serveSimulated serves the server in memory with the mailboxes of the tests
// until the test ends.
func serveSimulated(t testing.TB) (address string) {
	t.Helper()
	s := upstream.New()
	s.IMAP.SpecialFolders = true
	s.IMAP.Without = []string{"ACL", "AUTH=XOAUTH2"}
	s.AddUser(mailbox, password)
	s.AddUser(private, password)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.ServeIMAP(l) }()
	t.Cleanup(func() {
		if err := errors.Join(s.Close(), <-done); err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// comparePlays plays steps to both sides at once.
func comparePlays(t *testing.T, steps []scriptStep, rules simulatedRules, left, right func() (*imapconn.Conn, error)) {
	t.Helper()
	var plays [2][]played
	var errs [2]error
	var both sync.WaitGroup
	for i, dial := range []func() (*imapconn.Conn, error){left, right} {
		both.Go(func() { plays[i], errs[i] = (&scriptPlayer{dial: dial}).play(steps) })
	}
	both.Wait()
	for i, err := range errs {
		if err != nil {
			t.Errorf("%s: %v", []string{"Dovecot", "the server in memory"}[i], err)
		}
	}
	for i := range plays[0] {
		plays[0][i].answer = rules.without(plays[0][i].answer)
	}
	for i := range plays {
		for j := range plays[i] {
			plays[i][j].answer = rules.relevant(plays[i][j].answer)
		}
	}
	for _, d := range differences(plays[0], plays[1], rules.expected) {
		t.Error(d)
	}
	t.Logf("%d commands", commands(plays[0]))
}

// readSteps reads a script without the sections that are left out. Each of
// these must be in it.
func readSteps(t testing.TB, file string, leftOut []string) []scriptStep {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	all, err := parseScript(string(content))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range leftOut {
		before := len(all)
		if all = slices.DeleteFunc(all, func(s scriptStep) bool { return s.section == name }); len(all) == before {
			t.Errorf("%s: the script has no section %q to leave out", file, name)
		}
	}
	return all
}

// simulatedRules are what the server in memory need not do as Dovecot does.
type simulatedRules struct {
	expected []*difference
	leftOut  []string         // sections
	missing  []*regexp.Regexp // responses

	// irrelevant is left out of the responses of both; nil is nothing.
	irrelevant *regexp.Regexp
}

// readRules reads them; the head of the file explains its format.
func readRules(t testing.TB, file string) (rules simulatedRules) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var rest strings.Builder
	for paragraph := range strings.SplitSeq(string(content), "\n\n") {
		first, reason, _ := strings.Cut(strings.TrimSpace(paragraph), "\nreason: ")
		rule, what, _ := strings.Cut(first, ": ")
		switch {
		case rule != "left out" && rule != "missing":
			rest.WriteString(strings.ReplaceAll(paragraph, "\nmemory: ", "\nguard: ") + "\n\n")
		case reason == "":
			t.Fatalf("%s: %q has no reason", file, first)
		case rule == "left out":
			rules.leftOut = append(rules.leftOut, what)
		default:
			rules.missing = append(rules.missing, regexp.MustCompile("^(?:"+what+")$"))
		}
	}
	rules.expected, err = parseDifferences(rest.String())
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return rules
}

// without leaves out the responses that the server in memory does not make.
func (r simulatedRules) without(answer []string) []string {
	return slices.DeleteFunc(slices.Clone(answer), func(response string) bool {
		return slices.ContainsFunc(r.missing, func(m *regexp.Regexp) bool { return m.MatchString(response) })
	})
}

// relevant leaves out what is irrelevant, and responses of which nothing is left.
func (r simulatedRules) relevant(answer []string) (left []string) {
	if r.irrelevant == nil {
		return answer
	}
	for _, response := range answer {
		if short := r.irrelevant.ReplaceAllString(response, ""); short != "" || response == "" {
			left = append(left, short)
		}
	}
	return left
}
