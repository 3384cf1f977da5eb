package pop3

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/emersion/go-sasl"

	"mailguard/member"
)

// The ways to log in. "USER" stands for USER and PASS.
const (
	mechUser        = "USER"
	mechPlain       = sasl.Plain
	mechLogin       = sasl.Login
	mechXOAUTH2     = "XOAUTH2"
	mechOAuthBearer = sasl.OAuthBearer
)

// credentials are what a client logs in with. They live until the upstream
// has answered, and are never logged.
type credentials struct {
	mechanism string
	login     member.Login
	secret    string // password, or bearer token
}

// errCredentials is the error of credentials that cannot be read.
var errCredentials = Reply{Code: "AUTH", Text: "The credentials cannot be read"}

// errNamesNobody is the error of a token that comes without a name.
var errNamesNobody = Reply{Code: "AUTH", Text: "The authorization identity (a=) must name the mailbox"}

// check refuses characters that some servers read as the end of a line or of
// a name.
func (c credentials) check() error {
	for _, s := range []string{c.login.Name, c.login.Authzid, c.secret} {
		if checkArgument(s) != nil {
			return errCredentials
		}
	}
	if c.login.Name == "" {
		return errCredentials
	}
	return nil
}

// decodePlain reads a PLAIN message (RFC 4616).
func decodePlain(message []byte) (credentials, error) {
	c := credentials{mechanism: mechPlain}
	server := sasl.NewPlainServer(func(authzid, name, password string) error {
		if strings.EqualFold(authzid, name) {
			authzid = "" // the same person: the upstream need not know the word
		}
		c.login, c.secret = member.Login{Name: name, Authzid: authzid}, password
		return nil
	})
	if _, done, err := server.Next(message); err != nil || !done {
		return c, errCredentials
	}
	return c, c.check()
}

// decodeXOAUTH2 reads user=NAME ^A auth=Bearer TOKEN ^A ^A.
func decodeXOAUTH2(message []byte) (credentials, error) {
	c := credentials{mechanism: mechXOAUTH2}
	fields, ok := strings.CutSuffix(string(message), "\x01\x01")
	if !ok {
		return c, errCredentials
	}
	for field := range strings.SplitSeq(fields, "\x01") {
		key, value, _ := strings.Cut(field, "=")
		switch key {
		case "user":
			c.login.Name = value
		case "auth":
			c.secret = bearer(value)
		default:
			return c, errCredentials
		}
	}
	return c, c.checkToken()
}

// decodeOAuthBearer reads RFC 7628, 3.1. The user name has to be there: a
// login that names nobody cannot be guarded.
func decodeOAuthBearer(message []byte) (credentials, error) {
	c := credentials{mechanism: mechOAuthBearer}
	header, rest, ok := strings.Cut(string(message), "\x01")
	parts := strings.Split(header, ",")
	if !ok || len(parts) != 3 || (parts[0] != "n" && parts[0] != "y") || parts[2] != "" {
		return c, errCredentials
	}
	name, ok := strings.CutPrefix(parts[1], "a=")
	if !ok {
		return c, errNamesNobody
	}
	c.login.Name = strings.NewReplacer("=2C", ",", "=3D", "=").Replace(name)
	for field := range strings.SplitSeq(strings.TrimSuffix(rest, "\x01\x01"), "\x01") {
		if value, ok := strings.CutPrefix(field, "auth="); ok {
			c.secret = bearer(value)
		}
	}
	return c, c.checkToken()
}

func bearer(value string) string {
	scheme, token, _ := strings.Cut(value, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return token
}

func (c credentials) checkToken() error {
	if c.secret == "" {
		return errCredentials
	}
	return c.check()
}

// message is what the upstream gets as the initial response, with the name by
// which it knows the login.
func (c credentials) message(name string) ([]byte, error) {
	switch c.mechanism {
	case mechXOAUTH2:
		return []byte("user=" + name + "\x01auth=Bearer " + c.secret + "\x01\x01"), nil
	case mechOAuthBearer:
		escaped := strings.NewReplacer("=", "=3D", ",", "=2C").Replace(name)
		return []byte("n,a=" + escaped + ",\x01auth=Bearer " + c.secret + "\x01\x01"), nil
	default:
		_, message, err := sasl.NewPlainClient(c.login.Authzid, name, c.secret).Start()
		return message, err
	}
}

// maxInitialResponse is the longest AUTH line, in octets without its line end,
// that carries an initial response (RFC 2449, 4: 255 with CRLF). A longer one
// goes in an answer of its own (RFC 5034, 4).
const maxInitialResponse = 253

// maxRounds bounds the challenges of one authentication.
const maxRounds = 4

var errTooManyRounds = errors.New("the upstream asks for more than the mechanism has")

// authenticate logs in on the upstream under name. Where the upstream has a
// challenge of its own (the reason why a token was refused), answer asks the
// client.
func (s *server) authenticate(c credentials, name string, answer func(challenge []byte) ([]byte, error)) (Reply, error) {
	mechanism := c.mechanism
	if mechanism != mechXOAUTH2 && mechanism != mechOAuthBearer {
		user, pass := Command{Verb: "USER", Text: name}.String(), Command{Verb: "PASS", Text: c.secret}.String()
		if c.login.Authzid == "" && s.prefersUser(mechanism, user, pass) {
			return s.userPass(user, pass)
		}
		mechanism = mechPlain
	}
	message, err := c.message(name)
	if err != nil {
		return Reply{}, err
	}
	return s.auth(mechanism, message, answer)
}

// prefersUser reports whether USER and PASS are to be used rather than PLAIN:
// what the client chose, as far as the upstream can do it and the lines fit.
func (s *server) prefersUser(mechanism, user, pass string) bool {
	fits := len(user) <= maxUserLine && len(pass) <= maxUserLine
	return !s.caps.offers(mechPlain) || (mechanism == mechUser && fits)
}

// maxUserLine is the longest USER or PASS line for an upstream, without its
// line end: Cyrus cuts a longer line in pieces and reads each as a command.
const maxUserLine = maxLine - 2

func (s *server) userPass(user, pass string) (Reply, error) {
	if len(user) > maxUserLine || len(pass) > maxUserLine {
		return errCredentials, nil
	}
	reply, err := s.command(user)
	if err != nil || !reply.OK {
		return reply, err
	}
	return s.command(pass)
}

// auth is RFC 5034's exchange.
func (s *server) auth(mechanism string, message []byte, answer func([]byte) ([]byte, error)) (Reply, error) {
	encoded := base64.StdEncoding.EncodeToString(message)
	line := "AUTH " + mechanism + " " + encoded
	if len(line) > maxInitialResponse {
		if err := s.sendLongAuth(mechanism); err != nil {
			return Reply{}, err
		}
		line = encoded
	}
	for range maxRounds {
		if err := s.send(line); err != nil {
			return Reply{}, err
		}
		challenge, reply, err := s.readAuth()
		if err != nil || challenge == nil {
			return reply, err
		}
		response, err := answer(challenge)
		if err != nil {
			return Reply{}, err
		}
		line = base64.StdEncoding.EncodeToString(response)
	}
	return Reply{}, errTooManyRounds
}

func (s *server) sendLongAuth(mechanism string) error {
	if err := s.send("AUTH " + mechanism); err != nil {
		return err
	}
	challenge, reply, err := s.readAuth()
	switch {
	case err != nil || challenge != nil:
		return err
	case reply.OK: // nobody is let in who has not said anything
		return s.note(fmt.Errorf("%w: +OK instead of a challenge", errNonsense))
	default:
		return reply
	}
}

// readAuth reads a challenge, or the reply if there is none (challenge nil).
func (s *server) readAuth() (challenge []byte, reply Reply, err error) {
	line, err := s.readLine()
	if err != nil {
		return nil, Reply{}, err
	}
	encoded, ok := strings.CutPrefix(line, "+ ")
	if !ok && line != "+" {
		reply, err = parseReply(line)
		return nil, reply, err
	}
	if line == "+" {
		encoded = ""
	}
	challenge, err = base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, Reply{}, fmt.Errorf("%w: a challenge that is not base64", errNonsense)
	}
	return append([]byte{}, challenge...), Reply{}, nil
}
