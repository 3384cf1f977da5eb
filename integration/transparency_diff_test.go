package integration

import (
	"fmt"
	"regexp"
	"slices"
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
	{regexp.MustCompile(`^(\* LIST \([^)]*?) ?\\(?:Unm|UnM|M)arked`), "$1"}, // a hint, by the second in which a folder changed
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
	return sortCapabilities(all)
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

// fewest is how many commands a session must have to prove anything.
const fewest = 150

// differences compares two plays of one script. It returns what differs and was
// not expected, and what was expected and did not occur.
func differences(left, right []played, expected []*difference) []string {
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
func commands(play []played) int {
	count, waiting := 0, 0
	for _, e := range play {
		if e.step.isCommand() && !e.lost {
			waiting++
		}
		if len(e.answer) > 0 {
			count, waiting = count+waiting, 0
		}
	}
	return count
}

func compareStep(left, right played, expected []*difference) []string {
	if left.lost || right.lost {
		return nil // play has said so
	}
	if (left.step.kind == "C:" || left.step.kind == "2:") && (silent(left) || silent(right)) {
		return []string{fmt.Sprintf("%s: a side answered nothing: %q and %q", left.step, left.answer, right.answer)}
	}
	a := withoutCapabilities(left.answer, right.answer, expected)
	for _, d := range expected {
		if !slices.Equal(a, right.answer) && d.allows(left.step, right.answer) {
			d.used = true
			return nil
		}
	}
	a, b := withoutExpectedWords(left.step, a, right.answer, expected)
	if slices.Equal(a, b) {
		return nil
	}
	return []string{fmt.Sprintf("%s\n%s", left.step, cmp.Diff(a, b))}
}

// silent says that an answer has no tagged reply.
func silent(e played) bool { return len(e.answer) == 0 || e.answer[len(e.answer)-1] == "" }
