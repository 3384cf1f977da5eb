package pop3

import (
	"context"
	"errors"
)

// spec is what the guard knows about a command. A command that is not in the
// table is refused and never reaches the upstream.
type spec struct {
	states    state
	arguments grammar

	// handle runs the command. Before the login, and in a guarded mailbox.
	handle func(*session, context.Context, Command) error

	// relay runs it in a mailbox that policy cannot touch; nil: handle.
	relay func(*session, context.Context, Command) error
}

// commands is the table of all commands (RFC 1939, 2449, 2595, 5034, 6856).
// LAST (RFC 1460), XTND and APOP are missing on purpose: LAST counts by what
// one session did, which means nothing in a view; XTND can run programs; APOP's
// digest is bound to the upstream's greeting, which a guard that chooses its
// upstream by the login cannot know.
var commands map[string]spec

func init() { // a handler looks into the table, so it cannot be a plain initialiser
	const both = authorization | transaction
	commands = map[string]spec{
		"CAPA": {states: both, arguments: noArgument, handle: (*session).handleCapa},
		"STLS": {states: authorization, arguments: noArgument, handle: (*session).handleSTLS},
		"USER": {states: authorization, arguments: anyText, handle: (*session).handleUser},
		"PASS": {states: authorization, arguments: anyText, handle: (*session).handlePass},
		"AUTH": {states: authorization, arguments: anyText, handle: (*session).handleAuth},
		"UTF8": {states: authorization, arguments: noArgument, handle: (*session).handleUTF8},
		"STAT": {states: transaction, arguments: noArgument, handle: (*session).handleStat, relay: (*session).relayLine},
		"LIST": {states: transaction, arguments: optionalNumber, handle: (*session).handleList, relay: (*session).relayListing},
		"UIDL": {states: transaction, arguments: optionalNumber, handle: (*session).handleUIDL, relay: (*session).relayListing},
		"RETR": {states: transaction, arguments: oneNumber, handle: (*session).handleRetrieve, relay: (*session).relayMessage},
		"TOP":  {states: transaction, arguments: numberAndLines, handle: (*session).handleRetrieve, relay: (*session).relayMessage},
		"DELE": {states: transaction, arguments: oneNumber, handle: (*session).handleDele, relay: (*session).relayDele},
		"RSET": {states: transaction, arguments: noArgument, handle: (*session).handleRset, relay: (*session).relayRset},
		"NOOP": {states: transaction, arguments: noArgument, handle: (*session).relayLine},
		"LANG": {states: transaction, arguments: optionalText, handle: (*session).handleLang},
		"QUIT": {states: both, arguments: noArgument, handle: (*session).handleQuit, relay: (*session).relayQuit},
	}
}

// run parses and runs one command: its form first, then whether it is legal
// now, then what it means.
func (s *session) run(ctx context.Context, line []byte) error {
	verb, rest, err := splitVerb(line)
	if err != nil {
		return err
	}
	spec, known := commands[verb]
	if !known {
		return &SyntaxError{Text: replyUnknown.Text}
	}
	cmd, err := parseArguments(verb, rest, spec.arguments)
	if err != nil {
		return err
	}
	if spec.states&s.state == 0 {
		return &SyntaxError{Text: verb + " is not possible now"}
	}
	handle := spec.handle
	if s.state == transaction && s.passing() && spec.relay != nil {
		handle = spec.relay
	}
	err = handle(s, ctx, cmd)
	if syntax := (*SyntaxError)(nil); !errors.As(err, &syntax) {
		s.bad = 0
	}
	return err
}
