package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

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
		case slices.Contains([]string{"capability", "words", "answer", "section"}, key):
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
		if (d.rule == "answer" || d.rule == "section") && len(d.arguments) < 2 {
			return nil, fmt.Errorf("differences.txt: %s %q does not say what the guard answers", d.rule, d.arguments)
		}
		if _, err := regexp.Compile(strings.Join(d.arguments[1:], "\n")); err != nil {
			return nil, fmt.Errorf("differences.txt: %w", err)
		}
	}
	return all, nil
}

// allows says that this is the answer that was expected of the right side. It
// has to answer: a reply that is missing is never expected.
func (d *difference) allows(st scriptStep, right []string) bool {
	switch d.rule {
	case "answer":
		return st.kind+" "+st.shown == d.arguments[0] && d.isAnswer(right)
	case "section":
		return st.kind != "===" && st.section == d.arguments[0] && d.isAnswer(right)
	}
	return false
}

func (d *difference) isAnswer(right []string) bool {
	pattern := "^(?:" + strings.Join(d.arguments[1:], "\n") + ")$"
	return regexp.MustCompile(pattern).MatchString(strings.Join(right, "\n"))
}

// withoutExpectedWords leaves out of both answers the words that may differ. A
// rule for one command holds for pipelined ones too, which share their answer.
func withoutExpectedWords(st scriptStep, left, right []string, expected []*difference) (a, b []string) {
	for _, d := range expected {
		status, name, _ := strings.Cut(d.arguments[0], " ")
		if slices.Equal(left, right) || d.rule != "words" || name != "" && name != st.name() && st.kind != "P:" {
			continue
		}
		before := unequal(left, right)
		left, right = withoutWords(left, status), withoutWords(right, status)
		d.used = d.used || unequal(left, right) < before
	}
	return left, right
}

// unequal counts the responses that differ.
func unequal(left, right []string) int {
	count := max(len(left), len(right)) - min(len(left), len(right))
	for i := range min(len(left), len(right)) {
		if left[i] != right[i] {
			count++
		}
	}
	return count
}

// withoutWords leaves the text for people out of the responses that have this
// status: what a program reads, the status and its code, stays.
func withoutWords(answer []string, status string) []string {
	pattern := regexp.MustCompile(`^((?:\S+ )?` + status + `(?: \[[^\]]*\])?)(?: .*)?$`)
	var all []string
	for _, response := range answer {
		all = append(all, pattern.ReplaceAllString(response, "$1"))
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

// sortCapabilities sorts them: their order says nothing.
func sortCapabilities(answer []string) []string {
	for i, response := range answer {
		if found := capabilities.FindStringSubmatch(response); found != nil {
			words := strings.Fields(found[2])
			slices.Sort(words)
			answer[i] = strings.Replace(response, found[2], strings.Join(words, " "), 1)
		}
	}
	return answer
}
