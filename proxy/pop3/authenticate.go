package pop3

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"mailguard/proxy/credentials"
)

// mechUser stands for USER and PASS among the mechanisms.
const mechUser = "USER"

// errCredentials is the error of credentials that cannot be read.
var errCredentials = Reply{Code: "AUTH", Text: "The credentials cannot be read"}

// errNamesNobody is the error of a token that comes without a name.
var errNamesNobody = Reply{Code: "AUTH", Text: "The authorization identity (a=) must name the mailbox"}

// unread makes the reply of an error of credentials, and leaves other errors as
// they are.
func unread(err error) error {
	switch {
	case errors.Is(err, credentials.ErrUnreadable):
		return errCredentials
	case errors.Is(err, credentials.ErrNamesNobody):
		return errNamesNobody
	}
	return err
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
func (s *server) authenticate(c credentials.Credentials, name string, answer func(challenge []byte) ([]byte, error)) (Reply, error) {
	mechanism := c.Mechanism
	if mechanism != credentials.XOAUTH2 && mechanism != credentials.OAuthBearer {
		user, pass := Command{Verb: "USER", Text: name}.String(), Command{Verb: "PASS", Text: c.Secret}.String()
		if c.Login.Authzid == "" && s.prefersUser(mechanism, user, pass) {
			return s.userPass(user, pass)
		}
		mechanism = credentials.Plain
	}
	message, err := c.Message(name)
	if err != nil {
		return Reply{}, err
	}
	return s.auth(mechanism, message, answer)
}

// prefersUser reports whether USER and PASS are to be used rather than PLAIN:
// what the client chose, as far as the upstream can do it and the lines fit.
func (s *server) prefersUser(mechanism, user, pass string) bool {
	fits := len(user) <= maxUserLine && len(pass) <= maxUserLine
	return !s.caps.offers(credentials.Plain) || (mechanism == mechUser && fits)
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
