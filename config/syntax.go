package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v4"
)

// mistake is a problem before it knows the name of its file.
type mistake struct {
	position
	text string
}

// parse returns the text's tree. Text that is no YAML has no tree and one
// mistake: a parser that has lost its place would only find more of them that
// are none.
func parse(name, text string) (*source, *mistake) {
	text = strings.TrimPrefix(text, "\ufeff")
	if at, invalid := firstInvalid(text); invalid {
		return nil, &mistake{at, "this is not UTF-8; save the file in that encoding"}
	}
	s := &source{name: name, lines: splitLines(text)}
	loader, err := yaml.NewLoader(strings.NewReader(text))
	if err != nil {
		return nil, &mistake{position{1, 1}, "the YAML reader cannot be made: " + err.Error()}
	}
	var document, second yaml.Node
	if err := loader.Load(&document); errors.Is(err, io.EOF) {
		return s, nil
	} else if err != nil {
		return nil, s.syntaxMistake(err)
	}
	if err := loader.Load(&second); err == nil {
		at := positionOf(&second)
		return nil, &mistake{at, "a second document begins here (`---`); one file is one configuration"}
	} else if !errors.Is(err, io.EOF) {
		return nil, s.syntaxMistake(err)
	}
	s.root = topOf(&document)
	return s, nil
}

// topOf returns a document's value, or nil if it says nothing.
func topOf(document *yaml.Node) *yaml.Node {
	if len(document.Content) == 0 {
		return nil
	}
	top := follow(document.Content[0])
	if top.Kind == yaml.ScalarNode && top.ShortTag() == "!!null" {
		return nil
	}
	return top
}

// syntaxMistake says in our words what the library says in its own.
func (s *source) syntaxMistake(err error) *mistake {
	var all *yaml.LoadErrors
	var one *yaml.LoadError
	switch {
	case errors.As(err, &all) && len(all.Errors) > 0:
		one = all.Errors[0]
	case !errors.As(err, &one):
		return &mistake{position{1, 1}, "this is not YAML: " + err.Error()}
	}
	at := position{one.Mark.Line, one.Mark.Column}
	if strings.HasPrefix(one.Message, "control characters") {
		place, r, _ := s.find(func(r rune) bool { return unicode.IsControl(r) && r != '\t' })
		return &mistake{place, fmt.Sprintf("the control character U+%04X cannot be in a text file; remove it", r)}
	}
	at = s.within(at)
	if line := s.lines[at.line-1]; at.column <= len(line) && line[at.column-1] == '\t' {
		return &mistake{at, syntaxWords[0].ours}
	}
	return &mistake{at, syntaxText(one)}
}

// within returns the position, or the nearest one that the text has.
func (s *source) within(at position) position {
	at.line = max(1, min(at.line, len(s.lines)))
	at.column = max(1, min(at.column, len(s.lines[at.line-1])+1))
	return at
}

// syntaxWords are the library's messages that people meet, by how they begin,
// and what helps. "%s" is where the thing in question began.
var syntaxWords = []struct{ theirs, ours string }{
	{"found a tab character", "a tab cannot indent a line; use blanks"},
	{"found character that cannot start any token", "a value cannot begin with this character; put it in quotes"},
	{"mapping values are not allowed", "a `:` is not expected here: is the line indented like its neighbours? A value with \": \" in it needs quotes"},
	{"block sequence entries are not allowed", "a `-` is not expected here: is the line indented like its neighbours?"},
	{"did not find expected ',' or ']'", "the list that begins at %s is not closed; a `,` or `]` is missing"},
	{"did not find expected ',' or '}'", "the `{` at %s is not closed; a `,` or `}` is missing"},
	{"did not find expected '-' indicator", "this line does not belong to the list that begins at %s: is it indented like the others?"},
	{"did not find expected key", "this line does not belong to the keys that begin at %s: is it indented like the others?"},
	{"did not find expected node content", "a value is missing here"},
	{"could not find expected ':'", "a `:` is missing after the key"},
	{"found unexpected end of stream", "the quoted text that begins at %s is not closed"},
	{"found unexpected document indicator", "the quoted text that begins at %s is not closed"},
	{"found unknown escape character", "this is no escape; write `\\\\` for a backslash, or put the text in single quotes"},
	{"did not find expected alphabetic or numeric character", "`*` and `&` at the beginning of a value have a meaning of their own; put the value in quotes"},
	{"unknown anchor", "`*` at the beginning of a value refers to a `&` that is not there; put the value in quotes"},
	{"exceeded max depth", "this is nested too deeply"},
}

// syntaxText returns our words for the library's message. What it does not
// know it passes on, but never a piece of the file: that could be a secret.
func syntaxText(e *yaml.LoadError) string {
	began := fmt.Sprintf("%d:%d", e.ContextMark.Line, e.ContextMark.Column)
	for _, w := range syntaxWords {
		if strings.HasPrefix(e.Message, w.theirs) {
			return strings.ReplaceAll(w.ours, "%s", began)
		}
	}
	return "this is not YAML: " + withoutQuoted(e.Message)
}

// withoutQuoted returns the text without what it quotes.
func withoutQuoted(text string) string {
	var b bytes.Buffer
	for i, part := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune("'\"`", r) }) {
		if i%2 == 1 {
			part = "..."
		}
		b.WriteString(part)
	}
	return b.String()
}
