package account

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"mailguard/member"
	"mailguard/proxy/credentials"
)

// Secrets say how the service account of an upstream logs in. In Username and
// Authorization {mailbox} stands for the mailbox's name, {user} and {domain} for
// what is before and behind its "@".
type Secrets struct {
	OAuth         bool   // by XOAUTH2 with a token, and not by PLAIN with a password
	Username      string // the login name, as in "{mailbox}*mailguard"
	Authorization string // the SASL authorization identity; "" none

	PasswordFile string   // of PLAIN
	TokenFile    string   // of XOAUTH2; so is the next, where this one is ""
	TokenCommand []string // a program with its arguments, which writes the token
}

// Keyring makes the credentials of the service account. Files are read at each
// login, so that secrets are changed without a restart; what a command wrote is
// kept for a while. Its methods may be called from any goroutine.
type Keyring struct {
	secrets Secrets
	tokens  tokens
}

// NewKeyring returns a keyring. Nothing is read before somebody logs in.
func NewKeyring(s Secrets) *Keyring {
	return &Keyring{secrets: s, tokens: tokens{command: s.TokenCommand, turn: make(chan struct{}, 1), now: time.Now}}
}

// Credentials are what opens a mailbox. Nothing of the secret is in an error.
func (k *Keyring) Credentials(ctx context.Context, mailbox member.Mailbox) (credentials.Credentials, error) {
	c := credentials.Credentials{Mechanism: credentials.Plain}
	fill := placeholders(mailbox)
	c.Login = member.Login{Name: fill.Replace(k.secrets.Username), Authzid: fill.Replace(k.secrets.Authorization)}
	var err error
	switch {
	case mailbox == "" || mailbox.Domain() == "" && strings.Contains(k.secrets.Username+k.secrets.Authorization, "{domain}"):
		return c, fmt.Errorf("mailbox %q has no domain, which the service account's login name needs", mailbox)
	case !k.secrets.OAuth:
		c.Secret, err = readSecret("password_file", k.secrets.PasswordFile)
	case k.secrets.TokenFile != "":
		c.Mechanism = credentials.XOAUTH2
		c.Secret, err = readSecret("token_file", k.secrets.TokenFile)
	default:
		c.Mechanism = credentials.XOAUTH2
		c.Secret, err = k.tokens.get(ctx)
	}
	if err == nil && c.Check() != nil {
		err = errors.New("the service account's name or secret has control characters in it")
	}
	return c, err
}

// Refused says that the server did not take these credentials: a token is not
// kept any longer.
func (k *Keyring) Refused(c credentials.Credentials) { k.tokens.forget(c.Secret) }

// placeholders fills in what stands for parts of a mailbox's name.
func placeholders(mailbox member.Mailbox) *strings.Replacer {
	user, domain, _ := strings.Cut(string(mailbox), "@")
	return strings.NewReplacer("{mailbox}", string(mailbox), "{user}", user, "{domain}", domain)
}

// largestSecret bounds a password or token, in octets.
const largestSecret = 64 << 10

// readSecret reads a file of one line. The file's name is not shown: it may be
// the secret itself, written into the wrong place.
func readSecret(key, name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		var at *os.PathError
		if errors.As(err, &at) {
			err = at.Err
		}
		return "", fmt.Errorf("the file that `%s` of the service account names: %w", key, err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, largestSecret+1))
	secret := strings.TrimRight(string(text), "\r\n")
	switch {
	case err != nil:
		return "", fmt.Errorf("the file that `%s` of the service account names cannot be read", key)
	case secret == "":
		return "", fmt.Errorf("the file that `%s` of the service account names is empty", key)
	case len(text) > largestSecret:
		return "", fmt.Errorf("the file that `%s` of the service account names is larger than 64 KiB", key)
	}
	return secret, nil
}
