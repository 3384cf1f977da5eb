package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// transparencyDir holds the script, the messages in it, and the differences
// that are expected.
const transparencyDir = "testdata/transparency"

// scriptStep is one line of the script, whose format its head explains.
type scriptStep struct {
	section string
	line    int
	kind    string // "===" begins a section; "C:", "P:", "2:", ">", "<" as in the script
	text    string // what is sent or waited for
	shown   string // the same as it stands in the script
}

func (s scriptStep) String() string {
	return fmt.Sprintf("%s (line %d): %s %s", s.section, s.line, s.kind, s.shown)
}

// name is that of the command.
func (s scriptStep) name() string {
	if s.kind == "===" {
		return s.kind
	}
	name, rest, _ := strings.Cut(s.shown, " ")
	if strings.EqualFold(name, "UID") {
		second, _, _ := strings.Cut(rest, " ")
		name += " " + second
	}
	return strings.ToUpper(name)
}

// isCommand says that a step counts as one command of the session.
func (s scriptStep) isCommand() bool {
	return s.kind == "C:" || s.kind == "P:" || s.kind == "2:" || s.kind == ">" && rawCommand.MatchString(s.text)
}

var rawCommand = regexp.MustCompile(`^[a-z]+\d* [A-Za-z]+.*`)

// readScript reads the script and puts the literals in.
func readScript(t testing.TB) []scriptStep {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(transparencyDir, "script.txt"))
	if err != nil {
		t.Fatal(err)
	}
	steps, err := parseScript(string(content))
	if err != nil {
		t.Fatal(err)
	}
	return steps
}

func parseScript(content string) ([]scriptStep, error) {
	var steps []scriptStep
	section, number := "", 0
	for line := range strings.Lines(content) {
		number++
		line = strings.TrimRight(line, "\r\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		kind, shown, _ := strings.Cut(line, " ")
		if kind == "===" {
			section = shown
		}
		s, err := parseStep(scriptStep{section: section, line: number, kind: kind, shown: shown})
		if err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", "script.txt", number, err)
		}
		steps = append(steps, s)
	}
	return steps, nil
}

func parseStep(s scriptStep) (scriptStep, error) {
	var err error
	switch s.kind {
	case "===", "<":
		s.text = s.shown
	case "C:", "P:", "2:":
		s.text, err = withLiterals(s.shown)
	case ">":
		s.text, err = strconv.Unquote(s.shown)
	default:
		err = fmt.Errorf("%q begins no step", s.kind)
	}
	if err == nil && s.section == "" {
		err = fmt.Errorf("a step before the first section")
	}
	return s, err
}

// scriptLiteral is {"text"} or {@message}, with ~ before and + behind where the
// literal is to be binary or not synchronizing.
var scriptLiteral = regexp.MustCompile(`\{("(?:[^"\\]|\\.)*"|@[a-z0-9-]+)(\+?)\}`)

// withLiterals writes the literals of a command as they stand on the wire.
func withLiterals(command string) (string, error) {
	var failed error
	text := scriptLiteral.ReplaceAllStringFunc(command, func(found string) string {
		parts := scriptLiteral.FindStringSubmatch(found)
		content, err := literalContent(parts[1])
		if err != nil {
			failed = err
		}
		return fmt.Sprintf("{%d%s}\r\n%s", len(content), parts[2], content)
	})
	return text, failed
}

func literalContent(word string) (string, error) {
	name, isMessage := strings.CutPrefix(word, "@")
	if !isMessage {
		return strconv.Unquote(word)
	}
	content, err := os.ReadFile(filepath.Join(transparencyDir, "messages", name+".eml"))
	return strings.ReplaceAll(string(content), "\n", "\r\n"), err
}
