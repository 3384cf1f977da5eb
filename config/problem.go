package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one mistake in the file: where it is, what is wrong, and what
// would be right.
type Problem struct {
	File   string // as it was given to Load
	Line   int    // from 1; 0: the file as a whole
	Column int    // in characters, from 1; 0: the file as a whole
	Text   string // for people
}

// String returns "FILE:LINE:COLUMN: text".
func (p Problem) String() string {
	if p.Line == 0 {
		return fmt.Sprintf("%s: %s", p.File, p.Text)
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Text)
}

// Problems are all mistakes of a file, sorted by position. A file without any
// has an empty list: ask for its length, not whether it is nil.
type Problems []Problem

// Error returns the problems, one a line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, one := range p {
		lines[i] = one.String()
	}
	return strings.Join(lines, "\n")
}

// sorted returns the problems by position, each of them once.
func (p Problems) sorted() Problems {
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(a.File, b.File),
			cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Text, b.Text))
	})
	return slices.Compact(p)
}
