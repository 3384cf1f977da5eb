package pop3

import (
	"context"

	"mailguard/guard"
	"mailguard/policy"
)

// handleDele decides now, so that the client sees a refusal now. Nothing goes
// upstream, and nothing is on record, before QUIT.
func (s *session) handleDele(ctx context.Context, cmd Command) error {
	victim, ok := s.drop.victim(cmd.Number)
	if !ok {
		return replyNoMessage
	}
	ruling, err := s.guarded.Decide(ctx, victim)
	if err != nil {
		s.log.Warn().Err(err).Msg("deletion refused for the moment")
		return err
	}
	s.logVerdict(ruling)
	switch ruling.Outcome {
	case policy.Refused:
		return refusal(ruling.Decision)
	case policy.Accepted:
		// Success is reported and the message stays visible from the next
		// session on; in this one its number is gone (RFC 1939, 5).
	default:
		s.rulings[cmd.Number] = ruling
	}
	s.drop.delete(cmd.Number, victim)
	s.touched[victim] = true
	return s.ok("Marked to be deleted")
}

// refusal is what a person reads at the client.
func refusal(d policy.Decision) Reply {
	text := d.Message
	if text == "" {
		text = defaultRefusal
	}
	return Reply{Code: "SYS/PERM", Text: clean(text, maxReplyText)} // RFC 3206
}

func (s *session) logVerdict(r guard.Ruling) {
	s.log.Info().Str("op", string(policy.POP3Dele)).Int64("number", int64(s.guarded.ID(r.Index))).
		Str("verdict", string(r.Decision.Verdict)).Str("outcome", string(r.Outcome)).
		Str("rule", r.Decision.Rule).Msg("verdict")
}

// handleRset forgets this session's deletions. The upstream has none of them:
// it is told, but what it says of it does not matter.
func (s *session) handleRset(_ context.Context, cmd Command) error {
	s.drop.reset()
	clear(s.rulings)
	if _, err := s.server.command(cmd.String()); err != nil {
		return err
	}
	return s.ok("Nothing is marked to be deleted")
}

// handleLang is RFC 6856, 3: a list without an argument, a status line with.
func (s *session) handleLang(_ context.Context, cmd Command) error {
	if !s.server.caps.LANG {
		return replyUnknown
	}
	reply, err := s.server.command(cmd.String())
	switch {
	case err != nil:
		return err
	case !reply.OK || cmd.Text != "":
		return s.reply(reply)
	default:
		return s.relayLines(reply, nil)
	}
}
