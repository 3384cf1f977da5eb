package imap

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"mailguard/guard"
	"mailguard/message"
	"mailguard/proxy/imap/command"
	"mailguard/proxy/imap/view"
	"mailguard/proxy/imap/wire"
)

// handleSelect is SELECT and EXAMINE (RFC 9051, 6.3.2). The answer is held back
// until it is known what the member has marked and what is hidden from it.
func (s *session) handleSelect(ctx context.Context, cmd command.Command) error {
	args := cmd.Args.(command.Select)
	t := s.resolve(args.Folder)
	f := newFolder(t, s.stanceTo(ctx, t), cmd.Name == "EXAMINE")
	if f.protects() && (args.CondStore || args.QResync != nil) {
		if s.admitted == guard.Protect {
			return Reply{Word: "BAD", Text: "CONDSTORE and QRESYNC are not offered"}
		}
		args.CondStore, args.QResync = false, nil // the answer says NOMODSEQ (RFC 7162, 3.1.2.2)
	}
	if err := s.lookOnce(ctx); err != nil {
		return err
	}
	s.closeFolder(ctx)
	s.setFolder(f) // what comes from now on is of this folder
	s.state = authenticated
	res, err := s.say(ctx, cmd.Name, args, f.note)
	if err == nil && res.ok() {
		err = s.open(ctx, f, res)
	}
	if err != nil || !res.ok() {
		s.closeFolder(ctx)
	}
	if isReply(err) && res.ok() { // the client has nothing selected, and so has nobody
		err = errors.Join(err, fatal(s.leave(ctx, args.Folder)))
	}
	if err != nil {
		return err
	}
	if res.ok() {
		s.state = selected
	}
	return s.reply(cmd.Tag + " " + s.filterResult(res))
}

func (s *session) setFolder(f *folder) {
	s.out.Lock()
	defer s.out.Unlock()
	s.folder = f
}

// note learns what SELECT's responses say of the folder; they go to the client
// all the same.
func (f *folder) note(r *response) bool {
	if r.Kind != wire.Status || !r.Is("OK") {
		return false
	}
	if name, arg, _ := wire.Code(r.text()); string(name) == "UIDVALIDITY" {
		n, _ := strconv.ParseUint(string(arg), 10, 32) // 0 is none
		f.uidValidity = uint32(n)
	} else if string(name) == "UIDNEXT" {
		n, _ := strconv.ParseUint(string(arg), 10, 32)
		f.uidNext = uint32(n)
	}
	return false
}

// open reads what is known of the folder, and tells the client what it sees of
// it.
func (s *session) open(ctx context.Context, f *folder, res result) error {
	s.out.Lock()
	f.readOnly = f.readOnly || res.code == "READ-ONLY"
	s.out.Unlock()
	err := s.openGuarded(ctx, f)
	if err == nil && f.tracks() && f.guarded.SweepDue() {
		err = s.sweep(ctx, f)
	}
	if err == nil && f.opening != nil {
		err = s.show(ctx, f)
	}
	return err
}

// removes are the commands before which it is looked again whether policy can
// touch the folder.
var removes = map[string]bool{
	"STORE": true, "UID STORE": true, "EXPUNGE": true, "UID EXPUNGE": true, "CLOSE": true, "MOVE": true, "UID MOVE": true,
}

// replyReadmitted is the answer to a command by message numbers, which the
// guard's own look may have changed.
var replyReadmitted = Reply{Word: "NO", Code: "UNAVAILABLE", Text: "Others use this mailbox as well by now; please try again"}

// readmit looks again how the selected folder is treated before something is
// deleted in it: a mailbox becomes shared when a second member comes, and a
// session may have been open for weeks by then.
func (s *session) readmit(ctx context.Context, name string, args command.Args) error {
	f := s.folder
	if f == nil || f.stance != guard.Relay || !removes[name] {
		return nil
	}
	stance := s.stanceTo(ctx, f.target)
	if stance == guard.Relay {
		return nil
	}
	if err := s.drain(ctx); err != nil {
		return err
	}
	s.out.Lock()
	f.stance = stance
	if s.own(f.target) {
		s.stance = stance
	}
	s.out.Unlock()
	if err := s.openGuarded(ctx, f); err != nil {
		return err
	}
	if f.view.Pending() > 0 { // hidden before, when the mailbox was shared already: told at the next moment
		s.news.Store(true)
	}
	if m, ok := command.MessagesOf(args); ok && !m.UID {
		return replyReadmitted
	}
	return nil
}

// openGuarded opens a folder that policy can touch: it reads what the ledger
// knows of it, and settles what became of removals that nobody has seen the end
// of.
func (s *session) openGuarded(ctx context.Context, f *folder) error {
	if f.stance == guard.Relay || f.mailbox == "" {
		return nil
	}
	if f.uidValidity == 0 || !isRegular(f.folder) {
		s.log.Warn().Str("folder", f.folder).Msg("a folder without UIDVALIDITY, or with a name that can be spelt in other ways: nothing is deleted in it")
		return nil
	}
	f.use = s.useOf(ctx, f.target)
	guarded, err := s.Guard.OpenFolder(ctx, s.visitorTo(f.target), f.stance,
		guard.OpenedFolder{Name: f.folder, Use: f.use, UIDValidity: f.uidValidity}, s.notify)
	if err != nil {
		return err
	}
	s.out.Lock()
	f.guarded = guarded
	s.out.Unlock()
	s.watched.Store(guarded)
	return s.placeKnown(ctx, f)
}

// placeKnown finds the messages that the ledger knows something about.
func (s *session) placeKnown(ctx context.Context, f *folder) error {
	marked, unsettled, hidden := f.guarded.Marks(), f.guarded.Unsettled(), f.guarded.Hidden()
	asked := slices.Concat(marked, unsettled, hidden)
	if len(asked) == 0 {
		return nil
	}
	places, err := s.locate(ctx, asked)
	if err != nil {
		return err
	}
	if err := s.place(f, places, marked, hidden); err != nil { // before anything else is asked: its answer may move them
		return err
	}
	there := make(map[message.UID]bool, len(places))
	for _, p := range places {
		there[message.UID(p.UID)] = true
	}
	isThere := func(u message.UID) bool { return there[u] }
	gone, err := s.missing(ctx, slices.DeleteFunc(asked, isThere))
	if err != nil {
		return err
	}
	stays := slices.DeleteFunc(slices.Clone(unsettled), func(u message.UID) bool { return !isThere(u) })
	if len(gone)+len(stays) > 0 {
		_ = f.guarded.Settle(ctx, gone, stays) // logged there; a later look settles the same
	}
	return nil
}

// place takes the places of the marked and of the hidden messages. All of the
// lists are in ascending order.
func (s *session) place(f *folder, places []view.Place, marked, hidden []message.UID) error {
	s.out.Lock()
	defer s.out.Unlock()
	f.marks.Add(among(places, marked)...)
	if err := f.view.Hide(among(places, hidden)...); err != nil {
		return nonsense(err)
	}
	return nil
}

// among are the places of those messages; uids is in ascending order.
func among(places []view.Place, uids []message.UID) []view.Place {
	return slices.DeleteFunc(slices.Clone(places), func(p view.Place) bool {
		_, is := slices.BinarySearch(uids, message.UID(p.UID))
		return !is
	})
}

// missing are those of the messages that are really not there: that a FETCH does
// not tell of a message proves little.
func (s *session) missing(ctx context.Context, uids []message.UID) ([]message.UID, error) {
	if len(uids) == 0 {
		return nil, nil
	}
	there, err := s.remaining(ctx, uids)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(uids, func(u message.UID) bool { return there[u] }), nil
}

// handleUnselect is UNSELECT (RFC 3691), which deletes nothing.
func (s *session) handleUnselect(ctx context.Context, cmd command.Command) error {
	if err := s.release(ctx); err != nil {
		return err
	}
	if err := s.unselect(ctx); err != nil {
		return err
	}
	return s.reply(cmd.Tag + " OK Unselect completed")
}

// unselect leaves the folder without deleting anything. A server without
// UNSELECT opens the folder again for reading only; CLOSE then deletes nothing
// (RFC 9051, 6.4.2).
func (s *session) unselect(ctx context.Context) error {
	f := s.folder
	if err := fatal(s.lookOnce(ctx)); err != nil { // else some fetches do not count
		return err
	}
	s.closeFolder(ctx)
	s.state = authenticated
	return s.leave(ctx, f.name)
}

// leave has the upstream leave the folder that it has selected.
func (s *session) leave(ctx context.Context, name string) error {
	if s.upstreamHas("UNSELECT") {
		return s.mustSay(ctx, "UNSELECT", command.None{}, nil)
	}
	quiet := func(*response) bool { return true }
	if err := s.mustSay(ctx, "EXAMINE", command.Select{Folder: name}, quiet); err != nil {
		return err
	}
	return s.mustSay(ctx, "CLOSE", command.None{}, quiet)
}

// fatal is an error that the session cannot go on with, or nil.
func fatal(err error) error {
	if isReply(err) {
		return nil
	}
	return err
}

// mustSay is say for a command that the upstream cannot refuse.
func (s *session) mustSay(ctx context.Context, name string, args command.Args, collect func(*response) bool) error {
	res, err := s.say(ctx, name, args, collect)
	if err == nil && !res.ok() {
		err = Reply{Word: "NO", Text: clean(res.human(), 200)}
	}
	return err
}
