package imap

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"mailguard/guard"
	"mailguard/message"
	"mailguard/policy"
	"mailguard/proxy/imap/command"
	"mailguard/proxy/imap/wire"
)

// handleMove is MOVE and UID MOVE (RFC 6851). If any of the messages is refused
// nothing moves: a move that is half done multiplies messages at the next try.
func (s *session) handleMove(ctx context.Context, cmd command.Command) error {
	args := cmd.Args.(command.Move)
	switch f := s.folder; {
	case f.observes():
		return s.observeMove(ctx, cmd, args)
	case !f.protects():
		return s.passOn(ctx, cmd)
	case f.readOnly: // Dovecot would carry it out
		return replyReadOnly
	case f.guarded == nil:
		return replyClosed
	}
	defer s.followPlaces(nil)
	rulings, err := s.decideMove(ctx, args)
	if err != nil {
		return err
	}
	res, err := s.carryMove(ctx, args.Folder, rulings)
	if err != nil {
		return err
	}
	return s.reply(cmd.Tag + " " + s.filterResult(res))
}

// carryMove carries a move out of which nothing is refused. What was moved here
// from there goes back. If any of the rest is deferred, all of it is: a move that
// is half one and half the other multiplies messages.
func (s *session) carryMove(ctx context.Context, to string, rulings []guard.FolderRuling) (result, error) {
	m := s.movingTo(to)
	left, err := s.putBack(ctx, m, filter(rulings, func(r guard.FolderRuling) bool { return r.Outcome != policy.Accepted }))
	switch {
	case err != nil:
		return result{}, err
	case len(left) == 0 && len(rulings) > 0: // what is accepted stays in sight
		return result{word: "OK", text: "OK Move completed"}, nil
	case slices.ContainsFunc(left, isDeferred), m.here, !s.upstreamHas("MOVE") && !s.upstreamHas("UIDPLUS"):
		return s.moveAway(ctx, m, left)
	}
	remove, err := s.commitMove(ctx, left)
	if err != nil || len(remove) == 0 {
		return result{word: "OK", text: "OK No messages found"}, err
	}
	return s.move(ctx, remove, to)
}

func isDeferred(r guard.FolderRuling) bool { return r.Outcome == policy.Deferred }

// decideMove decides about all of the messages; none of them is refused. The pump
// follows where they stand.
func (s *session) decideMove(ctx context.Context, args command.Move) ([]guard.FolderRuling, error) {
	found, err := s.look(ctx, args.Messages)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	s.followPlaces(found)
	rulings, err := s.folder.guarded.Decide(ctx, s.moveTo(args.Folder), justSeen(found))
	if err != nil {
		return nil, err
	}
	s.logVerdicts(rulings)
	var refused refusal
	for _, r := range rulings {
		if r.Outcome == policy.Refused {
			refused.add(r)
		}
	}
	if err := refused.err(); err != nil {
		s.counts.kept += refused.n
		return nil, err
	}
	return rulings, nil
}

// commitMove puts all of a move on record before anything of it is carried out:
// if the ledger fails in between, nothing moves.
func (s *session) commitMove(ctx context.Context, rulings []guard.FolderRuling) (remove []message.UID, err error) {
	for some := range slices.Chunk(rulings, commitAtOnce) {
		claimed, err := s.folder.guarded.Commit(ctx, some)
		if err != nil {
			_ = s.folder.guarded.Settle(ctx, nil, remove) // logged there; claims end by themselves
			return nil, err
		}
		remove = append(remove, claimed...)
	}
	return remove, nil
}

// moveTo is a move as policy sees it. A folder of another mailbox has no use
// here: what is an archive there is out of this mailbox.
func (s *session) moveTo(name string) guard.Deletion {
	return s.deletionTo(policy.IMAPMove, s.folder.target, s.resolve(name))
}

// deletionTo is a deletion from one folder to another as policy sees it. A
// destination in another mailbox has that mailbox's name in front, so that no
// rule takes it for a folder of this one, and no use.
func (s *session) deletionTo(op policy.Op, from, to target) guard.Deletion {
	if to.mailbox != from.mailbox || to.mailbox == "" {
		return guard.Deletion{Op: op, Destination: string(to.mailbox) + ":" + to.folder}
	}
	return guard.Deletion{Op: op, Destination: to.folder, DestinationUse: s.knownUse(to)}
}

// move moves messages that were claimed for it, and reads what became of them.
func (s *session) move(ctx context.Context, uids []message.UID, to string) (res result, err error) {
	one := s.moveChunk
	if !s.upstreamHas("MOVE") {
		one = s.copyAndRemove
	}
	begun := s.Now()
	for _, chunk := range chunks(byUID(uids)) {
		if s.Now().Sub(begun) > removeWithin {
			res = result{word: "NO", text: "NO [UNAVAILABLE] The mail server is too slow; not all messages were moved"}
			break
		}
		if res, err = one(ctx, chunk, to); err != nil {
			return res, err
		}
		if !res.ok() {
			break
		}
	}
	still, err := s.settle(ctx, uids)
	if err == nil && res.ok() && len(still) > 0 { // said to be done, and not done: a login without the right
		res = result{word: "NO", text: fmt.Sprintf("NO [NOPERM] %d messages could not be removed here, and are in both folders now", len(still))}
	}
	return res, err
}

func (s *session) moveChunk(ctx context.Context, chunk command.Messages, to string) (result, error) {
	return s.say(ctx, "UID MOVE", command.Move{Messages: chunk, Folder: to}, nil)
}

// copyAndRemove is a move for a server without MOVE. Nothing is removed unless
// all of it was copied.
func (s *session) copyAndRemove(ctx context.Context, chunk command.Messages, to string) (result, error) {
	res, err := s.say(ctx, "UID COPY", command.Copy{Messages: chunk, Folder: to}, nil)
	if err != nil || !res.ok() {
		return res, err
	}
	if res.code == "COPYUID" { // RFC 6851, 4.3: in an untagged OK, before the EXPUNGEs
		if err := s.reply("* OK [COPYUID " + clean(res.arg, maxSet*3) + "] Moved"); err != nil {
			return res, err
		}
	}
	return result{word: "OK", text: "OK Move completed"}, s.removeChunk(ctx, chunk)
}

// handleCopy is COPY and UID COPY (RFC 9051, 6.4.7), which removes nothing. In a
// guarded folder the guard remembers for a while what was copied where: many
// clients move by COPY, \Deleted and EXPUNGE.
func (s *session) handleCopy(ctx context.Context, cmd command.Command) error {
	args := cmd.Args.(command.Copy)
	var c call
	if f := s.folder; f.tracks() {
		if t := s.resolve(args.Folder); t.mailbox == f.mailbox {
			use := s.knownUse(t)
			c.after = func(res result) { f.copied(res, t, use) }
		}
	}
	return s.passNamed(ctx, cmd, c)
}

// copied tells the guard what COPYUID says (RFC 4315, 3). It runs in the pump.
func (f *folder) copied(res result, to target, use string) {
	if validity, source, copies, ok := parseCopyUID(res); ok {
		f.guarded.Copied(source, to.folder, use, validity, copies)
	}
}

// parseCopyUID reads where copies are (RFC 4315, 3), which go in pairs with what
// they are of.
func parseCopyUID(res result) (validity uint32, source, copies []message.UID, ok bool) {
	words := strings.Fields(res.arg)
	if !res.ok() || res.code != "COPYUID" || len(words) != 3 {
		return 0, nil, nil, false
	}
	validity = uint32(parseSize([]byte(words[0])))
	source, ok1 := expand(words[1])
	copies, ok2 := expand(words[2])
	if !ok1 || !ok2 || len(source) != len(copies) || validity == 0 {
		return 0, nil, nil, false
	}
	return validity, source, copies, true
}

// maxCopied is how many copies of one command are remembered.
const maxCopied = 10_000

// expand lists the UIDs of a set in the order in which it names them, which is
// what pairs the two sets of COPYUID.
func expand(set string) (uids []message.UID, ok bool) {
	if set == "" {
		return nil, true
	}
	for element := range strings.SplitSeq(set, ",") {
		first, last, isRange := strings.Cut(element, ":")
		from, to := parseSize([]byte(first)), parseSize([]byte(last))
		if !isRange {
			to = from
		}
		if from == 0 || to < from || to > 1<<32-1 || int64(len(uids))+to-from >= maxCopied {
			return nil, false
		}
		for u := from; u <= to; u++ {
			uids = append(uids, message.UID(u))
		}
	}
	return uids, true
}

// useOf says which special use a folder has, asking the upstream once in a
// session. Everything in flight has been drained.
func (s *session) useOf(ctx context.Context, t target) string {
	if s.uses == nil {
		s.learnUses(ctx)
	}
	return s.knownUse(t)
}

// knownUse is useOf without asking. A folder of another mailbox has no use that
// this login's listing could tell.
func (s *session) knownUse(t target) string {
	if use := s.upstream.use(t.folder); use != "" {
		return use
	}
	if !s.own(t) {
		return ""
	}
	return s.uses[t.folder]
}

// learnUses asks for the special uses (RFC 6154). Without them rules see none.
func (s *session) learnUses(ctx context.Context) {
	s.uses = make(map[string]string)
	if !s.upstreamHas("SPECIAL-USE") {
		return
	}
	list := command.List{Patterns: []string{"*"}}
	if s.upstreamHas("LIST-EXTENDED") {
		list.Return = &command.ListReturn{SpecialUse: true}
	}
	_, err := s.say(ctx, "LIST", list, func(r *response) bool {
		if r.Kind != wire.Data || !r.Is("LIST") {
			return false
		}
		s.noteUse(string(r.text()))
		return true
	})
	if err != nil {
		s.log.Warn().Err(err).Msg("the special uses of folders are not known")
	}
}

// noteUse reads a LIST response: attributes, delimiter, name.
func (s *session) noteUse(text string) {
	attributes, rest, ok := strings.Cut(strings.TrimRight(text, "\r\n"), ") ")
	if !ok {
		return
	}
	_, name, _ := strings.Cut(rest, " ")
	if value, _, quoted := cutQuoted(name); quoted {
		name = value
	}
	name = s.decodeName(name)
	for a := range strings.FieldsSeq(strings.ToLower(strings.TrimPrefix(attributes, "("))) {
		switch use := strings.TrimPrefix(a, `\`); use {
		case "trash", "junk", "drafts", "sent", "archive":
			if t := s.resolve(name); s.own(t) {
				s.uses[t.folder] = use
			}
		}
	}
}
