package imap

import (
	"encoding/base64"
	"errors"
	"strconv"
	"strings"

	"mailguard/proxy/credentials"
)

// maxRounds bounds the challenges of one authentication.
const maxRounds = 5

var errTooManyRounds = errors.New("the upstream asks for more than the mechanism has")

// maxInitialResponse is the longest initial response that goes in the command's
// own line, in octets of base64: some servers have short lines before the
// login.
const maxInitialResponse = 1000

// authenticate logs in on the upstream under name. Where the upstream has a
// challenge of its own (the reason why a token was refused, SCRAM), answer asks
// the client.
func (s *server) authenticate(a attempt, name string, answer func(challenge string) (string, error)) (result, error) {
	mechanism, message, err := s.firstMessage(a, name)
	if err != nil {
		return result{}, err
	}
	if mechanism == "" {
		return s.login(name, a.credentials.Secret)
	}
	text, encoded := "AUTHENTICATE "+mechanism, base64.StdEncoding.EncodeToString(message)
	waiting := true // the message is still to be sent
	if s.caps.has("SASL-IR") && len(encoded) <= maxInitialResponse {
		text, waiting = text+" "+encoded, false
	}
	rounds := 0
	s.caps = nil
	return s.exchange(text, func(challenge string) (string, error) {
		if rounds++; rounds > maxRounds {
			return "", errTooManyRounds
		}
		if waiting {
			waiting = false
			return encoded, nil
		}
		return answer(challenge)
	}, nil)
}

// firstMessage is how the login goes upstream: as the client chose where only
// that is possible, else as PLAIN, else by the command LOGIN (mechanism "").
func (s *server) firstMessage(a attempt, name string) (mechanism string, message []byte, err error) {
	if a.scram != "" {
		return a.scram, a.first, nil
	}
	mechanism = a.credentials.Mechanism
	if mechanism != credentials.XOAUTH2 && mechanism != credentials.OAuthBearer {
		mechanism = credentials.Plain
		if !s.caps.has("AUTH=PLAIN") && !s.caps.has("LOGINDISABLED") && a.credentials.Login.Authzid == "" {
			return "", nil, nil
		}
	}
	message, err = a.credentials.Message(name)
	return mechanism, message, err
}

// login is the command LOGIN. A string that cannot be quoted goes as a literal,
// once the server has asked for it.
func (s *server) login(name, password string) (result, error) {
	var pending []string
	line := "LOGIN"
	for _, arg := range []string{name, password} {
		if quotable(arg) {
			line += ` "` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(arg) + `"`
			continue
		}
		pending = append(pending, line+" {"+strconv.Itoa(len(arg))+"}")
		line = arg
	}
	pending = append(pending, line)
	s.caps = nil
	return s.exchange(pending[0], func(string) (string, error) {
		if len(pending) < 2 {
			return "", errTooManyRounds
		}
		pending = pending[1:]
		return pending[0], nil
	}, nil)
}

func quotable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r > 0x7e })
}
