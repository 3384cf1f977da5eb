package pop3

import (
	"context"

	"mailguard/guard"
)

// The relay runs a session in a mailbox that policy cannot touch, and in
// observe mode: what the client asks is asked upstream, what comes back is
// passed on. In observe mode it notes what passes, and nothing else changes.

// relayLine passes a command with a status line for an answer.
func (s *session) relayLine(_ context.Context, cmd Command) error {
	reply, err := s.server.command(cmd.String())
	if err != nil {
		return err
	}
	return s.reply(reply)
}

// relayListing passes LIST and UIDL.
func (s *session) relayListing(ctx context.Context, cmd Command) error {
	if cmd.Number != 0 {
		return s.relayLine(ctx, cmd)
	}
	reply, err := s.server.command(cmd.String())
	if err != nil {
		return err
	}
	if !reply.OK {
		return s.reply(reply)
	}
	s.all = true
	return s.relayLines(reply, nil)
}

// relayMessage passes RETR and TOP.
func (s *session) relayMessage(_ context.Context, cmd Command) error {
	if s.stance == guard.Watch && cmd.Number <= len(s.drop.listing) {
		return s.retrieve(cmd, cmd.Number-1)
	}
	reply, err := s.server.command(cmd.String())
	if err != nil {
		return err
	}
	if !reply.OK {
		return s.reply(reply)
	}
	s.counts.retrieved++
	return s.relayLines(reply, nil)
}

// relayDele passes DELE. In observe mode the verdict that would have been is
// noted; it goes on record once the upstream has removed the message.
func (s *session) relayDele(ctx context.Context, cmd Command) error {
	reply, err := s.server.command(cmd.String())
	if err != nil {
		return err
	}
	if reply.OK {
		s.counts.deleted++
		s.observeDele(ctx, cmd.Number)
	}
	return s.reply(reply)
}

func (s *session) observeDele(ctx context.Context, n int) {
	if s.stance != guard.Watch || n > len(s.drop.listing) {
		return
	}
	s.touched[n-1] = true
	ruling, err := s.guarded.Decide(ctx, n-1)
	if err != nil {
		s.log.Warn().Err(err).Msg("verdict of an observed deletion is not known")
		return
	}
	s.logVerdict(ruling)
	s.rulings[n] = ruling
}

// relayRset passes RSET.
func (s *session) relayRset(_ context.Context, cmd Command) error {
	reply, err := s.server.command(cmd.String())
	if err != nil {
		return err
	}
	if reply.OK {
		s.counts.deleted = 0
		clear(s.rulings)
	}
	return s.reply(reply)
}

// relayQuit passes QUIT. What was observed goes on record only if the upstream
// says that it was done.
func (s *session) relayQuit(ctx context.Context, cmd Command) error {
	s.server.detach()
	reply, err := s.server.command(cmd.String())
	if err != nil {
		return err
	}
	s.counts.quit = true
	if s.stance == guard.Watch && reply.OK {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
		defer cancel()
		if _, err := s.guarded.Commit(ctx, s.deletions(), s.leftAlone()); err != nil {
			s.log.Warn().Err(err).Msg("observed session is not on record")
		}
	}
	_ = s.reply(reply)
	return errEnd
}
