package config

import (
	"slices"
	"strings"
	"testing"
)

// TestInScalar looks for the X of a value: its place in the file must be found
// from its place in the value.
func TestInScalar(t *testing.T) {
	for name, text := range map[string]string{
		"plain":                  "when: a && X\n",
		"plain in a flow":        "{name: a, when: a && X, then: b}\n",
		"plain on two lines":     "when: a &&\n  b && X\n",
		"plain with empty line":  "when: a &&\n\n\n  b && X\n",
		"plain behind a tag":     "when: !!str  a && X\n",
		"plain behind an anchor": "when: &it\n  # remark\n\n  a && X\n",
		"single":                 "when: 'a && X'\n",
		"single with quotes":     "when: 'a == ''b'' && X'\n",
		"single on two lines":    "when: 'a &&  \n   b && X'\n",
		"single, empty lines":    "when: 'a &&\n\n   \n   b && X'\n",
		"single, begins empty":   "when: '\n  b && X'\n",
		"double":                 "when: \"a && X\"\n",
		"double with escapes":    "when: \"\\\"a\\\" == \\x41\\u00e4\\U0001F600\\t && X\"\n",
		"double on two lines":    "when: \"a &&\n  b && X\"\n",
		"double, escaped end":    "when: \"a && \\\n  b && X\"\n",
		"double, escaped blank":  "when: \"a &&\n  \\ b && X\"\n",
		"double, backslash end":  "when: \"a && \\\\\n  X\"\n",
		"literal":                "when: |\n  a &&\n    b && X\n",
		"literal, empty lines":   "when: |\n\n\n   a &&\n\n   X\n",
		"literal, indented more": "when: |2-\n    a &&\n   X\n",
		"literal, kept ends":     "when: |+ # remark\n  X\n\n\nthen: b\n",
		"literal behind a tag":   "when: !!str |\n  a\n  X\n",
		"literal in a list":      "- name: a\n  when: |\n    a &&\n    X\n",
		"literal with CRLF":      "when: |\r\n  a &&\r\n  X\r\n",
		"folded":                 "when: >\n  a &&\n  b && X\n",
		"folded, empty lines":    "when: >-\n  a &&\n\n\n  b &&\n  X\n",
		"folded, indented lines": "when: >\n  a &&\n    b &&\n\n    c &&\n  d\n  && X\n",
		"folded, begins empty":   "when: >\n\n  a\n  X\n",
		"letters beyond ASCII":   "when: ä == \"ö\" && X\n",
	} {
		t.Run(name, func(t *testing.T) {
			src, bad := parse("f", text)
			if bad != nil {
				t.Fatal(bad.text)
			}
			n := src.root
			if len(n.Content) == 1 {
				n = n.Content[0]
			}
			_, value := child(n, "when")
			line, column := placeOf(t, value.Value)
			want, _, _ := src.find(func(r rune) bool { return r == 'X' })
			if got := src.inScalar(value, line, column); got != want {
				t.Errorf("value %q, %d:%d: got %v, want %v", value.Value, line, column, got, want)
			}
		})
	}
}

// placeOf returns line and column of the X.
func placeOf(t *testing.T, value string) (line, column int) {
	t.Helper()
	for i, text := range strings.Split(value, "\n") {
		if at := slices.Index([]rune(text), 'X'); at >= 0 {
			return i + 1, at + 1
		}
	}
	t.Fatalf("no X in %q", value)
	return 0, 0
}

func TestInScalarAtTheEdges(t *testing.T) {
	src, _ := parse("f", "when: \"a\\x58\"\n")
	_, value := child(src.root, "when")
	for _, c := range []struct {
		line, column int
		want         position
	}{
		{0, 0, position{1, 7}},  // the whole value
		{1, 0, position{1, 8}},  // before its beginning
		{1, 2, position{1, 9}},  // an escape begins at its backslash
		{1, 3, position{1, 13}}, // its end
		{1, 9, position{1, 13}}, // behind its end
		{7, 1, position{1, 13}}, // a line that it does not have
	} {
		if got := src.inScalar(value, c.line, c.column); got != c.want {
			t.Errorf("%d:%d: got %v, want %v", c.line, c.column, got, c.want)
		}
	}
}
