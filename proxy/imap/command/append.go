package command

import (
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"

	"mailguard/proxy/imap/wire"
)

// Append is the arguments of APPEND (RFC 9051, 6.3.12; RFC 3502) up to the
// announcement of the first message. The octets of the message are still in
// the reader when Args returns: the session asks the client for them if Sync,
// takes Size octets from the reader, and calls NextAppend.
type Append struct {
	Folder  string
	Message AppendMessage
}

// AppendMessage is one message of an APPEND, without its octets.
type AppendMessage struct {
	Flags  []imap.Flag
	Date   string // INTERNALDATE as in RFC 9051, 9, date-time; "": the server's time
	Size   int64  // octets
	Sync   bool   // the client waits to be asked for the octets
	Binary bool   // literal8 (RFC 3516): NUL may be in it
	UTF8   bool   // within UTF8 ( ) (RFC 6855, 4); Binary is then set
}

func (Append) args() {}

// Encode writes the arguments up to the announcement of the message.
func (a Append) Encode(e *wire.Encoder) {
	e.Space()
	e.Folder(a.Folder)
	a.Message.Encode(e)
}

// Encode writes flags and date, behind a blank, and the announcement of the
// message. Behind its octets stands what Tail returns, then the next message
// or the line end.
func (m AppendMessage) Encode(e *wire.Encoder) {
	if len(m.Flags) > 0 {
		e.Space()
		encodeFlags(e, m.Flags)
	}
	if m.Date != "" {
		e.Space()
		e.String(m.Date)
	}
	if m.UTF8 {
		encodeWords(e, "UTF8", "(")
	} else {
		e.Space()
	}
	e.Announce(m.Size, m.Binary)
}

// Tail is what stands behind the octets of the message, before a next one.
func (m AppendMessage) Tail() string {
	if m.UTF8 {
		return ")"
	}
	return ""
}

// ParseAppend is the grammar of APPEND. CATENATE and ANNOTATE are not known.
func ParseAppend(p *Parser) Args {
	folder := p.folder()
	p.lex.Space()
	return Append{Folder: folder, Message: p.appendMessage()}
}

func (p *Parser) appendMessage() (m AppendMessage) {
	if p.lex.Peek() == '(' {
		if flags := p.flagList(); len(flags) > 0 {
			m.Flags = flags
		}
		p.lex.Space()
	}
	if p.lex.Peek() == '"' {
		m.Date = p.dateTime()
		p.lex.Space()
	}
	m.UTF8 = p.lex.TryText("UTF8 (")
	a := p.lex.Announce()
	if m.UTF8 && !a.Binary {
		p.lex.Fail("UTF8 takes a literal8")
	}
	m.Size, m.Sync, m.Binary = a.Size, a.Sync, a.Binary
	p.bracket = m.UTF8
	return m
}

// dateTimeLayout is date-time (RFC 9051, 9).
const dateTimeLayout = "_2-Jan-2006 15:04:05 -0700"

// dateTime reads a date and time. Servers do different things with a bad one,
// so only good ones are passed on.
func (p *Parser) dateTime() string {
	text := p.lex.Quoted()
	t, err := time.ParseInLocation(dateTimeLayout, text, time.UTC)
	if err != nil || strings.ContainsAny(text, ".,") {
		p.lex.Fail("Not a date and time")
		return ""
	}
	return t.Format(dateTimeLayout)
}

// NextAppend goes on with APPEND once the octets of a message have been read
// from the reader. It returns the next message, or nil at the end of the
// command.
func (p *Parser) NextAppend() (*AppendMessage, error) {
	if err := p.lex.Continue(); err != nil {
		return nil, err
	}
	if p.bracket {
		p.lex.Expect(')')
	}
	var next *AppendMessage
	if !p.lex.AtEnd() {
		p.lex.Space()
		m := p.appendMessage()
		next = &m
	}
	p.lex.End()
	if err := p.lex.Finish(); err != nil {
		return nil, err
	}
	return next, nil
}
