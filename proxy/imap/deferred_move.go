package imap

import (
	"context"
	"errors"
	"maps"
	"slices"

	"mailguard/guard"
	"mailguard/message"
	"mailguard/proxy/imap/command"
)

// moving is where messages are moved to by a move that removes nothing: they are
// copied, and hidden from this member. Others keep the originals.
type moving struct {
	name     string // as the client wrote it
	to       target
	here     bool   // the folder that they are in: Dovecot can lose messages that are moved to where they are
	within   bool   // in another folder of the same mailbox: the ledger knows the copies
	asked    bool   // validity is what the upstream says
	validity uint32 // UIDVALIDITY, 0 not known
	isEmpty  bool   // nothing is in it: copies that the ledger knows are gone
}

func (s *session) movingTo(name string) *moving {
	t := s.resolve(name)
	from := s.folder.target
	here := t.mailbox == from.mailbox && t.folder == from.folder
	return &moving{name: name, to: t, here: here, within: t.mailbox == from.mailbox && !here && isRegular(t.folder)}
}

// askDestination asks for the destination's UIDVALIDITY, and whether anything is in
// it, once.
func (s *session) askDestination(ctx context.Context, m *moving) error {
	if m.asked || !m.within {
		return nil
	}
	m.asked = true
	args := command.Status{Folder: m.name, Items: []command.StatusItem{command.StatusUIDValidity, command.StatusMessages}}
	_, err := s.say(ctx, "STATUS", args, func(r *response) bool {
		if !r.Is("STATUS") {
			return false
		}
		_, list := cutName(r.text())
		counts := parseCounts(list)
		m.validity = uint32(counts.value(command.StatusUIDValidity))
		m.isEmpty = counts.has(command.StatusMessages) && counts.value(command.StatusMessages) == 0
		return true
	})
	return err // a folder that does not exist has none
}

// putBack undoes moves: a message that a deferred move copied to this folder, and
// that is moved back, comes back as the original. It returns the rulings that are
// left to carry out.
func (s *session) putBack(ctx context.Context, m *moving, rulings []guard.FolderRuling) (left []guard.FolderRuling, err error) {
	if !m.within {
		return rulings, nil
	}
	originals, err := s.folder.guarded.Originals(ctx, uidsRuled(rulings), m.to.folder)
	if err != nil || len(originals) == 0 {
		return rulings, err
	}
	if err := s.askDestination(ctx, m); err != nil || m.validity == 0 {
		return rulings, err
	}
	theirs := func(r guard.FolderRuling) bool { return originals[r.Seen.UID].UIDValidity == m.validity }
	back, err := s.folder.guarded.Undo(ctx, filter(rulings, theirs), m.to.folder, m.validity)
	if err != nil || len(back) == 0 {
		return rulings, err
	}
	pairs := make(map[message.UID]message.UID, len(back))
	for copied, original := range back {
		pairs[copied] = original.UID
	}
	if err := s.moved(m, slices.Collect(maps.Keys(pairs)), pairs); err != nil {
		return nil, err
	}
	return filter(rulings, func(r guard.FolderRuling) bool { return pairs[r.Seen.UID] == 0 }), nil
}

func filter(rulings []guard.FolderRuling, keep func(guard.FolderRuling) bool) []guard.FolderRuling {
	return slices.DeleteFunc(slices.Clone(rulings), func(r guard.FolderRuling) bool { return !keep(r) })
}

func uidsRuled(rulings []guard.FolderRuling) []message.UID {
	uids := make([]message.UID, len(rulings))
	for i, r := range rulings {
		uids[i] = r.Seen.UID
	}
	return uids
}

// moveAway carries a deferred move out. Each piece is copied, then put on record,
// then hidden: whatever fails, what was not hidden stays in sight, and nothing is
// removed.
func (s *session) moveAway(ctx context.Context, m *moving, rulings []guard.FolderRuling) (result, error) {
	known, err := s.copiesThere(ctx, m, uidsRuled(rulings))
	if err != nil {
		return result{}, err
	}
	before := s.counts.hidden
	for some := range slices.Chunk(rulings, commitAtOnce) {
		res, err := s.moveSome(ctx, m, some, known)
		if err != nil && isReply(err) && s.counts.hidden > before {
			err = errors.Join(replyPartly, err)
		}
		if err != nil || !res.ok() {
			return res, err
		}
	}
	return result{word: "OK", text: "OK Move completed"}, nil
}

// moveSome copies, records and hides one piece. What the upstream does not name
// among the copies that it made has not been copied.
func (s *session) moveSome(ctx context.Context, m *moving, some []guard.FolderRuling, known map[message.UID]message.UID) (result, error) {
	pairs, res, err := s.copyTo(ctx, m, uidsRuled(some), known)
	if err != nil || !res.ok() {
		return res, err
	}
	if len(pairs) > 0 {
		some = filter(some, func(r guard.FolderRuling) bool { return pairs[r.Seen.UID] != 0 })
	}
	if err := s.folder.guarded.CommitMove(ctx, some, m.to.folder, m.recorded(), pairs); err != nil {
		return res, err
	}
	return res, s.moved(m, uidsRuled(some), pairs)
}

// recorded is the UIDVALIDITY under which copies go on record. Those in another
// mailbox, or in the same folder, do not: nobody undoes a move to there.
func (m *moving) recorded() uint32 {
	if m.within {
		return m.validity
	}
	return 0
}

// copiesThere are the copies that earlier moves of these messages made in the
// destination, by their originals: a later mover gets no new one. That one went
// past the guard is noticed at the daily look at its folder, or at once if that has
// been emptied.
func (s *session) copiesThere(ctx context.Context, m *moving, uids []message.UID) (map[message.UID]message.UID, error) {
	if !m.within {
		return nil, nil
	}
	found, err := s.folder.guarded.MovedCopy(ctx, uids, m.to.folder, 0)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	if err := s.askDestination(ctx, m); err != nil || m.isEmpty || m.validity == 0 {
		return nil, err
	}
	// Copies in the folder's life before may be on record as later ones.
	if found, err = s.folder.guarded.MovedCopy(ctx, uids, m.to.folder, m.validity); err != nil {
		return nil, err
	}
	copies := make(map[message.UID]message.UID, len(found))
	for original, c := range found {
		copies[original] = c.UID
	}
	return copies, nil
}

// copyTo copies those of the messages that have no copy yet. It returns all
// copies by their originals, as far as the upstream names them. The answer is not
// OK if any was not copied.
func (s *session) copyTo(ctx context.Context, m *moving, uids []message.UID, known map[message.UID]message.UID) (map[message.UID]message.UID, result, error) {
	pairs := make(map[message.UID]message.UID, len(uids))
	var fresh []message.UID
	for _, u := range uids {
		if c := known[u]; c != 0 {
			pairs[u] = c
		} else {
			fresh = append(fresh, u)
		}
	}
	for _, chunk := range chunks(byUID(fresh)) {
		res, err := s.say(ctx, "UID COPY", command.Copy{Messages: chunk, Folder: m.name}, nil)
		if err != nil || !res.ok() {
			return nil, res, err
		}
		validity, source, copies, ok := parseCopyUID(res)
		if ok && len(known) > 0 && validity != m.validity { // another folder of this name, since it was asked
			return nil, res, replyTemporary
		}
		if ok {
			m.validity = validity
		}
		for i, u := range source {
			pairs[u] = copies[i]
		}
	}
	return pairs, result{word: "OK"}, nil
}

// moved tells the client where messages are now (RFC 6851, 4.3: in an untagged OK,
// before the EXPUNGEs), and hides them here.
func (s *session) moved(m *moving, uids []message.UID, pairs map[message.UID]message.UID) error {
	if len(pairs) > 0 && m.validity != 0 {
		source := slices.Sorted(maps.Keys(pairs))
		copies := make([]message.UID, len(source))
		for i, u := range source {
			copies[i] = pairs[u]
		}
		if err := s.reply("* OK [COPYUID " + number(m.validity) + " " + listed(source) + " " + listed(copies) + "] Moved"); err != nil {
			return err
		}
	}
	return s.hideFollowed(uids)
}

// listed are numbers in this order, which pairs the two sets of COPYUID.
func listed[T ~uint32](uids []T) string {
	var b []byte
	for i := 0; i < len(uids); {
		end := i
		for end+1 < len(uids) && uids[end+1] == uids[end]+1 {
			end++
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, number(uids[i])...)
		if end > i {
			b = append(append(b, ':'), number(uids[end])...)
		}
		i = end + 1
	}
	return string(b)
}
