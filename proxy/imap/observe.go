package imap

import (
	"context"

	"mailguard/guard"
	"mailguard/message"
	"mailguard/policy"
	"mailguard/proxy/imap/command"
)

// The functions of this file are for observe mode: everything goes upstream as
// without a guard, and what went is recorded with the verdict that would have
// been. Whatever fails here is logged, and the command is passed on.

// observeExpunge is EXPUNGE and UID EXPUNGE.
func (s *session) observeExpunge(ctx context.Context, cmd command.Command) error {
	key := command.SearchKey{Op: command.OpDeleted}
	if m, some := command.MessagesOf(cmd.Args); some {
		key = command.AndKey(key, command.SearchKey{Op: command.OpUID, Set: m.Set})
	}
	going := s.observeSearch(ctx, key)
	return s.observe(ctx, cmd, guard.Deletion{Op: policy.IMAPExpunge}, byUID(going))
}

// observeClose is CLOSE.
func (s *session) observeClose(ctx context.Context, cmd command.Command) error {
	if !s.folder.readOnly {
		going := s.observeSearch(ctx, command.SearchKey{Op: command.OpDeleted})
		s.observed(ctx, guard.Deletion{Op: policy.IMAPExpunge}, byUID(going))
	}
	return s.closeUpstream(ctx, cmd) // what became of it is read at the next SELECT
}

// observeMove is MOVE and UID MOVE.
func (s *session) observeMove(ctx context.Context, cmd command.Command, args command.Move) error {
	return s.observe(ctx, cmd, s.moveTo(args.Folder), args.Messages)
}

// observe records a deletion, passes the command on and reads what became of
// it.
func (s *session) observe(ctx context.Context, cmd command.Command, d guard.Deletion, going command.Messages) error {
	claimed := s.observed(ctx, d, going)
	res, err := s.say(ctx, cmd.Name, cmd.Args, nil)
	if err != nil {
		return err
	}
	if len(claimed) > 0 {
		s.observeOutcome(ctx, claimed)
	}
	return s.reply(cmd.Tag + " " + s.filterResult(res))
}

// observeSearch finds what an EXPUNGE would take.
func (s *session) observeSearch(ctx context.Context, key command.SearchKey) []message.UID {
	found, err := s.search(ctx, key)
	if err != nil {
		s.log.Warn().Err(err).Msg("observed deletions not recorded")
	}
	return found
}

// observed puts on record what is about to go.
func (s *session) observed(ctx context.Context, d guard.Deletion, going command.Messages) []message.UID {
	if isEmpty(going) {
		return nil
	}
	found, err := s.look(ctx, going)
	if err == nil && len(found) > 0 {
		var rulings []guard.FolderRuling
		if rulings, err = s.folder.guarded.Decide(ctx, d, justSeen(found)); err == nil {
			s.logVerdicts(rulings)
			var claimed []message.UID
			claimed, err = s.folder.guarded.Commit(ctx, rulings)
			if err == nil {
				return claimed
			}
		}
	}
	if err != nil {
		s.log.Warn().Err(err).Msg("observed deletions not recorded")
	}
	return nil
}

// observeOutcome reads what has gone.
func (s *session) observeOutcome(ctx context.Context, claimed []message.UID) {
	there, err := s.remaining(ctx, claimed)
	if err != nil {
		s.log.Warn().Err(err).Msg("what became of observed deletions is not known yet")
		return
	}
	var gone, stays []message.UID
	for _, u := range claimed {
		if there[u] {
			stays = append(stays, u)
		} else {
			gone = append(gone, u)
		}
	}
	s.counts.deleted += len(gone)
	_ = s.folder.guarded.Settle(ctx, gone, stays) // logged there
}
