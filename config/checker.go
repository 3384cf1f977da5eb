package config

import (
	"fmt"

	"go.yaml.in/yaml/v4"
)

// checker goes through the sections of a decoded file, collects what is wrong
// with them and fills in the result.
type checker struct {
	env    environment
	src    *source
	file   file
	cfg    *Config
	blamed map[*yaml.Node]bool // see shape

	problems, unavailable, warnings Problems
}

func (c *checker) report(at position, text string) {
	c.problems = append(c.problems, c.problem(at, text))
}

func (c *checker) problem(at position, text string) Problem {
	return Problem{File: c.src.name, Line: at.line, Column: at.column, Text: text}
}

// at returns where the value that the path leads to begins, or what it is
// missing from.
func (c *checker) at(p path) position {
	n, _ := c.src.node(p)
	return positionOf(n)
}

// line returns the line of a value, for messages that point at another one.
func (c *checker) line(p path) int { return c.at(p).line }

// written reports whether the file has such a value at all.
func (c *checker) written(p path) bool {
	n, found := c.src.node(p)
	return found && !isNull(n)
}

// wrong reports a mistake in a value.
func (c *checker) wrong(p path, format string, args ...any) {
	c.report(c.at(p), fmt.Sprintf(format, args...))
}

// missing reports a key that should be in the mapping or list that p leads to,
// unless a key that was wrong there is probably that one.
func (c *checker) missing(p path, format string, args ...any) {
	if n, _ := c.src.node(p); !c.blamed[n] {
		c.wrong(p, format, args...)
	}
}

// trusted reports whether everything directly in the mapping or list that p
// leads to could be read. Conclusions from what it does not have need that.
func (c *checker) trusted(p path) bool {
	n, _ := c.src.node(p)
	return !c.blamed[n]
}

// warn notes what works and is probably not meant.
func (c *checker) warn(p path, format string, args ...any) {
	c.warnings = append(c.warnings, c.problem(c.at(p), fmt.Sprintf(format, args...)))
}

// later notes a part of the file that this version does not have yet.
func (c *checker) later(p path, text string) {
	c.unavailable = append(c.unavailable, c.problem(positionOf(c.src.key(p)), text))
}

// laterKey notes a key that this version does not have yet.
func (c *checker) laterKey(p path) {
	c.later(p, fmt.Sprintf("`%s` is not available in this version; remove it", p))
}

// choice returns what was written, or what holds where nothing was.
func choice(written, otherwise string) string {
	if written == "" {
		return otherwise
	}
	return written
}
