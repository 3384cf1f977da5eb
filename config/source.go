package config

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// source is the text of a file and the tree that it makes. Nodes know where in
// the text they begin.
type source struct {
	name  string     // as problems show it
	lines [][]rune   // without their ends
	root  *yaml.Node // the top mapping; nil where the file says nothing
}

// position is a place in the text; both count from 1, columns in characters.
type position struct{ line, column int }

// path leads from the top of the file to a value: keys are strings, places in
// a list are ints.
type path []any

// of returns a path that leads further, and leaves p as it was.
func (p path) of(steps ...any) path {
	return append(p[:len(p):len(p)], steps...)
}

// String returns the path as people write it: listeners[0].tls.
func (p path) String() string {
	var b strings.Builder
	for _, step := range p {
		switch step := step.(type) {
		case int:
			fmt.Fprintf(&b, "[%d]", step)
		default:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			fmt.Fprint(&b, step)
		}
	}
	return b.String()
}

// lineEnd is what YAML 1.1 calls a line break; the library counts lines by it.
var lineEnd = regexp.MustCompile("\r\n|[\r\n\u0085\u2028\u2029]")

// splitLines returns the text's lines in characters.
func splitLines(text string) [][]rune {
	var lines [][]rune
	for _, line := range lineEnd.Split(text, -1) {
		lines = append(lines, []rune(line))
	}
	return lines
}

// node returns the node that the path leads to, or the last one on the way
// there; found says which.
func (s *source) node(p path) (n *yaml.Node, found bool) {
	n = s.root
	for _, step := range p {
		_, next := child(n, step)
		if next == nil {
			return n, false
		}
		n = next
	}
	return n, n != nil
}

// key returns the key by which the path's last step is written. A place in a
// list has no key: it is the value itself.
func (s *source) key(p path) *yaml.Node {
	parent, found := s.node(p[:len(p)-1])
	if !found {
		return parent
	}
	key, value := child(parent, p[len(p)-1])
	switch {
	case key != nil:
		return key
	case value != nil:
		return value
	}
	return parent
}

// child returns what one step leads to: a key with its value, or a place in a
// list, which has no key.
func child(n *yaml.Node, step any) (key, value *yaml.Node) {
	if n == nil {
		return nil, nil
	}
	switch step := step.(type) {
	case int:
		if n.Kind == yaml.SequenceNode && step < len(n.Content) {
			return nil, follow(n.Content[step])
		}
	case string:
		for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
			if follow(n.Content[i]).Value == step {
				return n.Content[i], follow(n.Content[i+1])
			}
		}
	}
	return nil, nil
}

// follow returns the node that an alias stands for, or the node itself.
func follow(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode && n.Alias != nil {
		n = n.Alias
	}
	return n
}

// positionOf returns where a node begins; the top of the file if there is none.
func positionOf(n *yaml.Node) position {
	if n == nil || n.Line == 0 {
		return position{1, 1}
	}
	return position{n.Line, n.Column}
}

// find returns the place of the first character that is wanted.
func (s *source) find(wanted func(rune) bool) (position, rune, bool) {
	for i, line := range s.lines {
		for j, r := range line {
			if wanted(r) {
				return position{i + 1, j + 1}, r, true
			}
		}
	}
	return position{1, 1}, 0, false
}

// firstInvalid returns where text that is not UTF-8 begins not to be, or false.
func firstInvalid(text string) (position, bool) {
	for i, r := range text {
		if r != utf8.RuneError {
			continue
		}
		if _, width := utf8.DecodeRuneInString(text[i:]); width == 1 {
			before := splitLines(text[:i])
			return position{len(before), len(before[len(before)-1]) + 1}, true
		}
	}
	return position{}, false
}
