package command

import (
	"bufio"

	"mailguard/proxy/imap/wire"
)

// Limits of a command's beginning, in octets.
const (
	maxTag  = 64
	maxName = 32
)

// Parser reads the commands of one client, one after the other. It keeps its
// buffers from command to command. One goroutine uses it.
//
// A command is read in two steps, so that a session can look the name up and
// see whether the command is legal now before it reads the arguments: Start,
// then Args or Skip. A *wire.SyntaxError of any of them ends the command, and
// its line has been dropped; where it says Close, nothing more can be read.
// Other errors are the reader's. Start, Line and NextAppend may then be called
// again, and go on where they were; Args may not.
type Parser struct {
	lex       *wire.Lexer
	name      string
	byUID     bool // the name begins with UID
	searchRes bool
	keys      int  // of SEARCH, as far as they have been read
	bracket   bool // UTF8 (~{n} of APPEND is still open
}

// Grammar reads the arguments of a command, up to the end of its line.
type Grammar func(*Parser) Args

// NewParser returns a parser without a reader. ask sends the line for which a
// client waits before it sends a literal; it is called within Args.
func NewParser(ask func() error) *Parser {
	return &Parser{lex: wire.NewLexer(ask)}
}

// Reset gives the parser a reader to go on with. With nil it lets go of its
// buffers, for as long as the session is quiet.
func (p *Parser) Reset(r *bufio.Reader) { p.lex.Reset(r) }

// Half reports whether a part of a line has been read: a reader that failed in
// it must not be thought quiet.
func (p *Parser) Half() bool { return p.lex.Half() }

// SetLimits sets the limits of the commands to come.
func (p *Parser) SetLimits(l wire.Limits) { p.lex.SetLimits(l) }

// SetUTF8 says whether the client has enabled UTF8=ACCEPT (RFC 6855) or
// IMAP4rev2: names of folders are then not in modified UTF-7.
func (p *Parser) SetUTF8(on bool) { p.lex.SetUTF8(on) }

// SetSearchRes says whether "$" is a set of messages (RFC 5182).
func (p *Parser) SetSearchRes(on bool) { p.searchRes = on }

// Start reads the tag and the name of a command. The name is in upper case;
// "UID" and the name behind it are one name with one blank. With an error the
// tag is still returned if it could be read.
func (p *Parser) Start() (tag, name string, err error) {
	if err := p.lex.Begin(); err != nil {
		return "", "", err
	}
	p.keys, p.bracket = 0, false
	tag = p.lex.Tag(maxTag)
	if !p.wordEnds() {
		tag = ""
	}
	p.lex.Check()
	p.lex.Space()
	name = p.readName()
	if err := p.lex.Finish(); err != nil {
		return tag, "", err
	}
	return tag, name, nil
}

// wordEnds expects the end of the line or a blank, without reading it.
func (p *Parser) wordEnds() bool {
	if !p.lex.AtEnd() && p.lex.Peek() != ' ' {
		p.lex.Fail("Expected a blank")
	}
	return p.lex.Err() == nil
}

func (p *Parser) readName() string {
	word := p.lex.Keyword()
	p.byUID = string(word) == "UID"
	if p.byUID {
		p.lex.Space()
		word = p.lex.Keyword()
	}
	if len(word) > maxName {
		p.lex.Fail("Unknown command")
	}
	if !p.wordEnds() { // nor has there been an error
		return ""
	}
	p.keepName(word)
	return p.name
}

// keepName makes no new string where the client sends the same command again.
func (p *Parser) keepName(word []byte) {
	prefix := ""
	if p.byUID {
		prefix = uidPrefix
	}
	if len(p.name) != len(prefix)+len(word) || p.name[:len(prefix)] != prefix || p.name[len(prefix):] != string(word) {
		p.name = prefix + string(word)
	}
}

const uidPrefix = "UID "

// Args reads the arguments of the command that was started.
func (p *Parser) Args(g Grammar) (Args, error) {
	args := g(p)
	p.lex.End()
	if err := p.lex.Finish(); err != nil {
		return nil, err
	}
	return args, nil
}

// Skip drops the rest of the command that was started. Its error says that the
// framing is in doubt; without one, the client can be answered, and the next
// command read.
func (p *Parser) Skip() error { return p.lex.Skip() }

// Line reads one line that is not a command, of at most limit octets: an
// answer of SASL, or DONE. It is returned without its CRLF and is valid until
// the next call.
func (p *Parser) Line(limit int) ([]byte, error) { return p.lex.Line(limit) }
