package upstream

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
)

// refused is an answer which ends the reading of a command. "" was given.
type refused string

func (r refused) Error() string { return string(r) }

// lexer reads the arguments of one command.
type lexer struct {
	s        *imapSession
	c        *command
	line     string // what is left of the line
	brackets bool   // [...] belongs to an atom
	shown    strings.Builder
}

// args reads to the end of the command or, deeper, of the list.
func (l *lexer) args(depth int) ([]arg, error) {
	var args []arg
	for {
		l.line = strings.TrimPrefix(l.line, " ")
		switch {
		case l.line == "" && depth == 0:
			return args, nil
		case l.line == "", depth > 30:
			return nil, l.bad("Missing ')'")
		case l.line[0] == ')' && depth == 0:
			return nil, l.bad("Unexpected ')'")
		case l.line[0] == ')':
			l.line = l.line[1:]
			return args, nil
		}
		a, err := l.one(args, depth)
		if err != nil {
			return args, err
		}
		args = append(args, a)
	}
}

func (l *lexer) bad(why string) error { return refused(l.c.bad(why)) }

// one reads one argument, which stands behind so many others.
func (l *lexer) one(earlier []arg, depth int) (arg, error) {
	switch {
	case l.line[0] == '(':
		l.line = l.line[1:]
		args, err := l.args(depth + 1)
		return arg{kind: list, list: args}, err
	case l.line[0] == '"':
		return l.quoted()
	case l.line[0] == '{', strings.HasPrefix(l.line, "~{"):
		return l.literal(earlier, depth)
	}
	return l.atom()
}

func (l *lexer) quoted() (arg, error) {
	var text strings.Builder
	for i := 1; i < len(l.line); i++ {
		switch c := l.line[i]; {
		case c == '"':
			l.line = l.line[i+1:]
			return arg{kind: quoted, text: text.String()}, nil
		case c == '\\' && i+1 < len(l.line):
			i++
			text.WriteByte(l.line[i])
		case c == 0 || c == '\r':
			return arg{}, l.bad("Invalid characters in string")
		default:
			text.WriteByte(c)
		}
	}
	return arg{}, l.bad(`Missing '"'`)
}

func (l *lexer) atom() (arg, error) {
	i, open := 0, false
	for ; i < len(l.line); i++ {
		c := l.line[i]
		if l.brackets && (c == '[' || c == ']') {
			open = c == '['
		}
		if !open && (c == ' ' || c == '(' || c == ')') {
			break
		}
		if c < ' ' || c > '~' || !open && (c == '"' || c == '{') {
			return arg{}, l.bad("Invalid characters in atom")
		}
	}
	a := arg{text: l.line[:i]}
	l.line = l.line[i:]
	return a, nil
}

// literal reads a literal and the line behind it.
func (l *lexer) literal(earlier []arg, depth int) (arg, error) {
	digits, plus, ok := literalSize(l.line)
	size, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil || plus && !l.s.can("LITERAL+") {
		return arg{}, l.bad("Invalid literal size")
	}
	binary := l.line[0] == '~'
	message := l.c.drafts != nil && depth == 0 && len(earlier) > 0
	if err := l.admit(earlier, size, plus, message); err != nil {
		return arg{}, err
	}
	if binary && !(message && l.s.can("BINARY")) {
		return arg{}, l.bad("Invalid literal8")
	}
	content, err := l.content(int(size))
	if err != nil {
		return arg{}, err
	}
	if err := l.nextLine(content, message); err != nil {
		return arg{}, err
	}
	if message {
		l.c.drafts.take(content)
		return arg{kind: literal}, nil
	}
	return arg{kind: literal, text: string(content)}, nil
}

// content reads a literal. What is announced and does not come costs no more
// memory than prepared.
func (l *lexer) content(size int) ([]byte, error) {
	const prepared = 16 << 20
	var b bytes.Buffer
	b.Grow(min(size, prepared) + spare)
	if _, err := io.CopyN(&b, l.s.r, int64(size)); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// literalSize takes "{5}", "~{5}" and "{5+}" apart. A literal ends the line.
func literalSize(line string) (digits string, plus, ok bool) {
	digits, ok = strings.CutSuffix(strings.TrimPrefix(line, "~")[1:], "}")
	digits, plus = strings.CutSuffix(digits, "+")
	return digits, plus, ok && digits != "" && strings.Trim(digits, "0123456789") == ""
}

// admit lets a literal come: it asks for it where the client waits. Where it is
// refused the client does not send it, or it is read and dropped.
func (l *lexer) admit(earlier []arg, size int64, plus, message bool) error {
	var problem string
	switch {
	case message:
		problem = l.s.admitMessage(l.c, earlier, size)
	case size > maxLiteral:
		problem = l.c.bad("Literal size too large")
	}
	switch {
	case problem != "" && plus:
		return l.drop(size, problem)
	case problem != "":
		return refused(problem)
	case plus:
		return nil
	case l.c.action.Answer != "" || l.c.action.Silent:
		return refused("not asked for") // nobody sees this: the hook answers
	case !l.s.goOn("OK"):
		return refused("")
	}
	return nil
}

// drop reads over a literal which was sent unasked, and over what follows.
func (l *lexer) drop(size int64, problem string) error {
	for {
		if _, err := io.CopyN(io.Discard, l.s.r, size); err != nil {
			return err
		}
		line, err := l.s.readLine()
		if err != nil {
			return err
		}
		i := strings.LastIndexByte(line, '{')
		if i < 0 {
			return refused(problem)
		}
		digits, plus, ok := literalSize(line[i:])
		if size, err = strconv.ParseInt(digits, 10, 64); !ok || !plus || err != nil {
			return refused(problem)
		}
	}
}

// nextLine goes on behind a literal.
func (l *lexer) nextLine(content []byte, message bool) (err error) {
	if l.line, err = l.s.readLine(); errors.Is(err, errTooLong) {
		return l.bad("Too long argument")
	} else if err != nil {
		return err
	}
	l.shown.WriteString("\r\n")
	if !message {
		l.shown.Write(content[:min(len(content), maxShown)])
	}
	l.shown.WriteString(l.line)
	return nil
}
