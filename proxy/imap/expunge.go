package imap

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"

	"mailguard/guard"
	"mailguard/message"
	"mailguard/policy"
	"mailguard/proxy/imap/command"
	"mailguard/proxy/imap/view"
)

// handleExpunge is EXPUNGE and UID EXPUNGE (RFC 9051, 6.4.3 and 6.4.9). It is
// about this member's own marks and decided now, with the facts of now. What is
// refused loses its mark and stays; the answer is OK all the same: a NO here
// stops fetchers for good and protects nothing.
func (s *session) handleExpunge(ctx context.Context, cmd command.Command) error {
	switch f := s.folder; {
	case f.observes():
		return s.observeExpunge(ctx, cmd)
	case !f.protects():
		return s.passOn(ctx, cmd)
	case f.readOnly:
		return replyReadOnly
	}
	marked, err := s.markedOf(ctx, cmd.Args)
	if err != nil {
		return err
	}
	kept, err := s.expunge(ctx, marked)
	if err != nil {
		return err
	}
	if len(marked) == 0 { // an EXPUNGE is a moment to hear of what others removed
		if err := s.mustSay(ctx, "NOOP", command.None{}, nil); err != nil {
			return err
		}
	}
	if err := s.release(ctx); err != nil {
		return err
	}
	if kept.n > 0 {
		if err := s.reply("* NO [NOPERM] " + kept.sentence()); err != nil {
			return err
		}
	}
	return s.reply(cmd.Tag + " OK Expunge completed")
}

// markedOf are the marked messages that the command is about.
func (s *session) markedOf(ctx context.Context, args command.Args) ([]message.UID, error) {
	m, some := command.MessagesOf(args)
	last := view.Place{}
	if s.marked() == 0 {
		return nil, nil
	}
	if some {
		var err error
		if last, err = s.last(ctx, m.Set); err != nil {
			return nil, err
		}
	}
	s.out.Lock()
	defer s.out.Unlock()
	if some {
		return uidsOf(s.folder.marks.In(m.Set, last)), nil
	}
	return uidsOf(s.folder.marks.In(everything(), view.Place{Seq: 1<<32 - 1})), nil
}

func everything() imap.SeqSet {
	var all imap.SeqSet
	all.AddRange(1, 0)
	return all
}

// expunge decides about marked messages and removes those that may go: first
// the ledger, then the upstream, then a look at what happened. It returns what
// was kept.
func (s *session) expunge(ctx context.Context, marked []message.UID) (kept refusal, err error) {
	if len(marked) == 0 {
		return kept, nil
	}
	f := s.folder
	found, err := s.look(ctx, byUID(marked))
	if err != nil {
		return kept, err
	}
	s.followPlaces(found)
	defer s.followPlaces(nil)
	rulings, err := f.guarded.Decide(ctx, guard.Deletion{Op: policy.IMAPExpunge}, justSeen(found))
	if err != nil {
		return kept, err
	}
	if !s.upstreamHas("UIDPLUS") { // a plain EXPUNGE could take what others have marked
		rulings = deferAllowed(rulings)
	}
	s.logVerdicts(rulings)
	if err := s.settleVanished(ctx, marked, found); err != nil {
		return kept, err
	}
	before := s.counts.deleted + s.counts.hidden
	for some := range slices.Chunk(rulings, commitAtOnce) {
		stays, err := s.carryOut(ctx, some, &kept)
		s.changeMarks(nil, stays)
		if err == nil {
			err = s.tellKept(found, stays)
		}
		if err != nil && errors.Is(err, guard.ErrTemporary) && s.counts.deleted+s.counts.hidden > before {
			err = errors.Join(replyPartly, err)
		}
		if err != nil {
			return kept, err
		}
	}
	s.counts.kept += kept.n
	return kept, nil
}

// commitAtOnce is how many deletions are put on record and carried out
// together: the ledger writes for other sessions in between, and each removal
// follows its record soon.
const commitAtOnce = 1000

// carryOut commits some deletions, hides what was deferred and removes what may
// go. It returns those that stay in sight, and are not marked any more.
func (s *session) carryOut(ctx context.Context, rulings []guard.FolderRuling, kept *refusal) (stays []message.UID, err error) {
	remove, err := s.folder.guarded.Commit(ctx, rulings)
	if err != nil {
		return nil, err
	}
	stays = staying(rulings, kept)
	if err := s.hideFollowed(s.folder.guarded.Deferred(rulings)); err != nil {
		return stays, err
	}
	still, err := s.remove(ctx, remove)
	if len(still) == 0 || err != nil {
		return stays, err
	}
	return stays, s.hideInstead(ctx, rulings, still)
}

// hideInstead defers what was allowed and is not possible for this login: the
// member does not see it any more, and it goes when somebody can remove it.
func (s *session) hideInstead(ctx context.Context, rulings []guard.FolderRuling, still []message.UID) error {
	left := deferAllowed(filter(rulings, func(r guard.FolderRuling) bool { return slices.Contains(still, r.Seen.UID) }))
	if _, err := s.folder.guarded.Commit(ctx, left); err != nil {
		return err
	}
	return s.hideFollowed(still)
}

// deferAllowed defers what was allowed, where the upstream cannot remove single
// messages: the member does not see them any more, and they go when somebody can
// remove them.
func deferAllowed(rulings []guard.FolderRuling) []guard.FolderRuling {
	rulings = slices.Clone(rulings)
	for i := range rulings {
		if rulings[i].Outcome == policy.Allowed {
			rulings[i].Outcome = policy.Deferred
		}
	}
	return rulings
}

// logVerdicts writes a line for each deletion that was decided.
func (s *session) logVerdicts(rulings []guard.FolderRuling) {
	for _, r := range rulings {
		s.log.Info().Str("op", string(r.Facts.Op)).Str("folder", r.Facts.Folder).Uint32("uid", uint32(r.Seen.UID)).
			Str("verdict", string(r.Decision.Verdict)).Str("outcome", string(r.Outcome)).Str("rule", r.Decision.Rule).Msg("verdict")
	}
}

// staying are the messages that lose their mark and stay.
func staying(rulings []guard.FolderRuling, kept *refusal) (stays []message.UID) {
	for _, r := range rulings {
		switch r.Outcome {
		case policy.Refused:
			kept.add(r)
			stays = append(stays, r.Seen.UID)
		case policy.Accepted:
			stays = append(stays, r.Seen.UID)
		}
	}
	return stays
}

// settleVanished takes the marks of messages away that are not there any more.
func (s *session) settleVanished(ctx context.Context, marked []message.UID, found []seen) error {
	there := make(map[message.UID]bool, len(found))
	for _, m := range found {
		there[m.UID] = true
	}
	gone, err := s.missing(ctx, slices.DeleteFunc(slices.Clone(marked), func(u message.UID) bool { return there[u] }))
	if err != nil || len(gone) == 0 {
		return err
	}
	if s.folder.guarded.Settle(ctx, gone, nil) == nil { // logged there; a later look settles the same
		s.changeMarks(nil, gone)
	}
	return nil
}

// remove removes messages upstream that the ledger has claimed for it: exactly
// these, never by a plain EXPUNGE. A tagged OK proves nothing (Dovecot says it
// to a login without the right), so what is left is read. What was sent and not
// answered stays claimed, and is settled by reading, at a later SELECT.
func (s *session) remove(ctx context.Context, uids []message.UID) (still []message.UID, err error) {
	if len(uids) == 0 {
		return nil, nil
	}
	begun := s.Now()
	for _, chunk := range chunks(byUID(uids)) {
		if s.Now().Sub(begun) > removeWithin {
			break // what is left is still there, and is withdrawn
		}
		if err := s.removeChunk(ctx, chunk); err != nil {
			return nil, err
		}
	}
	return s.settle(ctx, uids)
}

// removeWithin is how long removals are begun after they were put on record. A
// claim is taken for abandoned after fifteen minutes; no answer takes five.
const removeWithin = 5 * time.Minute

func (s *session) removeChunk(ctx context.Context, chunk command.Messages) error {
	store := command.Store{Messages: chunk, Op: imap.StoreFlagsAdd, Silent: true, Flags: []imap.Flag{imap.FlagDeleted}}
	if res, err := s.say(ctx, "UID STORE", store, nil); err != nil || !res.ok() {
		return err
	}
	res, err := s.say(ctx, "UID EXPUNGE", command.UIDExpunge{Messages: chunk}, nil)
	if err != nil || res.ok() {
		return err
	}
	store.Op = imap.StoreFlagsDel // nobody else's EXPUNGE may take what ours did not
	_, err = s.say(ctx, "UID STORE", store, nil)
	return err
}

// settle reads what is left of messages that were to be removed, takes
// \Deleted off it again, and puts on record what became of them.
func (s *session) settle(ctx context.Context, uids []message.UID) (still []message.UID, err error) {
	there, err := s.remaining(ctx, uids)
	if err != nil {
		return nil, err
	}
	var gone []message.UID
	for _, u := range uids {
		if there[u] {
			still = append(still, u)
		} else {
			gone = append(gone, u)
		}
	}
	s.counts.deleted += len(gone)
	for _, chunk := range chunks(byUID(still)) {
		store := command.Store{Messages: chunk, Op: imap.StoreFlagsDel, Silent: true, Flags: []imap.Flag{imap.FlagDeleted}}
		if _, err := s.say(ctx, "UID STORE", store, nil); err != nil {
			return still, err
		}
	}
	_ = s.folder.guarded.Settle(ctx, gone, still) // logged there; a later look settles the same
	s.changeMarks(nil, gone)
	return still, nil
}

// followPlaces has the pump follow where messages stand; nil ends it.
func (s *session) followPlaces(found []seen) {
	places := make([]view.Place, len(found))
	for i, m := range found {
		places[i] = m.place()
	}
	s.out.Lock()
	defer s.out.Unlock()
	if s.folder != nil {
		s.folder.follow = view.Marks{}
		s.folder.follow.Add(places...)
	}
}

// tellKept tells the client the flags of messages that it had marked and that
// stay: they are not marked any more. What was read of them for the decision
// may have been news, too.
func (s *session) tellKept(found []seen, stays []message.UID) error {
	s.out.Lock()
	defer s.out.Unlock()
	if s.folder.silent {
		return nil
	}
	flags := make(map[imap.UID][]string, len(found))
	for _, m := range found {
		flags[imap.UID(m.UID)] = m.Flags
	}
	for _, p := range s.folder.follow.Remove(wireUIDs(stays)...) {
		n, sees := s.folder.view.ToClient(p.Seq)
		if !sees {
			continue
		}
		line := "* " + number(n) + " FETCH (FLAGS (" + strings.Join(flags[p.UID], " ") + "))"
		if err := s.writeLine(line); err != nil {
			return err
		}
	}
	return nil
}

// handleClose is CLOSE (RFC 9051, 6.4.1): the same decisions, silently, and the
// folder is left without anything that the upstream could expunge.
func (s *session) handleClose(ctx context.Context, cmd command.Command) error {
	f := s.folder
	switch {
	case f.observes():
		return s.observeClose(ctx, cmd)
	case !f.protects():
		return s.closeUpstream(ctx, cmd)
	}
	if !f.readOnly && f.guarded != nil {
		if err := s.expungeSilently(ctx); err != nil {
			return err
		}
	}
	if err := s.unselect(ctx); err != nil {
		return err
	}
	return s.reply(cmd.Tag + " OK Close completed")
}

// expungeSilently expunges for CLOSE. What cannot be decided now stays marked.
func (s *session) expungeSilently(ctx context.Context) error {
	s.out.Lock()
	s.folder.silent = true
	s.out.Unlock()
	_, err := s.learnChanges(ctx)
	var marked []message.UID
	if err == nil {
		marked, err = s.markedOf(ctx, command.None{})
	}
	if err == nil {
		_, err = s.expunge(ctx, marked)
	}
	if isReply(err) {
		s.log.Warn().Err(err).Msg("nothing deleted by CLOSE: marks stay")
		return nil
	}
	if err == nil {
		err = s.release(ctx)
	}
	return err
}

// closeUpstream is CLOSE in a folder that policy can never touch.
func (s *session) closeUpstream(ctx context.Context, cmd command.Command) error {
	res, err := s.say(ctx, "CLOSE", command.None{}, nil)
	if err != nil {
		return err
	}
	if res.ok() {
		s.closeFolder(ctx)
		s.state = authenticated
	}
	return s.reply(cmd.Tag + " " + s.filterResult(res))
}
