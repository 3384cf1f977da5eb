package pop3

import (
	"context"
	"maps"
	"slices"
	"time"

	"mailguard/guard"
	"mailguard/message"
)

// handleQuit ends a session. In a guarded mailbox its order is the promise:
//
//  1. the ledger commits the session's deferrals, and its allowed deletions as
//     claims;
//  2. what is due by now is checked to be the same message, and claimed;
//  3. the claimed messages are deleted upstream, and QUIT is sent;
//  4. the client gets its answer.
//
// If step 1 fails, nothing is deleted and the client is told so. What fails
// later is not the client's business: what it deleted is out of its view.
func (s *session) handleQuit(ctx context.Context, _ Command) error {
	if s.state == authorization {
		_ = s.ok("Bye")
		return errEnd
	}
	// Begun work is finished even while the server shuts down.
	s.server.detach()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), quitTimeout)
	defer cancel()

	remove, err := s.guarded.Commit(ctx, s.deletions(), s.leftAlone())
	if err != nil {
		s.log.Error().Err(err).Msg("deletions could not be recorded; nothing was deleted")
		_, _ = s.server.command("RSET")
		s.server.leave()
		_ = s.reply(replyTemporary)
		return errEnd
	}
	s.counts.deleted, s.counts.quit = len(s.rulings), true
	s.update(ctx, remove)
	_ = s.ok("Bye")
	return errEnd
}

// quitTimeout bounds all that a guarded QUIT does: several upstream answers
// for a maildrop full of deletions, well below the time after which a claim
// is taken for abandoned.
const quitTimeout = 5 * time.Minute

// deletions are the session's rulings, in the order of their numbers.
func (s *session) deletions() []guard.Ruling {
	var all []guard.Ruling
	for _, n := range slices.Sorted(maps.Keys(s.rulings)) {
		all = append(all, s.rulings[n])
	}
	return all
}

// leftAlone are the places of the messages that the client saw listed and
// neither fetched nor deleted: its delivery of them worked (DESIGN: done).
func (s *session) leftAlone() []int {
	var places []int
	s.drop.each(func(_, place int) {
		if (s.all || s.listed[place]) && !s.touched[place] {
			places = append(places, place)
		}
	})
	return places
}

// update is the update state: it removes what may be removed. If the upstream
// is lost in it, the outcome is unknown, and is settled by reading in a later
// session.
func (s *session) update(ctx context.Context, remove []int) {
	defer s.server.close()
	s.server.conn.SetDeadline(time.Now().Add(quitTimeout))
	released, err := s.claimDue(ctx)
	if err != nil {
		s.log.Warn().Err(err).Msg("nothing is released in this session")
	}
	s.counts.released = len(released)
	failed, sent, err := s.server.removeAndQuit(append(slices.Clone(remove), released...))
	if err != nil {
		s.log.Warn().Err(err).Bool("quit_sent", sent).Msg("upstream lost while messages were removed; a later session reads what happened")
	}
	if err != nil && !sent { // without QUIT nothing is removed (RFC 1939, 6)
		failed = append(slices.Clone(remove), released...)
	}
	if err := s.Releaser.Withdraw(ctx, s.ids(failed)); err != nil {
		s.log.Warn().Err(err).Msg("claims that were not carried out expire by themselves")
	}
}

func (s *session) ids(places []int) []message.ID {
	var ids []message.ID
	for _, p := range places {
		ids = append(ids, s.guarded.ID(p))
	}
	return ids
}

// removeAndQuit deletes the messages at these places, and quits. failed are
// those that the server did not delete; sent reports whether QUIT may have
// reached it, after which an error leaves the outcome unknown.
func (s *server) removeAndQuit(places []int) (failed []int, sent bool, err error) {
	for chunk := range slices.Chunk(places, s.window()) {
		more, err := s.delete(chunk)
		if err != nil {
			return nil, false, err
		}
		failed = append(failed, more...)
	}
	if err := s.ready(); err != nil {
		return nil, false, err
	}
	reply, err := s.command("QUIT")
	if err == nil && !reply.OK { // some deleted messages not removed (RFC 1939, 6): which, only reading can tell
		err = reply
	}
	return failed, true, err
}

// window is how many commands are sent before their answers are read. An
// answer is short: they fit into the socket's buffers.
func (s *server) window() int {
	if s.caps.Pipelining {
		return 100
	}
	return 1
}

// delete sends DELE for some messages, and reads the answers.
func (s *server) delete(places []int) (failed []int, err error) {
	var lines []string
	for _, p := range places {
		lines = append(lines, Command{Verb: "DELE", Number: p + 1}.String())
	}
	if err := s.send(lines...); err != nil {
		return nil, err
	}
	for _, p := range places {
		reply, err := s.readReply()
		if err != nil {
			return nil, err
		}
		if !reply.OK {
			failed = append(failed, p)
		}
	}
	return failed, nil
}
