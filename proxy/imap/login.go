package imap

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
	"mailguard/proxy/imap/command"
	"mailguard/proxy/imap/wire"
)

// maxFailures is how many failed logins end a session.
const maxFailures = 3

// maxLoginLine is the longest line of a SASL exchange, in octets: tokens are
// long.
const maxLoginLine = 16 << 10

// handleLogin is LOGIN (RFC 9051, 6.2.3).
func (s *session) handleLogin(ctx context.Context, cmd command.Command) error {
	if s.needsTLS() {
		return replyNeedsTLS
	}
	args := cmd.Args.(command.Login)
	c := credentials.Credentials{
		Mechanism: credentials.Plain, Login: member.Login{Name: args.User}, Secret: string(args.Password),
	}
	if err := c.Check(); err != nil {
		return s.loginFailed(err)
	}
	return s.logIn(ctx, cmd.Tag, attempt{login: c.Login, credentials: c})
}

// attempt is a login that is tried.
type attempt struct {
	login       member.Login
	credentials credentials.Credentials
	scram       string // the mechanism, if it is SCRAM: the first message goes upstream as it is
	first       []byte // of SCRAM
}

// handleAuthenticate is AUTHENTICATE (RFC 9051, 6.2.2; RFC 4959).
func (s *session) handleAuthenticate(ctx context.Context, cmd command.Command) error {
	if s.needsTLS() {
		return replyNeedsTLS
	}
	args := cmd.Args.(command.Authenticate)
	mechanism := args.Mechanism
	if !slices.Contains(s.mechanisms(), mechanism) {
		return Reply{Word: "NO", Code: "CANNOT", Text: "This mechanism is not offered"}
	}
	initial := []byte(args.Initial)
	if !args.IR && mechanism != credentials.Login {
		var err error
		if initial, err = s.challenge(""); err != nil {
			return s.loginFailed(err)
		}
	}
	a, err := s.readAttempt(mechanism, initial, args.IR)
	if err != nil {
		return s.loginFailed(err)
	}
	return s.logIn(ctx, cmd.Tag, a)
}

// mechanisms are the SASL mechanisms that a client may use: the guard reads the
// login name from each of them. Passwords can always be passed on; tokens and
// proofs only as they are, to an upstream that offers the same. None of them
// adds a layer that the guard could not see through. SCRAM is left out where
// the upstream would bind it to its own TLS connection (RFC 5802, 6).
func (s *session) mechanisms() []string {
	offered := []string{credentials.Plain, credentials.Login}
	for _, u := range s.Upstreams {
		for _, m := range u.passedMechanisms() {
			if !slices.Contains(offered, m) {
				offered = append(offered, m)
			}
		}
	}
	return offered
}

// passedMechanisms are those that go upstream as they are.
func (u *Upstream) passedMechanisms() (all []string) {
	caps := u.lastCapabilities()
	for _, m := range []string{credentials.XOAUTH2, credentials.OAuthBearer, "SCRAM-SHA-256", "SCRAM-SHA-1"} {
		if caps.has("AUTH="+m) && !(strings.HasPrefix(m, "SCRAM") && caps.bindsChannels()) {
			all = append(all, m)
		}
	}
	return all
}

func (c capabilities) bindsChannels() bool {
	for word := range c {
		if strings.HasPrefix(word, "AUTH=") && strings.HasSuffix(word, "-PLUS") {
			return true
		}
	}
	return false
}

// readAttempt reads who logs in from a mechanism's first message.
func (s *session) readAttempt(mechanism string, first []byte, initial bool) (attempt, error) {
	var c credentials.Credentials
	var err error
	switch mechanism {
	case credentials.Plain:
		c, err = credentials.DecodePlain(first)
	case credentials.XOAUTH2:
		c, err = credentials.DecodeXOAUTH2(first)
	case credentials.OAuthBearer:
		c, err = credentials.DecodeOAuthBearer(first)
	case credentials.Login:
		c, err = s.readLogin(first, initial)
	default:
		login, err := credentials.ScramName(first)
		return attempt{login: login, scram: mechanism, first: first}, err
	}
	return attempt{login: c.Login, credentials: c}, err
}

// readLogin is the LOGIN mechanism: name and password, each asked for.
func (s *session) readLogin(name []byte, initial bool) (credentials.Credentials, error) {
	c := credentials.Credentials{Mechanism: credentials.Login}
	var err error
	if !initial {
		if name, err = s.challenge(base64.StdEncoding.EncodeToString([]byte("Username:"))); err != nil {
			return c, err
		}
	}
	password, err := s.challenge(base64.StdEncoding.EncodeToString([]byte("Password:")))
	if err != nil {
		return c, err
	}
	c.Login.Name, c.Secret = string(name), string(password)
	return c, c.Check()
}

// errCancelled is the answer to a client that gave an authentication up
// (RFC 9051, 6.2.2).
var errCancelled = Reply{Word: "BAD", Text: "Authentication cancelled"}

// challenge passes a challenge, in base64, to the client and returns its
// answer.
func (s *session) challenge(encoded string) ([]byte, error) {
	if err := s.reply("+ " + encoded); err != nil {
		return nil, err
	}
	line, err := s.parser.Line(maxLoginLine)
	if err != nil {
		return nil, err
	}
	if string(line) == "*" {
		return nil, errCancelled
	}
	return decodeBase64(string(line))
}

// decodeBase64 reads a SASL message; "=" is an empty one (RFC 4959, 3).
func decodeBase64(text string) ([]byte, error) {
	if text == "=" {
		return []byte{}, nil
	}
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, &wire.SyntaxError{Text: "Not base64"}
	}
	return b, nil
}

// logIn logs in on the upstream and begins the session proper.
func (s *session) logIn(ctx context.Context, tag string, a attempt) error {
	res, err := s.tryLogin(ctx, a)
	if err == nil && !res.ok() {
		err = s.refusal(res)
	}
	if err != nil {
		return s.loginFailed(err)
	}
	if err := s.begin(ctx); err != nil {
		s.log.Warn().Err(err).Msg("session not begun")
		s.server.close()
		s.server = nil
		return s.loginFailed(replyUpstream)
	}
	return s.reply(tag + " OK [CAPABILITY " + strings.Join(s.offer(s.server.words), " ") + "] Logged in")
}

// refusal is the upstream's NO as the client hears it. A BAD to the guard's own
// words is no mistake of the client's.
func (s *session) refusal(res result) error {
	if hiddenCode(res.code) || res.word == "BAD" {
		return replyLogin
	}
	code := ""
	if res.code != "" && res.code != "CAPABILITY" {
		code = strings.TrimSpace(clean(res.code+" "+res.arg, 100))
	}
	return Reply{Word: "NO", Code: code, Text: clean(res.human(), 400)}
}

// tryLogin finds out who wants to open which mailbox, and asks the upstream.
func (s *session) tryLogin(ctx context.Context, a attempt) (result, error) {
	address := s.client.RemoteAddr().Addr()
	id, err := s.Members.Resolve(a.login, address)
	if err != nil {
		return result{}, err
	}
	s.upstream = s.chooseUpstream(id.Mailbox)
	switch {
	case s.upstream == nil:
		s.log.Warn().Str("mailbox", string(id.Mailbox)).Msg("no upstream serves this domain")
		return result{}, replyLogin
	case id.Authorizes && !s.upstream.AuthorizationIdentity:
		s.log.Warn().Str("upstream", s.upstream.Name).
			Msg("login with an authorization identity refused: set authorization_identity if the upstream honours it")
		return result{}, replyLogin
	case a.scram != "" && id.UpstreamName != a.login.Name: // the proof covers the name
		return result{}, replyLogin
	}
	s.visitor = guard.Visitor{Identity: id, Protocol: member.IMAP, Address: address, Client: s.clientName}
	server, err := s.upstream.connect(ctx)
	if err != nil {
		s.log.Error().Err(err).Str("upstream", s.upstream.Name).Msg("upstream cannot be reached")
		return result{}, replyUpstream
	}
	return s.logInOn(server, a)
}

func (s *session) chooseUpstream(m member.Mailbox) *Upstream {
	for _, u := range s.Upstreams {
		if u.serves(m.Domain()) {
			return u
		}
	}
	return nil
}

func (s *session) logInOn(server *server, a attempt) (result, error) {
	err := server.tellClient(s.client.RemoteAddr())
	var res result
	if err == nil {
		res, err = server.authenticate(a, s.visitor.UpstreamName, s.relayChallenge)
	}
	switch {
	case err != nil:
		server.close()
		server.giveBack()
		return res, err
	case !res.ok():
		server.leave()
		return res, nil
	}
	s.server = server
	return res, nil
}

// relayChallenge passes an upstream's challenge on and returns the client's
// answer, both in base64.
func (s *session) relayChallenge(challenge string) (string, error) {
	if _, err := decodeBase64(challenge); err != nil && challenge != "" {
		return "", wire.ErrNonsense
	}
	answer, err := s.challenge(challenge)
	if err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(answer), nil
}

// begin learns what the session needs to know of the upstream, and starts the
// pump.
func (s *session) begin(ctx context.Context) error {
	if err := s.learn(); err != nil {
		return err
	}
	s.stance = s.Guard.Admit(ctx, s.visitor)
	s.admitted = s.stance
	s.state = authenticated
	s.log = s.log.With().Str("mailbox", string(s.visitor.Mailbox)).Str("member", string(s.visitor.Member)).Logger()
	s.parser.SetLimits(wire.DefaultLimits())
	s.parser.SetSearchRes(s.has("SEARCHRES"))
	s.client.SetDeadline(time.Time{})
	s.client.SetTimeouts(s.Limits.Quiet, writeTimeout)
	s.server.detach()
	s.server.conn.SetTimeouts(s.Limits.Answer/answerLooks, s.upstream.Timeout)
	s.server.source = s.read
	s.startPump()
	s.awake = true
	s.log.Info().Str("proof", string(s.visitor.Proof)).Str("upstream", s.upstream.Name).
		Str("stance", s.stance.String()).Str("client_name", s.clientName).Msg("session started")
	return nil
}

// answerLooks is how often within its time it is looked whether an answer is
// overdue.
const answerLooks = 4

// learn asks for the capabilities after the login, which differ from those
// before it (RFC 9051, 6.2.3), and for the namespaces.
func (s *session) learn() error {
	if err := s.server.needCapabilities(); err != nil {
		return err
	}
	s.upstream.share(s.server)
	if !s.server.caps.has("NAMESPACE") {
		return nil
	}
	_, err := s.server.exchange("NAMESPACE", nil, func(head wire.Head, line []byte) {
		if head.Is("NAMESPACE") {
			s.spaces = parseNamespaces(line[head.Rest:])
		}
	})
	return err
}

// loginFailed answers a login that failed, and ends the session after a few.
func (s *session) loginFailed(err error) error {
	var broken *proxy.Error
	var syntax *wire.SyntaxError
	if errors.As(err, &syntax) || errors.As(err, &broken) && broken.Side == proxy.Client {
		return err
	}
	s.failures++
	reply := replyFor(err)
	if errors.Is(err, credentials.ErrUnreadable) || errors.Is(err, credentials.ErrNamesNobody) || errors.Is(err, credentials.ErrChannelBinding) {
		reply = Reply{Word: "NO", Code: "AUTHENTICATIONFAILED", Text: strings.ToUpper(err.Error()[:1]) + err.Error()[1:]}
	}
	s.log.Info().Str("why", s.reason(err)).Msg("login failed")
	if s.failures >= maxFailures {
		reply.Text += "; too many failed logins"
		s.bad = maxBadBeforeLogin
	}
	return reply
}

// reason says in the log why a login failed. The upstream's own words are left
// out: some servers repeat the line that they did not understand, and the
// password was in it.
func (s *session) reason(err error) string {
	var reply Reply
	switch {
	case errors.As(err, &reply) && reply != replyLogin && reply != replyUpstream && reply != errCancelled:
		return "refused by the mail server [" + knownCode(reply.Code) + "]"
	case errors.Is(err, wire.ErrNonsense):
		return wire.ErrNonsense.Error()
	default:
		return clean(err.Error(), 400)
	}
}

// knownCode is the name of a response code that a login may be refused with
// (RFC 9051, 7.1). What else stands between brackets are the upstream's own words.
func knownCode(code string) string {
	name, _, _ := strings.Cut(code, " ")
	switch name {
	case "AUTHENTICATIONFAILED", "AUTHORIZATIONFAILED", "EXPIRED", "PRIVACYREQUIRED", "CONTACTADMIN", "UNAVAILABLE",
		"INUSE", "LIMIT", "ALERT", "SERVERBUG", "CLIENTBUG", "CANNOT", "NOPERM", "OVERQUOTA":
		return name
	case "":
		return ""
	}
	return "another code"
}
