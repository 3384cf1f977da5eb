package pop3

import (
	"context"

	"mailguard/message"
)

// claimDue claims what is due in this mailbox and was listed to this session,
// and returns the places. Each message is looked at first: only what still is
// what was held may go.
func (s *session) claimDue(ctx context.Context) ([]int, error) {
	due, err := s.Releaser.Due(ctx, s.visitor.Mailbox, s.visitor.NoFlags)
	if err != nil || len(due) == 0 {
		return nil, err
	}
	places := make(map[message.ID]int, len(s.drop.listing))
	for i := range s.drop.listing {
		if id := s.guarded.ID(i); id != 0 {
			places[id] = i
		}
	}
	var same []message.ID
	for _, m := range due {
		place, listed := places[m.ID]
		if !listed {
			continue
		}
		ok, err := s.isSame(place, m)
		if err != nil {
			return nil, err
		}
		if !ok {
			s.log.Error().Int64("number", int64(m.ID)).Msg("message is not the one that was held: not released")
			continue
		}
		same = append(same, m.ID)
	}
	if len(same) == 0 {
		return nil, nil
	}
	claimed, err := s.Releaser.Claim(ctx, s.visitor.Mailbox, same, s.visitor.NoFlags)
	if err != nil {
		return nil, err
	}
	var out []int
	for _, id := range claimed {
		s.log.Info().Int64("number", int64(id)).Msg("releasing a held message")
		out = append(out, places[id])
	}
	return out, nil
}

// isSame reports whether the message at a place is what was held: unique-id,
// size, and the fingerprint of its header as far as one was ever taken.
func (s *session) isSame(place int, m message.Identity) (bool, error) {
	listed := s.drop.listing[place]
	if listed.UniqueID != m.UniqueID || listed.Size != m.Size {
		return false, nil
	}
	if m.Fingerprint == nil {
		return true, nil
	}
	if !s.server.caps.TOP {
		return false, nil
	}
	seen := newObserver(false)
	reply, err := s.server.readMessage(Command{Verb: "TOP", Number: place + 1}, seen)
	if err != nil || !reply.OK {
		return false, err
	}
	now := seen.fingerprint()
	return now != nil && *now == *m.Fingerprint, nil
}
