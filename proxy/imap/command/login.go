package command

import (
	"encoding/base64"
	"fmt"
	"io"
	"strings"

	"mailguard/proxy/imap/wire"
)

// Secret is a password, or a SASL response. No way of printing it shows it.
type Secret string

// hidden is what is printed instead of a secret.
const hidden = "***"

// Format prints "***", whatever the verb is.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// String is "***".
func (Secret) String() string { return hidden }

// MarshalText is "***", so that JSON and logs do not have it either.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// Login is the arguments of LOGIN (RFC 9051, 6.2.3).
type Login struct {
	User     string
	Password Secret
}

func (Login) args() {}

// Encode writes the user and the password.
func (a Login) Encode(e *wire.Encoder) {
	e.Space()
	e.AString(a.User)
	e.Space()
	e.AString(string(a.Password))
}

// String is the user without the password. Of a user who typed the password
// first, that is the password: so it is not shown either.
func (a Login) String() string { return hidden + " " + hidden }

// GoString is String.
func (a Login) GoString() string { return a.String() }

// ParseLogin is the grammar of LOGIN.
func ParseLogin(p *Parser) Args {
	user := p.text()
	return Login{User: user, Password: Secret(p.text())}
}

// Authenticate is the arguments of AUTHENTICATE (RFC 9051, 6.2.2).
type Authenticate struct {
	Mechanism string // upper case
	Initial   Secret // the initial response (RFC 4959), decoded
	IR        bool   // there is an initial response; it may be empty
}

func (Authenticate) args() {}

// Encode writes the mechanism, and the initial response in base64.
func (a Authenticate) Encode(e *wire.Encoder) {
	encodeWords(e, a.Mechanism)
	switch {
	case a.IR && a.Initial == "":
		encodeWords(e, "=")
	case a.IR:
		encodeWords(e, base64.StdEncoding.EncodeToString([]byte(a.Initial)))
	}
}

// String is the mechanism.
func (a Authenticate) String() string {
	if a.IR {
		return a.Mechanism + " " + hidden
	}
	return a.Mechanism
}

// GoString is String.
func (a Authenticate) GoString() string { return a.String() }

// maxMechanism is the longest name of a SASL mechanism (RFC 4422, 3.1).
const maxMechanism = 20

// ParseAuthenticate is the grammar of AUTHENTICATE.
func ParseAuthenticate(p *Parser) Args {
	p.lex.Space()
	a := Authenticate{Mechanism: string(p.lex.Keyword())}
	if len(a.Mechanism) > maxMechanism || strings.Contains(a.Mechanism, ".") {
		p.lex.Fail("Not a mechanism")
	}
	if !p.lex.Try(' ') {
		return a
	}
	a.IR = true
	if text := p.lex.Atom(); text != "=" {
		response, err := base64.StdEncoding.Strict().DecodeString(text)
		if err != nil {
			p.lex.Fail("The initial response is not base64")
		}
		a.Initial = Secret(response)
	}
	return a
}

// ID is the arguments of ID (RFC 2971). Without pairs it is NIL.
type ID struct {
	Pairs []IDPair
}

// IDPair says something of a client.
type IDPair struct {
	Key   string
	Value string
	Null  bool // the value is NIL
}

// maxIDPairs is how many there may be (RFC 2971, 3.3).
const maxIDPairs = 30

func (ID) args() {}

// Encode writes the pairs, or NIL.
func (a ID) Encode(e *wire.Encoder) {
	e.Space()
	if len(a.Pairs) == 0 {
		e.Raw("NIL")
		return
	}
	encodeList(e, a.Pairs, func(pair IDPair) {
		e.String(pair.Key)
		e.Space()
		e.NString(pair.Value, !pair.Null)
	})
}

// ParseID is the grammar of ID.
func ParseID(p *Parser) Args {
	var a ID
	p.lex.Space()
	if p.lex.Peek() != '(' {
		if _, ok := p.lex.NString(); ok {
			p.lex.Fail("Expected a list or NIL")
		}
		return a
	}
	p.lex.List(0, func() { a.Pairs = append(a.Pairs, p.idPair()) })
	if len(a.Pairs) > maxIDPairs {
		p.lex.Fail("Too many pairs")
	}
	return a
}

func (p *Parser) idPair() IDPair {
	var pair IDPair
	pair.Key = p.lex.String()
	p.lex.Space()
	value, ok := p.lex.NString()
	pair.Value, pair.Null = value, !ok
	p.noControls(pair.Key)
	p.noControls(pair.Value)
	return pair
}

// Enable is the arguments of ENABLE (RFC 9051, 6.3.1).
type Enable struct {
	Capabilities []string // upper case, one or more
}

func (Enable) args() {}

// Encode writes the capabilities.
func (a Enable) Encode(e *wire.Encoder) { encodeWords(e, a.Capabilities...) }

// ParseEnable is the grammar of ENABLE.
func ParseEnable(p *Parser) Args {
	var a Enable
	for more := true; more; more = !p.lex.AtEnd() && p.lex.Err() == nil {
		p.lex.Space()
		word := strings.ToUpper(p.lex.Atom())
		if strings.Contains(word, "}") {
			p.lex.Fail("Not a capability")
		}
		a.Capabilities = append(a.Capabilities, word)
	}
	return a
}
