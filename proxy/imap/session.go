package imap

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"mailguard/guard"
	"mailguard/proxy"
	"mailguard/proxy/imap/command"
	"mailguard/proxy/imap/wire"
)

// state is a session's state (RFC 9051, 3).
type state uint8

const (
	notAuthenticated state = 1 << iota
	authenticated
	selected
)

// session is one client's session; doc.go says who owns what of it.
type session struct {
	*Options

	log         zerolog.Logger
	started     time.Time
	lastCommand time.Time
	client      *proxy.Conn
	in          input
	parser      *command.Parser
	out         output

	state      state
	bad        int    // bad commands, in a row
	failures   int    // failed logins
	clientName string // as the client named itself with ID

	upstream *Upstream
	server   *server // nil until the client has logged in
	visitor  guard.Visitor
	stance   guard.Stance // to the login's own mailbox; changed with turn and output
	admitted guard.Stance // what it was when the client heard its capabilities
	spaces   namespaces
	uses     map[string]string // special use by canonical folder name; nil: not asked yet

	turn   sync.Mutex // held by whoever speaks upstream
	awake  bool       // the session's goroutines run; guarded by turn
	idle   *call      // the upstream's IDLE in flight, nil if none; guarded by turn
	idling string     // the tag of the client's IDLE, "" if none; the session's goroutine's

	flight  flight
	encoder wire.Encoder  // of what goes upstream; used with the turn
	qresync bool          // QRESYNC is enabled (RFC 7162); changed with turn and output
	utf8    bool          // UTF8=ACCEPT is enabled (RFC 6855); used with the turn
	pumpEnd chan struct{} // closed when the pump has ended; nil before the login
	busy    chan struct{} // the pump has gone on instead of ending for a pause
	resting bool          // the pump waits for a response; the pump's
	heard   atomic.Int64  // when the upstream was last heard of, in nanoseconds since 1970
	ending  atomic.Bool   // the session ends by itself

	folder   *folder // the selected folder, nil if none; guarded by turn and out together
	fetched  fetched
	watched  atomic.Pointer[guard.Folder] // the selected folder, for whoever calls notify
	sentAway bool                         // the client has to open its folder anew, and was told; guarded by turn
	saidBye  bool                         // goodbye has been said; guarded by out
	digits   []byte                       // a message number that is being written; the pump's
	scratch  []byte                       // a list of flags that is being written; the pump's
	hashing  hashing
	counting *counting   // a command with STATUS responses under way, nil if none; guarded by out
	news     atomic.Bool // another session of the member has changed marks, or hidden messages

	released int // what counts.hidden was when a release was last looked for
	counts   struct {
		commands, deleted, hidden, kept int
		logout                          bool
	}
}

func newSession(o *Options, c *proxy.Conn, name string) *session {
	s := &session{
		Options: o, client: c, state: notAuthenticated, started: o.Now(), in: input{conn: c}, out: output{to: c},
		log: o.Log.With().Str("session", name).Str("protocol", "imap").
			Str("client", c.RemoteAddr().Addr().String()).Logger(),
	}
	s.lastCommand = s.started
	s.parser = command.NewParser(s.continueClient)
	s.parser.SetLimits(loginLimits)
	s.flight.dead = make(chan struct{})
	s.busy = make(chan struct{}, 1)
	return s
}

// loginLimits bound a command before the login: nobody in particular sent it.
var loginLimits = wire.Limits{Line: maxLoginLine, Literals: maxLoginLine, Tokens: 200, Depth: 2}

// wake gives the session its buffers, and its pump if it has logged in.
func (s *session) wake() {
	s.in.borrow()
	s.parser.Reset(s.in.r)
}

// continueClient asks the client for a literal.
func (s *session) continueClient() error { return s.reply("+ OK") }

// errEnd ends a session in good order.
var errEnd = errors.New("session ended")

// commands runs the client's commands until the session ends or is parked.
func (s *session) commands(ctx context.Context) error {
	for {
		err := s.next(ctx)
		switch {
		case err == nil:
		case isSyntaxClose(err), errors.Is(err, errEnd):
			return errEnd
		default:
			return err
		}
	}
}

// next waits for one command and runs it. An error ends the session.
func (s *session) next(ctx context.Context) error {
	if err := s.await(ctx); err != nil {
		return s.goodbye(err)
	}
	if s.idling != "" {
		return s.endIdle(ctx)
	}
	if s.state != notAuthenticated { // before the login the connection's own deadline is the shorter one
		s.in.within(s.Limits.Command)
	}
	tag, name, err := s.parser.Start()
	if err == nil {
		s.counts.commands++
		err = s.run(ctx, tag, name)
	}
	s.in.between()
	if err == nil {
		s.bad = 0
		return nil
	}
	return s.answerError(tag, err)
}

// await waits for the beginning of a command.
func (s *session) await(ctx context.Context) error {
	for {
		reads := s.client.Reads()
		_, err := s.in.r.Peek(1)
		if err == nil {
			s.lastCommand = s.Now()
			if s.client.Reads() > reads { // what already lay in the buffer proves nothing
				s.confirmFetches()
			}
			return nil
		}
		if !isTimeout(err) || s.state == notAuthenticated {
			return err
		}
		if s.idling == "" && s.Now().Sub(s.lastCommand) >= s.Limits.Idle {
			return errIdle
		}
		if s.park() {
			return s.parked()
		}
	}
}

// errIdle is the end of a client that has said nothing for too long.
var errIdle = errors.New("no command for too long")

// goodbye ends a session in which no command can be read any more.
func (s *session) goodbye(err error) error {
	switch {
	case errors.Is(err, errIdle):
		_ = s.reply("* BYE Autologout; idle for too long") // RFC 9051, 5.4
		return errEnd
	case errors.Is(err, proxy.ErrInterrupted) && s.hasSaidBye():
		return errEnd
	case errors.Is(err, proxy.ErrInterrupted) && s.flight.isDead():
		s.mourn()
		return errEnd
	case errors.Is(err, proxy.ErrInterrupted):
		_ = s.reply("* BYE The server is shutting down; please connect again")
		return errEnd
	case errors.Is(err, io.EOF) && s.server != nil:
		s.answerRest()
	}
	return err
}

func (s *session) hasSaidBye() bool {
	s.out.Lock()
	defer s.out.Unlock()
	return s.saidBye
}

// lastAnswers is how long a client that has closed its side, and may still read,
// waits for answers to what it sent before.
const lastAnswers = 30 * time.Second

// answerRest waits for the answers to a client that says nothing more.
func (s *session) answerRest() {
	ctx, cancel := context.WithTimeout(context.Background(), lastAnswers)
	defer cancel()
	s.turn.Lock()
	defer s.turn.Unlock()
	if s.drain(ctx) == nil {
		_ = s.flush()
	}
}

// The numbers of bad commands in a row after which a client is not speaking
// IMAP, or not to us.
const (
	maxBadBeforeLogin = 3
	maxBad            = 20
)

// answerError answers a command that failed. It returns an error if the
// session cannot go on.
func (s *session) answerError(tag string, err error) error {
	var syntax *wire.SyntaxError
	var reply Reply
	isSyntax := errors.As(err, &syntax)
	switch {
	case errors.Is(err, errEnd):
		return err
	case isSyntax || errors.As(err, &reply) || errors.Is(err, guard.ErrTemporary):
	default:
		return s.giveUp(tag, err)
	}
	answer := replyFor(err)
	if answer.Word == "BAD" {
		s.bad++
	}
	if tag == "" {
		tag = "*"
	}
	if err := s.reply(tag + " " + answer.String()); err != nil {
		return err
	}
	if isSyntax && syntax.Close {
		_ = s.reply("* BYE The command cannot be told from what follows it")
		return errEnd
	}
	return s.checkBad()
}

func (s *session) checkBad() error {
	limit := maxBad
	if s.state == notAuthenticated {
		limit = maxBadBeforeLogin
	}
	if s.bad < limit {
		return nil
	}
	_ = s.reply("* BYE Too many bad commands")
	return errEnd
}

// giveUp ends a session of which a side is lost, or whose upstream talks
// nonsense. Nothing was deleted that policy did not allow. The client is told,
// if it can be.
func (s *session) giveUp(tag string, err error) error {
	var broken *proxy.Error
	lost := s.flight.isDead()
	if errors.As(err, &broken) && broken.Side == proxy.Client && !(lost && errors.Is(err, proxy.ErrInterrupted)) {
		return err
	}
	if broken == nil && errors.Is(err, io.ErrUnexpectedEOF) { // the client is gone: half a command is neither run nor answered
		return errEnd
	}
	if tag != "" && !errors.Is(err, errAnswered) {
		_ = s.reply(tag + " " + replyFor(err).String())
	}
	if lost {
		s.mourn()
		return err
	}
	_ = s.reply("* BYE " + replyFor(err).Text)
	return err
}

// mourn says goodbye behind the upstream, once the pump has answered what was in
// flight, unless the upstream did so itself.
func (s *session) mourn() {
	<-s.pumpEnd
	s.out.Lock()
	defer s.out.Unlock()
	if !s.saidBye {
		_ = s.writeLine("* BYE " + replyUpstream.Text)
		_ = s.out.Flush()
	}
}

func isSyntaxClose(err error) bool {
	var syntax *wire.SyntaxError
	return errors.As(err, &syntax) && syntax.Close
}

// finish ends what the session leaves behind: nothing is deleted by it.
func (s *session) finish(ctx context.Context) {
	s.ending.Store(true)
	if s.server != nil {
		s.server.close()
		if s.pumpEnd != nil {
			<-s.pumpEnd
		}
		s.server.giveBack()
	}
	s.turn.Lock()
	s.awake = false
	s.closeFolder(ctx)
	s.turn.Unlock()
	s.in.giveBack()
	s.out.giveBack()
}

// needsTLS reports whether the client has to do STARTTLS before it logs in.
func (s *session) needsTLS() bool {
	_, on := s.client.TLS()
	return s.NeedsTLS && !on
}

// greet greets the client. The greeting is the guard's own: which upstream it
// will be only the login tells.
func (s *session) greet(ctx context.Context) error {
	words := s.beforeLogin(ctx)
	return s.reply("* OK [CAPABILITY " + strings.Join(words, " ") + "] mailguard ready")
}

func isSyntax(err error) bool {
	var syntax *wire.SyntaxError
	return errors.As(err, &syntax)
}
