package account

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-sasl"

	"mailguard/proxy"
	"mailguard/proxy/credentials"
)

// enter brings a new connection to where folders can be opened. From the login on
// its errors have nothing in them that the server wrote: it might repeat a
// password.
func (s *Session) enter(c credentials.Credentials) error {
	caps, err := s.greet()
	if err != nil {
		return err
	}
	if err := s.authenticate(c, caps); err != nil {
		if err = forAccount(discreet(err)); errors.Is(err, ErrLogin) {
			s.account.Keyring.Refused(c)
		}
		return err
	}
	return discreet(s.settle())
}

// discreet leaves out of an error what the server wrote.
func discreet(err error) error {
	var found finding
	no := refused(err)
	switch {
	case err == nil, errors.As(err, &found):
		return err
	case no == nil: // the connection may know better
		return errors.New("in the middle of the login")
	}
	no.Text = ""
	return finding{no}
}

// forAccount says of a refused login that it is the account that was refused,
// unless it is for the moment only (RFC 5530, 3).
func forAccount(err error) error {
	var no *Refusal
	if !errors.As(err, &no) || slices.Contains([]string{"UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG"}, no.Code) {
		return err
	}
	return finding{fmt.Errorf("%w: %w", ErrLogin, no)}
}

// greet takes the greeting and turns TLS on. What the server can do is only
// believed from behind TLS.
func (s *Session) greet() (imap.CapSet, error) {
	if err := s.open(); err != nil {
		return nil, err
	}
	if err := s.client.WaitGreeting(); err != nil {
		return nil, err
	}
	if s.client.State() == imap.ConnStateAuthenticated { // RFC 9051, 7.1.4: in whose mailbox nobody knows
		return nil, finding{fmt.Errorf("%w: it lets in who has not logged in (PREAUTH)", errNonsense)}
	}
	// Before the login this is the client's own question, whose answer it waits
	// for: it is not under way any more when the login begins.
	caps := s.client.Caps()
	if caps == nil {
		return nil, errors.New("no capabilities")
	}
	return caps, nil
}

// open begins to speak IMAP. A server that does not do STARTTLS where it is
// configured is an error: the guard never falls back to clear text.
func (s *Session) open() error {
	if s.account.Dialer.Mode != proxy.TLSStart {
		s.client = imapclient.New(s.conn, nil)
		return nil
	}
	if s.account.Dialer.TLS == nil {
		return finding{errors.New("there is no TLS configuration")}
	}
	client, err := imapclient.NewStartTLS(s.conn, &imapclient.Options{TLSConfig: s.account.Dialer.TLS})
	var unverified *tls.CertificateVerificationError
	switch no := refused(err); {
	case no != nil:
		return finding{fmt.Errorf("the server does not do STARTTLS: %w", no)}
	case errors.As(err, &unverified):
		return finding{err}
	}
	s.client = client
	return err
}

// authenticate logs in. LOGIN is for servers without PLAIN: it has no
// authorization identity.
func (s *Session) authenticate(c credentials.Credentials, caps imap.CapSet) error {
	offers := func(mechanism string) bool {
		return slices.ContainsFunc(caps.AuthMechanisms(), func(m string) bool { return strings.EqualFold(m, mechanism) })
	}
	switch {
	case offers(c.Mechanism):
		message, err := c.Message(c.Login.Name)
		if err != nil {
			return finding{errors.New("the credentials cannot be written")}
		}
		return s.client.Authenticate(&once{mechanism: c.Mechanism, message: message})
	case c.Mechanism != credentials.Plain || c.Login.Authzid != "":
		return finding{fmt.Errorf("the server does not offer the mechanism %s on this connection", c.Mechanism)}
	case caps.Has(imap.CapLoginDisabled):
		return finding{errors.New("the server takes no passwords on this connection: it wants TLS")}
	}
	return s.client.Login(c.Login.Name, c.Secret).Wait()
}

// once is a mechanism of one message, such as PLAIN (RFC 4616) and XOAUTH2. What
// the server asks besides is the reason why it refuses: the connection is closed
// then, because the client cannot end such an exchange.
type once struct {
	mechanism string
	message   []byte
}

var _ sasl.Client = (*once)(nil)

// Start returns the message.
func (o *once) Start() (mechanism string, message []byte, err error) {
	return o.mechanism, o.message, nil
}

// Next refuses to say more.
func (o *once) Next([]byte) ([]byte, error) {
	return nil, finding{fmt.Errorf("%w: refused by %s", ErrLogin, o.mechanism)}
}

// settle learns what the server can do now. The client's own answer may still be
// the one from before the login. Where IMAP4rev2 is announced the client writes
// names in UTF-8, so it has to be enabled (RFC 9051, 6.3.1).
func (s *Session) settle() error {
	caps, err := s.client.Capability().Wait()
	switch {
	case err != nil:
		return err
	case caps == nil:
		return errors.New("no capabilities")
	}
	s.caps = caps
	if !caps.Has(imap.CapIMAP4rev2) {
		return nil
	}
	enabled, err := s.client.Enable(imap.CapIMAP4rev2).Wait()
	if err != nil && refused(err) == nil {
		return err
	}
	s.rev2 = err == nil && enabled.Caps.Has(imap.CapIMAP4rev2)
	return nil
}
