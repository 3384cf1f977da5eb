package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// What two equal servers answer differently: how long it took, when a folder
// was made, what a file is called.
var accidental = []struct {
	pattern *regexp.Regexp
	instead string
}{
	{regexp.MustCompile(`\(\d+\.\d+ \+ \d+\.\d+( \+ \d+\.\d+)? secs\)`), "(<time>)"},
	{regexp.MustCompile(`(UIDVALIDITY|APPENDUID|COPYUID) \d+`), "$1 <uidvalidity>"},
	{regexp.MustCompile(`X-GUID [^ )]+`), "X-GUID <guid>"},
	{regexp.MustCompile(`(SAVEDATE) "[^"]+"`), "$1 <now>"},
}

var internalDate = regexp.MustCompile(`"([ \d]\d-[A-Z][a-z]{2}-\d{4} \d\d:\d\d:\d\d [+-]\d{4})"`)

// normalise makes the answers of two equal servers equal.
func normalise(answer []string) []string {
	var all []string
	for _, response := range answer {
		for _, a := range accidental {
			response = a.pattern.ReplaceAllString(response, a.instead)
		}
		all = append(all, internalDate.ReplaceAllStringFunc(response, datedNow))
	}
	sortFolders(all)
	return all
}

// datedNow replaces a date of this test's own time.
func datedNow(quoted string) string {
	date, err := time.Parse(`"_2-Jan-2006 15:04:05 -0700"`, quoted)
	if err == nil && time.Since(date).Abs() < time.Hour {
		return "<now>"
	}
	return quoted
}

var ofFolder = regexp.MustCompile(`^\* (LIST|LSUB|STATUS|METADATA|ACL) `)

// sortFolders sorts what is said of folders among itself: a server lists them
// in whatever order its file system has.
func sortFolders(answer []string) {
	var places []int
	var sorted []string
	for i, response := range answer {
		if ofFolder.MatchString(response) {
			places, sorted = append(places, i), append(sorted, response)
		}
	}
	slices.Sort(sorted)
	for i, place := range places {
		answer[place] = sorted[i]
	}
}

// difference is one that is expected of the right side, and why.
type difference struct {
	rule, reason string
	arguments    []string // of the rule
	used         bool
}

// readDifferences reads what the guard answers otherwise; the head of the file
// explains its format.
func readDifferences(t testing.TB) []*difference {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(transparencyDir, "differences.txt"))
	if err != nil {
		t.Fatal(err)
	}
	all, err := parseDifferences(string(content))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func parseDifferences(content string) ([]*difference, error) {
	var all []*difference
	for line := range strings.Lines(content) {
		line = strings.TrimRight(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, value, _ := strings.Cut(line, ": ")
		switch {
		case slices.Contains([]string{"capability", "words", "answer"}, key):
			all = append(all, &difference{rule: key, arguments: []string{value}})
		case len(all) == 0 || value == "":
			return nil, fmt.Errorf("differences.txt: %q belongs to nothing", line)
		case key == "guard":
			all[len(all)-1].arguments = append(all[len(all)-1].arguments, value)
		case key == "reason":
			all[len(all)-1].reason = value
		default:
			return nil, fmt.Errorf("differences.txt: what is %q", line)
		}
	}
	for _, d := range all {
		if d.reason == "" {
			return nil, fmt.Errorf("differences.txt: %s %q has no reason", d.rule, d.arguments)
		}
		if d.rule == "answer" && len(d.arguments) < 2 {
			return nil, fmt.Errorf("differences.txt: answer %q does not say what the guard answers", d.arguments)
		}
	}
	return all, nil
}

// fewest is how many commands a session must have to prove anything.
const fewest = 150

// differences compares two plays of one script. It returns what differs and was
// not expected, and what was expected and did not occur.
func differences(left, right []exchange, expected []*difference) []string {
	var all []string
	if n := commands(left); n < fewest || commands(right) != n {
		all = append(all, fmt.Sprintf("%d and %d commands were answered; there must be %d at least", n, commands(right), fewest))
	}
	for i := range min(len(left), len(right)) {
		all = append(all, compareStep(left[i], right[i], expected)...)
	}
	for _, d := range expected {
		if !d.used {
			all = append(all, fmt.Sprintf("expected, and did not occur: %s %q", d.rule, d.arguments))
		}
	}
	return all
}

// commands counts those that have an answer: their own, or, where they were
// sent raw or in a row, that of the step which waits for them.
func commands(play []exchange) int {
	count, waiting := 0, 0
	for _, e := range play {
		if e.step.isCommand() {
			waiting++
		}
		if len(e.answer) > 0 {
			count, waiting = count+waiting, 0
		}
	}
	return count
}

func compareStep(left, right exchange, expected []*difference) []string {
	if (left.step.kind == "C:" || left.step.kind == "2:") && (silent(left) || silent(right)) {
		return []string{fmt.Sprintf("%s: a side answered nothing: %q and %q", left.step, left.answer, right.answer)}
	}
	a := withoutCapabilities(left.answer, right.answer, expected)
	if slices.Equal(a, right.answer) || anyAllows(expected, left.step, a, right.answer) {
		return nil
	}
	return []string{fmt.Sprintf("%s\n%s", left.step, cmp.Diff(a, right.answer))}
}

// silent says that an answer has no tagged reply.
func silent(e exchange) bool { return len(e.answer) == 0 || e.answer[len(e.answer)-1] == "" }

func anyAllows(expected []*difference, st step, left, right []string) bool {
	for _, d := range expected {
		if d.allows(st, left, right) {
			d.used = true
			return true
		}
	}
	return false
}

// allows says that this is the difference that was expected.
func (d *difference) allows(st step, left, right []string) bool {
	switch d.rule {
	case "words":
		return slices.Equal(onlyStatus(left, d.arguments[0]), onlyStatus(right, d.arguments[0]))
	case "answer":
		pattern := strings.Join(d.arguments[1:], "\n")
		whole, err := regexp.MatchString("^(?:"+pattern+")$", strings.Join(right, "\n"))
		return st.kind+" "+st.shown == d.arguments[0] && err == nil && whole
	}
	return false
}

// onlyStatus is an answer without the words behind its last status, if that is
// the one given.
func onlyStatus(answer []string, status string) []string {
	all := slices.Clone(answer)
	last := len(all) - 1
	if last < 0 {
		return all
	}
	words := strings.Fields(all[last])
	for i := range min(2, len(words)) { // with a tag before, or without
		if words[i] == status {
			all[last] = strings.Join(words[:i+1], " ")
		}
	}
	return all
}

var capabilities = regexp.MustCompile(`(\* CAPABILITY |\[CAPABILITY )([^\]]*)`)

// withoutCapabilities takes out of an answer those capabilities that the
// other side need not have, where it does not have them.
func withoutCapabilities(answer, other []string, expected []*difference) []string {
	all := slices.Clone(answer)
	for i, response := range all {
		found := capabilities.FindStringSubmatch(response)
		if found == nil {
			continue
		}
		var left []string
		for _, word := range strings.Fields(found[2]) {
			if d := filtered(word, expected); d != nil && !offers(other, word) {
				d.used = true
				continue
			}
			left = append(left, word)
		}
		all[i] = strings.Replace(response, found[2], strings.Join(left, " "), 1)
	}
	return all
}

func filtered(word string, expected []*difference) *difference {
	for _, d := range expected {
		if d.rule == "capability" && d.arguments[0] == word {
			return d
		}
	}
	return nil
}

func offers(answer []string, word string) bool {
	for _, response := range answer {
		if found := capabilities.FindStringSubmatch(response); found != nil && slices.Contains(strings.Fields(found[2]), word) {
			return true
		}
	}
	return false
}
