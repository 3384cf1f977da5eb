package config

// block follows a literal or folded block (| and >). The value itself tells
// which line ends are kept, which became a blank and which were dropped.
func (c *cursor) block(value []rune) ([]position, bool) {
	c.nextLine()
	indent := c.indent(value)
	c.enterLine(indent)
	var at []position
	for i := 0; i < len(value); {
		switch {
		case c.at.line > len(c.lines):
			return nil, false
		case !c.end() && c.peek(0) == value[i]:
			at = append(at, c.at)
			c.at.column++
			i++
		case !c.end():
			return nil, false
		default:
			if value[i] == '\n' || value[i] == ' ' && !c.emptyLine(indent) {
				at = append(at, c.at)
				i++
			} else if !c.emptyLine(indent) {
				return nil, false
			}
			c.nextLine()
			c.enterLine(indent)
		}
	}
	if len(at) == 0 {
		return nil, false
	}
	return append(at, c.at), true
}

// indent returns by how much the block is indented: what its first line that
// is not empty has in the file more than in the value.
func (c *cursor) indent(value []rune) int {
	inFile := 0
	for _, line := range c.lines[min(c.at.line-1, len(c.lines)):] {
		if blanks := leading(line); blanks < len(line) {
			inFile = blanks
			break
		}
	}
	for start := 0; start < len(value); {
		length := 0
		for start+length < len(value) && value[start+length] != '\n' {
			length++
		}
		if blanks := leading(value[start : start+length]); blanks < length {
			return max(0, inFile-blanks)
		}
		start += length + 1
	}
	return inFile
}

// leading counts the blanks at the beginning of a line.
func leading(line []rune) int {
	for i, r := range line {
		if r != ' ' {
			return i
		}
	}
	return len(line)
}

// enterLine goes past the indentation.
func (c *cursor) enterLine(indent int) {
	for range indent {
		if c.peek(0) != ' ' {
			return
		}
		c.at.column++
	}
}

// emptyLine reports whether the line has nothing but its indentation.
func (c *cursor) emptyLine(indent int) bool {
	line := c.lines[c.at.line-1]
	return leading(line) == len(line) && len(line) <= indent
}
