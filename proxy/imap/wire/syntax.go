package wire

// SyntaxError is a command that cannot be read. Its text is for the client and
// never contains what the client sent: it might be a password.
type SyntaxError struct {
	Text  string
	Close bool // the framing itself is in doubt: nothing more can be read
}

// Error is the text for the client.
func (e *SyntaxError) Error() string { return e.Text }

// Limits bound what one command may cost. They are budgets of the whole
// command, not of each item in it.
type Limits struct {
	Line     int   // octets of text with the line ends, without the content of literals
	Literals int64 // octets in literals that are held in memory
	Tokens   int   // atoms, strings, numbers and brackets
	Depth    int   // brackets in brackets; also keys in keys of SEARCH
}

// The limits of a command after the login. Dovecot's line is as long; nobody's
// client nests deeper than a few levels.
const (
	MaxLine     = 64 << 10
	MaxLiterals = 64 << 10
	MaxTokens   = 10_000
	MaxDepth    = 32
)

// DefaultLimits returns the limits of a command after the login.
func DefaultLimits() Limits {
	return Limits{Line: MaxLine, Literals: MaxLiterals, Tokens: MaxTokens, Depth: MaxDepth}
}

// Errors that leave the framing in doubt: what follows cannot be told from the
// rest of the command.
var (
	errOverlong   = &SyntaxError{Text: "Command too long", Close: true}
	errBigLiteral = &SyntaxError{Text: "Literal too big", Close: true}
)

// The other errors of a line.
var (
	errLineEnd = &SyntaxError{Text: "Lines end in CRLF"}
	errControl = &SyntaxError{Text: "A line has no CR or NUL in it"}
)

// tail is how a line ends, for a parser that only looks at its end.
type tail int

const (
	tailNone tail = iota
	tailWaiting
	tailFollowed
)

// lineTail says whether a line that could not be read may announce a literal:
// one for which the client waits, or one whose content follows at once. Other
// parsers take more than we do for an announcement ("{ 11+}", "{11-}", blanks
// behind it), so this does as well: anything in braces with a sign or a blank.
func lineTail(line []byte) tail {
	end := len(line)
	for end > 0 && (line[end-1] <= ' ' || line[end-1] == 0x7f) {
		end--
	}
	if end == 0 || line[end-1] != '}' {
		return tailNone
	}
	found := tailWaiting
	for i := end - 2; i >= 0; i-- {
		switch c := line[i]; {
		case c == '{':
			return found
		case c == '+' || c == '-' || c <= ' ':
			found = tailFollowed
		case (c < '0' || c > '9') && found == tailWaiting:
			found = tailNone
		}
	}
	return tailNone
}
