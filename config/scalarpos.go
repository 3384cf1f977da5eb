package config

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// inScalar returns where in the file the character at a line and column of a
// text value stands. A value is not written as it reads: quotes, escapes,
// indentation and folded lines lie between. Where the way back is not certain,
// it is the beginning of the value.
func (s *source) inScalar(n *yaml.Node, line, column int) position {
	at, ok := s.characters(n)
	if n.Kind != yaml.ScalarNode || line < 1 || !ok {
		return positionOf(n)
	}
	index := 0
	for i, text := range strings.SplitAfter(n.Value, "\n") {
		runes := len([]rune(text))
		if i+1 == line {
			index += max(0, min(column-1, runes))
			break
		}
		index += runes
	}
	return at[min(index, len(at)-1)]
}

// characters returns the position of every character of a value, and of its
// end. It is false where the text in the file does not lead to the value.
func (s *source) characters(n *yaml.Node) ([]position, bool) {
	c := &cursor{lines: s.lines, at: positionOf(n)}
	c.skipProperties()
	value := []rune(n.Value)
	switch {
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return c.block(value)
	case n.Style&yaml.DoubleQuotedStyle != 0:
		c.at.column++
		return c.flow(value, c.escaped)
	case n.Style&yaml.SingleQuotedStyle != 0:
		c.at.column++
		return c.flow(value, c.doubled)
	}
	return c.flow(value, c.plain)
}

// cursor walks through the text of a value.
type cursor struct {
	lines [][]rune
	at    position
}

// end reports whether the line, or the text, ends here.
func (c *cursor) end() bool {
	return c.at.line > len(c.lines) || c.at.column > len(c.lines[c.at.line-1])
}

// peek returns the character that is so many further in the line, or 0.
func (c *cursor) peek(further int) rune {
	if c.end() || c.at.column+further > len(c.lines[c.at.line-1]) {
		return 0
	}
	return c.lines[c.at.line-1][c.at.column-1+further]
}

func (c *cursor) blank() bool { return c.peek(0) == ' ' || c.peek(0) == '\t' }

// nextLine goes to the beginning of the next line; false if there is none.
func (c *cursor) nextLine() bool {
	c.at = position{c.at.line + 1, 1}
	return c.at.line <= len(c.lines)
}

// skipProperties goes past a tag and an anchor to the value itself.
func (c *cursor) skipProperties() {
	for c.peek(0) == '!' || c.peek(0) == '&' {
		for !c.end() && !c.blank() {
			c.at.column++
		}
		c.skipSpace()
	}
}

// skipSpace goes past blanks, line ends and comments.
func (c *cursor) skipSpace() {
	for c.at.line <= len(c.lines) {
		switch {
		case c.blank():
			c.at.column++
		case c.end() || c.peek(0) == '#':
			c.nextLine()
		default:
			return
		}
	}
}

// flow follows a value that is plain or in quotes. The unit tells what one
// character of the value is written as.
func (c *cursor) flow(value []rune, unit func() (r rune, width int)) ([]position, bool) {
	var at []position
	for i := 0; i < len(value); {
		if folded, ok := c.fold(); ok {
			if i+len(folded.text) > len(value) || string(value[i:i+len(folded.text)]) != folded.text {
				return nil, false
			}
			for range folded.text {
				at = append(at, folded.from)
				i++
			}
			continue
		}
		r, width := unit()
		if width == 0 || r != value[i] {
			return nil, false
		}
		at = append(at, c.at)
		c.at.column += width
		i++
	}
	return append(at, c.at), true
}

// folding is a line end within a value, with the blanks around it.
type folding struct {
	from position
	text string // what it stands for: a blank, or the empty lines
}

// fold goes past a line end within a value, if there is one: a single one
// stands for a blank, of several the first is dropped. A backslash before it
// makes it nothing.
func (c *cursor) fold() (folding, bool) {
	start := c.at
	for c.blank() {
		c.at.column++
	}
	from := c.at
	escaped := from == start && c.peek(0) == '\\' && c.peek(1) == 0
	if !c.end() && !escaped {
		c.at = start
		return folding{}, false
	}
	breaks := 0
	for c.nextLine() {
		breaks++
		for c.blank() {
			c.at.column++
		}
		if !c.end() {
			break
		}
	}
	switch text := strings.Repeat("\n", max(breaks-1, 0)); {
	case escaped:
		return folding{from, text}, true
	case breaks == 0:
		c.at = start
		return folding{}, false
	case text == "":
		return folding{from, " "}, true
	default:
		return folding{from, text}, true
	}
}

// plain: every character stands for itself.
func (c *cursor) plain() (rune, int) { return c.peek(0), 1 }

// doubled: in single quotes, two of them are one.
func (c *cursor) doubled() (rune, int) {
	if c.peek(0) == '\'' {
		return '\'', 2
	}
	return c.peek(0), 1
}

// escapes are the escapes of one letter that YAML has in double quotes.
var escapes = map[rune]rune{
	'0': 0, 'a': '\a', 'b': '\b', 't': '\t', '\t': '\t', 'n': '\n', 'v': '\v', 'f': '\f', 'r': '\r', 'e': 0x1b,
	' ': ' ', '"': '"', '/': '/', '\\': '\\', 'N': 0x85, '_': 0xa0, 'L': 0x2028, 'P': 0x2029,
}

// escaped: in double quotes, a backslash begins an escape.
func (c *cursor) escaped() (rune, int) {
	if c.peek(0) != '\\' {
		return c.peek(0), 1
	}
	letter := c.peek(1)
	if r, ok := escapes[letter]; ok {
		return r, 2
	}
	digits := map[rune]int{'x': 2, 'u': 4, 'U': 8}[letter]
	var hex []rune
	for i := range digits {
		hex = append(hex, c.peek(2+i))
	}
	code, err := strconv.ParseUint(string(hex), 16, 32)
	if err != nil {
		return 0, 0
	}
	return rune(code), 2 + digits
}
