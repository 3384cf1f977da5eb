package pop3

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"time"

	"mailguard/guard"
	"mailguard/member"
	"mailguard/proxy"
	"mailguard/proxy/credentials"
)

// maxFailures is how many logins may fail on one connection.
const maxFailures = 3

func (s *session) handleCapa(ctx context.Context, _ Command) error {
	return s.writeLines("Capabilities", s.offer(s.capabilities(ctx)))
}

// capabilities are the upstream's. Before the login it is not known which
// upstream it will be: the first is as good a guess as any, and if it cannot
// be asked, what every server has is offered.
func (s *session) capabilities(ctx context.Context) capabilities {
	if s.server != nil {
		return s.server.caps
	}
	if len(s.Upstreams) == 0 {
		return capabilities{UIDL: true, TOP: true}
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	c, err := s.Upstreams[0].capabilities(ctx)
	if err != nil {
		s.log.Warn().Err(err).Msg("upstream does not say what it can do")
		return capabilities{UIDL: true, TOP: true}
	}
	return c
}

const askTimeout = 5 * time.Second

// handleSTLS is RFC 2595, 4. Everything that was said in clear is forgotten.
func (s *session) handleSTLS(ctx context.Context, _ Command) error {
	if _, on := s.client.TLS(); on || s.STLS == nil {
		return Reply{Text: "STLS is not possible here"}
	}
	// Not flushed here: if anything lies behind the command, the upgrade sends
	// nothing and closes the connection.
	if err := s.ok("Begin TLS"); err != nil {
		return err
	}
	s.user, s.utf8 = "", false
	ctx, cancel := context.WithTimeout(ctx, s.Limits.Handshake)
	defer cancel()
	return s.client.StartTLSServer(ctx, s.STLS)
}

// handleUTF8 is kept until the login, and then said to the upstream.
func (s *session) handleUTF8(ctx context.Context, _ Command) error {
	if !s.capabilities(ctx).UTF8 {
		return replyUnknown
	}
	s.utf8 = true
	return s.ok("UTF8 from the login on")
}

// handleUser says yes to every name: who exists is nobody's business.
func (s *session) handleUser(_ context.Context, cmd Command) error {
	if s.needsTLS() {
		return replyNeedsTLS
	}
	s.user = cmd.Text
	return s.ok("Send the password")
}

func (s *session) handlePass(ctx context.Context, cmd Command) error {
	if s.needsTLS() {
		return replyNeedsTLS
	}
	if s.user == "" {
		return Reply{Text: "USER comes first"}
	}
	c := credentials.Credentials{Mechanism: mechUser, Login: member.Login{Name: s.user}, Secret: cmd.Text}
	s.user = ""
	return s.login(ctx, c)
}

// handleAuth is RFC 5034.
func (s *session) handleAuth(ctx context.Context, cmd Command) error {
	if s.needsTLS() {
		return replyNeedsTLS
	}
	mechanism, initial, hasInitial := strings.Cut(cmd.Text, " ")
	mechanism = strings.ToUpper(mechanism)
	read, known := authReaders[mechanism]
	if !known {
		return Reply{Text: "This mechanism is not offered"}
	}
	var message []byte
	var err error
	if hasInitial {
		message, err = decodeResponse(initial)
	} else if mechanism != credentials.Login {
		message, err = s.challenge(nil)
	}
	var c credentials.Credentials
	if err == nil {
		c, err = read(s, message, hasInitial)
	}
	if err != nil {
		return s.loginFailed(err)
	}
	return s.login(ctx, c)
}

// authReaders read the credentials of each mechanism that the guard can see
// through.
var authReaders = map[string]func(s *session, message []byte, initial bool) (credentials.Credentials, error){
	credentials.Plain:       only(credentials.DecodePlain),
	credentials.XOAUTH2:     only(credentials.DecodeXOAUTH2),
	credentials.OAuthBearer: only(credentials.DecodeOAuthBearer),
	credentials.Login:       (*session).readLogin,
}

// only reads a mechanism that has one message.
func only(decode func([]byte) (credentials.Credentials, error)) func(*session, []byte, bool) (credentials.Credentials, error) {
	return func(_ *session, message []byte, _ bool) (credentials.Credentials, error) { return decode(message) }
}

// readLogin is the LOGIN mechanism: name and password, each asked for.
func (s *session) readLogin(name []byte, initial bool) (credentials.Credentials, error) {
	var err error
	if !initial {
		if name, err = s.challenge([]byte("Username:")); err != nil {
			return credentials.Credentials{}, err
		}
	}
	password, err := s.challenge([]byte("Password:"))
	if err != nil {
		return credentials.Credentials{}, err
	}
	c := credentials.Credentials{Mechanism: credentials.Login, Login: member.Login{Name: string(name)}, Secret: string(password)}
	return c, c.Check()
}

// errCancelled is the answer to a client that gave an authentication up
// (RFC 5034, 4).
var errCancelled = Reply{Text: "Authentication cancelled"}

// challenge asks the client something and returns its answer.
func (s *session) challenge(text []byte) ([]byte, error) {
	w := s.client.Writer()
	if _, err := w.WriteString("+ " + base64.StdEncoding.EncodeToString(text) + "\r\n"); err != nil {
		return nil, err
	}
	if err := s.client.Flush(); err != nil {
		return nil, err
	}
	line, err := readLine(s.client.Reader(), maxLoginLine)
	if err != nil {
		return nil, err
	}
	if string(line) == "*" {
		return nil, errCancelled
	}
	return decodeResponse(string(line))
}

// decodeResponse reads a SASL response; "=" is an empty one (RFC 5034, 4).
func decodeResponse(s string) ([]byte, error) {
	if s == "=" {
		return []byte{}, nil
	}
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil {
		return nil, &SyntaxError{Text: "Not base64"}
	}
	return b, nil
}

// login logs in on the upstream and opens the mailbox.
func (s *session) login(ctx context.Context, c credentials.Credentials) error {
	reply, err := s.tryLogin(ctx, c)
	if err != nil {
		return s.loginFailed(err)
	}
	if !reply.OK {
		return s.loginFailed(reply)
	}
	s.log = s.log.With().Str("mailbox", string(s.visitor.Mailbox)).Str("member", string(s.visitor.Member)).Logger()
	if err := s.openMailbox(ctx); err != nil {
		s.log.Warn().Err(err).Msg("mailbox not opened")
		s.server.leave()
		s.server = nil
		_ = s.reply(replyFor(err))
		return errEnd
	}
	s.state = transaction
	s.client.SetDeadline(time.Time{})
	s.client.SetTimeouts(s.Limits.Idle, writeTimeout)
	s.client.SetBusy(true)
	s.log.Info().Str("proof", string(s.visitor.Proof)).Str("upstream", s.upstream.Name).
		Str("stance", s.stance.String()).Msg("session started")
	return s.ok("Logged in")
}

// loginFailed answers a login that failed, and ends the session after a few.
func (s *session) loginFailed(err error) error {
	var broken *proxy.Error
	var syntax *SyntaxError
	if errors.As(err, &syntax) || errors.As(err, &broken) && broken.Side == proxy.Client {
		return err
	}
	s.failures++
	err = unread(err)
	reply := replyFor(err)
	if errors.Is(err, member.ErrLogin) {
		reply = replyLogin
	}
	s.log.Info().Str("why", reason(err)).Msg("login failed")
	if s.failures < maxFailures {
		return reply
	}
	if err := s.reply(reply); err != nil {
		return err
	}
	return errEnd
}

// reason says in the log why a login failed. The upstream's own words are left
// out: some servers repeat the line that they did not understand, and the
// password was in it.
func reason(err error) string {
	var reply Reply
	ours := []Reply{errCredentials, errNamesNobody, errCancelled, replyLogin, replyUpstream}
	switch {
	case errors.As(err, &reply) && !slices.Contains(ours, reply):
		return Reply{Code: reply.Code, Text: "refused by the mail server"}.String()
	case errors.Is(err, errNonsense):
		return errNonsense.Error()
	default:
		return clean(err.Error(), maxReplyText)
	}
}

// tryLogin finds out who wants to open which mailbox, and asks the upstream.
func (s *session) tryLogin(ctx context.Context, c credentials.Credentials) (Reply, error) {
	if err := c.Check(); err != nil {
		return Reply{}, err
	}
	address := s.client.RemoteAddr().Addr()
	id, err := s.Members.Resolve(c.Login, address)
	if err != nil {
		return Reply{}, err
	}
	s.upstream = s.chooseUpstream(id.Mailbox)
	if s.upstream == nil {
		s.log.Warn().Str("mailbox", string(id.Mailbox)).Msg("no upstream serves this domain")
		return replyLogin, nil
	}
	if id.Authorizes && !s.upstream.AuthorizationIdentity {
		s.log.Warn().Str("upstream", s.upstream.Name).
			Msg("login with an authorization identity refused: set authorization_identity if the upstream honours it")
		return replyLogin, nil
	}
	s.visitor = guard.Visitor{Identity: id, Protocol: member.POP3, Address: address, NoFlags: s.upstream.NoIMAP}
	return s.logInUpstream(ctx, c)
}

func (s *session) chooseUpstream(m member.Mailbox) *Upstream {
	for _, u := range s.Upstreams {
		if member.DomainFits(u.Domains, m.Domain()) {
			return u
		}
	}
	return nil
}

// lockRetry is how often a locked maildrop is tried again.
const lockRetry = time.Second

// logInUpstream waits for a maildrop that somebody else has locked: that is
// normal where people share.
func (s *session) logInUpstream(ctx context.Context, c credentials.Credentials) (Reply, error) {
	until := s.Now().Add(s.Limits.LockWait)
	for {
		reply, err := s.connectAndLogIn(ctx, c)
		if err != nil || reply.Code != "IN-USE" || s.Now().Add(lockRetry).After(until) {
			return reply, err
		}
		select {
		case <-time.After(lockRetry):
		case <-ctx.Done():
			return Reply{}, ctx.Err()
		}
	}
}

func (s *session) connectAndLogIn(ctx context.Context, c credentials.Credentials) (Reply, error) {
	s.since = s.Now()
	server, err := s.upstream.connect(ctx, s.client.RemoteAddr())
	if err != nil {
		s.log.Error().Err(err).Str("upstream", s.upstream.Name).Msg("upstream cannot be reached")
		return replyUpstream, nil
	}
	reply, err := s.logInOn(server, c)
	if err == nil && reply.OK {
		s.server = server
		return reply, nil
	}
	if err != nil {
		server.close()
		return reply, err
	}
	server.leave()
	return reply, nil
}

func (s *session) logInOn(server *server, c credentials.Credentials) (Reply, error) {
	if s.utf8 {
		if reply, err := server.command("UTF8"); err != nil || !reply.OK {
			return reply, err
		}
	}
	return server.authenticate(c, s.visitor.UpstreamName, s.challenge)
}
