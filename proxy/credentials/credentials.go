package credentials

import (
	"errors"
	"strings"

	"github.com/emersion/go-sasl"

	"mailguard/member"
)

// The names of the mechanisms, as they are announced.
const (
	Plain       = sasl.Plain
	Login       = sasl.Login
	XOAUTH2     = "XOAUTH2"
	OAuthBearer = sasl.OAuthBearer
)

// The errors of credentials that are refused. Their texts are for the client, and
// for the log: nothing of the credentials is in them.
var (
	// ErrUnreadable is the error of credentials that cannot be read.
	ErrUnreadable = errors.New("the credentials cannot be read")

	// ErrNamesNobody is the error of a token that comes without a name.
	ErrNamesNobody = errors.New("the authorization identity (a=) must name the mailbox")

	// ErrChannelBinding is the error of a login that is bound to the TLS connection
	// it came through (RFC 5802, 6): it cannot come through another one.
	ErrChannelBinding = errors.New("channel binding is not possible through a proxy")
)

// Credentials are what a client logs in with. They live until the upstream has
// answered, and are never logged.
type Credentials struct {
	Mechanism string // one of the names above, or the protocol's own command
	Login     member.Login
	Secret    string // password, or bearer token
}

// Check refuses credentials without a name, and characters that some servers read
// as the end of a line or of a name. Its error is ErrUnreadable.
func (c Credentials) Check() error {
	if c.Login.Name == "" || !clean(c.Login.Name) || !clean(c.Login.Authzid) || !clean(c.Secret) {
		return ErrUnreadable
	}
	return nil
}

// clean reports whether s is without control characters.
func clean(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f })
}

// Message is what the upstream gets as the initial response, with the name by
// which it knows the login. Whatever is not a token goes as PLAIN.
func (c Credentials) Message(name string) ([]byte, error) {
	switch c.Mechanism {
	case XOAUTH2:
		return []byte("user=" + name + "\x01auth=Bearer " + c.Secret + "\x01\x01"), nil
	case OAuthBearer:
		return []byte("n,a=" + saslName.Replace(name) + ",\x01auth=Bearer " + c.Secret + "\x01\x01"), nil
	default:
		_, message, err := sasl.NewPlainClient(c.Login.Authzid, name, c.Secret).Start()
		return message, err
	}
}

// saslName writes a name as RFC 5801, 4 has it.
var saslName = strings.NewReplacer("=", "=3D", ",", "=2C")
