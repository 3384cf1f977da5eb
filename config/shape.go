package config

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v4"
)

// shape holds a tree against the types of file.go. What does not fit is
// reported and cut off, so that the rest can be decoded and every place in a
// list keeps the same number in the tree and in the decoded value.
type shape struct {
	mistakes []mistake
	// blamed are the mappings in which a key was wrong: what seems to be
	// missing there is probably what was misspelt.
	blamed map[*yaml.Node]bool
	// seen keeps values that aliases repeat from being looked at, and
	// reported, more than once.
	seen map[seenValue]bool
}

type seenValue struct {
	node *yaml.Node
	want reflect.Type
}

// field is what is known of a value from where it stands.
type field struct {
	label  string   // as messages call it
	words  []string // the only values, if there are any
	secret bool     // not to be shown
}

func newShape() *shape {
	return &shape{blamed: make(map[*yaml.Node]bool), seen: make(map[seenValue]bool)}
}

// wrong reports a mistake at a node.
func (s *shape) wrong(n *yaml.Node, format string, args ...any) {
	s.mistakes = append(s.mistakes, mistake{positionOf(n), fmt.Sprintf(format, args...)})
}

// fits checks a value, and reports whether it can be decoded.
func (s *shape) fits(n *yaml.Node, want reflect.Type, f field) bool {
	n = follow(n)
	for want.Kind() == reflect.Pointer {
		want = want.Elem()
	}
	id := seenValue{n, want}
	if fit, seen := s.seen[id]; seen {
		return fit
	}
	s.seen[id] = true // nothing of ours contains itself: this ends a cycle of aliases
	fit := s.look(n, want, f)
	s.seen[id] = fit
	return fit
}

func (s *shape) look(n *yaml.Node, want reflect.Type, f field) bool {
	switch {
	case isText(want):
		return s.scalar(n, want, f)
	case want.Kind() == reflect.Struct:
		return s.keys(n, want, f)
	case want.Kind() == reflect.Map:
		return s.entries(n, want, f)
	case want.Kind() == reflect.Slice:
		return s.list(n, want, f)
	default:
		return s.scalar(n, want, f)
	}
}

// isText reports whether a type reads its own text.
func isText(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// keys checks a mapping whose keys are the fields of a struct.
func (s *shape) keys(n *yaml.Node, want reflect.Type, f field) bool {
	fields, known := fieldsOf(want)
	if n.Kind != yaml.MappingNode {
		s.wrong(n, "%s has keys of its own (%s); this is %s", f.label, strings.Join(known, ", "), s.kind(n, f))
		return false
	}
	s.pairs(n, func(key, value *yaml.Node) bool {
		sf, ok := fields[key.Value]
		if !ok {
			s.unknown(n, key, known)
			return false
		}
		return isNull(value) || s.fits(value, sf.Type, fieldOf(key.Value, sf))
	})
	return true
}

// entries checks a mapping with free keys and values of one type.
func (s *shape) entries(n *yaml.Node, want reflect.Type, f field) bool {
	if n.Kind != yaml.MappingNode {
		s.wrong(n, "%s is a list of KEY: VALUE; this is %s", f.label, s.kind(n, f))
		return false
	}
	s.pairs(n, func(key, value *yaml.Node) bool {
		if isNull(value) {
			s.wrong(key, "`%s` has no value; write one, or remove the key", key.Value)
			return false
		}
		return s.fits(value, want.Elem(), field{label: "`" + key.Value + "`"})
	})
	return true
}

// pairs goes through a mapping and keeps the pairs that fit. A mapping in which
// one did not is blamed.
func (s *shape) pairs(n *yaml.Node, fit func(key, value *yaml.Node) bool) {
	first := make(map[string]int)
	var kept []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := follow(n.Content[i]), n.Content[i+1]
		if s.key(n.Content[i], key, first) && fit(key, value) {
			kept = append(kept, key, value)
		}
	}
	s.blamed[n] = len(kept) < len(n.Content)
	n.Content = kept
}

// key checks that a key is a plain word that was not there before.
func (s *shape) key(at, key *yaml.Node, first map[string]int) bool {
	line, twice := first[key.Value]
	switch {
	case key.Kind != yaml.ScalarNode:
		s.wrong(at, "a key is a word; this is %s", s.kind(key, field{}))
		return false
	case key.ShortTag() == "!!merge":
		s.wrong(at, "`<<` is not understood here; write the keys out")
		return false
	case twice:
		s.wrong(at, "`%s` is written twice; the first is in line %d", key.Value, line)
		return false
	}
	first[key.Value] = at.Line
	return true
}

// unknown reports a key that nobody knows.
func (s *shape) unknown(n, key *yaml.Node, known []string) {
	if meant := nearest(key.Value, known); meant != "" {
		s.wrong(key, "unknown key `%s`; did you mean `%s`?", key.Value, meant)
		return
	}
	s.wrong(key, "unknown key `%s`; the keys here are %s", key.Value, strings.Join(known, ", "))
}

// list checks a list whose entries are of one type.
func (s *shape) list(n *yaml.Node, want reflect.Type, f field) bool {
	if n.Kind != yaml.SequenceNode {
		s.wrong(n, "%s is a list, as [one, two] or with a `-` before each entry; this is %s", f.label, s.kind(n, f))
		return false
	}
	var kept []*yaml.Node
	for i, entry := range n.Content {
		one := field{fmt.Sprintf("%s[%d]`", strings.TrimSuffix(f.label, "`"), i), f.words, f.secret}
		if isNull(entry) {
			s.wrong(entry, "%s is empty; remove it", one.label)
		} else if s.fits(entry, want.Elem(), one) {
			kept = append(kept, entry)
		}
	}
	s.blamed[n] = len(kept) < len(n.Content)
	n.Content = kept
	return true
}

// scalar checks a single value by decoding it.
func (s *shape) scalar(n *yaml.Node, want reflect.Type, f field) bool {
	switch {
	case n.Kind != yaml.ScalarNode:
		s.wrong(n, "%s is %s, not %s", f.label, wanted(want), s.kind(n, f))
		return false
	case f.words != nil:
		return s.word(n, f)
	case isText(want):
		return s.text(n, want, f)
	}
	if err := n.Load(reflect.New(want).Interface()); err != nil {
		s.wrong(n, "%s is %s, not %s", f.label, wanted(want), s.kind(n, f))
		return false
	}
	return true
}

// text checks a value whose type reads its own text.
func (s *shape) text(n *yaml.Node, want reflect.Type, f field) bool {
	reader, _ := reflect.New(want).Interface().(encoding.TextUnmarshaler)
	err := reader.UnmarshalText([]byte(n.Value))
	var form *formError
	switch {
	case err == nil:
		return true
	case errors.As(err, &form):
		s.wrong(n, "%s is %s, not %s: %s", f.label, form.form, s.kind(n, f), form.why)
	default:
		s.wrong(n, "%s is not right: %s", f.label, err)
	}
	return false
}

// word checks a value of which there are only a few. YAML spells true and
// false in several ways; they become the one that file.go lists.
func (s *shape) word(n *yaml.Node, f field) bool {
	if n.ShortTag() == "!!bool" {
		n.Value = strings.ToLower(n.Value)
	}
	for _, w := range f.words {
		if n.Value == w {
			return true
		}
	}
	s.wrong(n, "%s is %s, not %s", f.label, alternatives(f.words), s.kind(n, f))
	return false
}

// wanted says what a single value of a type is.
func wanted(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[headerList]():
		return headerListForm
	case isText(t):
		return "a single value such as 30d"
	case t.Kind() == reflect.Int:
		return "a whole number"
	case t.Kind() == reflect.Bool:
		return "true or false"
	}
	return "text"
}

// kind says what a value is: a list, keys, or the value itself unless it could
// be a secret.
func (s *shape) kind(n *yaml.Node, f field) string {
	switch {
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Kind == yaml.MappingNode:
		return "keys with values"
	case f.secret:
		return "that"
	}
	return quote(n.Value)
}

// isNull reports whether a value says nothing.
func isNull(n *yaml.Node) bool {
	n = follow(n)
	return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}

// fieldsOf returns a struct's fields by their keys, and the keys in order.
func fieldsOf(t reflect.Type) (map[string]reflect.StructField, []string) {
	fields := make(map[string]reflect.StructField)
	var known []string
	for sf := range t.Fields() {
		key := sf.Tag.Get("yaml")
		fields[key] = sf
		known = append(known, key)
	}
	return fields, known
}

// fieldOf returns what a struct's field says of its value.
func fieldOf(key string, sf reflect.StructField) field {
	f := field{label: "`" + key + "`", secret: sf.Tag.Get("secret") != ""}
	if words := sf.Tag.Get("words"); words != "" {
		f.words = strings.Split(words, ",")
	}
	return f
}
