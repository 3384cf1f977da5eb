package credentials

import (
	"strings"

	"github.com/emersion/go-sasl"

	"mailguard/member"
)

// DecodePlain reads a PLAIN message (RFC 4616). Its error is ErrUnreadable.
func DecodePlain(message []byte) (Credentials, error) {
	c := Credentials{Mechanism: Plain}
	server := sasl.NewPlainServer(func(authzid, name, password string) error {
		c.Login, c.Secret = login(authzid, name), password
		return nil
	})
	if _, done, err := server.Next(message); err != nil || !done {
		return c, ErrUnreadable
	}
	return c, c.Check()
}

// login leaves out an authorization identity that names the same person: the
// upstream need not know the word.
func login(authzid, name string) member.Login {
	if strings.EqualFold(authzid, name) {
		authzid = ""
	}
	return member.Login{Name: name, Authzid: authzid}
}

// DecodeXOAUTH2 reads user=NAME ^A auth=Bearer TOKEN ^A ^A. Its error is
// ErrUnreadable.
func DecodeXOAUTH2(message []byte) (Credentials, error) {
	c := Credentials{Mechanism: XOAUTH2}
	fields, ok := strings.CutSuffix(string(message), "\x01\x01")
	if !ok {
		return c, ErrUnreadable
	}
	for field := range strings.SplitSeq(fields, "\x01") {
		key, value, _ := strings.Cut(field, "=")
		switch key {
		case "user":
			c.Login.Name = value
		case "auth":
			c.Secret = bearer(value)
		default:
			return c, ErrUnreadable
		}
	}
	return c, c.checkToken()
}

// DecodeOAuthBearer reads RFC 7628, 3.1. The user name has to be there: a login
// that names nobody cannot be guarded. Its errors are ErrUnreadable and
// ErrNamesNobody.
func DecodeOAuthBearer(message []byte) (Credentials, error) {
	c := Credentials{Mechanism: OAuthBearer}
	header, rest, ok := strings.Cut(string(message), "\x01")
	parts := strings.Split(header, ",")
	if !ok || len(parts) != 3 || (parts[0] != "n" && parts[0] != "y") || parts[2] != "" {
		return c, ErrUnreadable
	}
	name, ok := strings.CutPrefix(parts[1], "a=")
	if !ok {
		return c, ErrNamesNobody
	}
	c.Login.Name = strings.NewReplacer("=2C", ",", "=3D", "=").Replace(name)
	for field := range strings.SplitSeq(strings.TrimSuffix(rest, "\x01\x01"), "\x01") {
		if value, ok := strings.CutPrefix(field, "auth="); ok {
			c.Secret = bearer(value)
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

func (c Credentials) checkToken() error {
	if c.Secret == "" {
		return ErrUnreadable
	}
	return c.Check()
}
