package imap

import (
	"context"
	"errors"
	"io"
	"strconv"
	"time"

	"github.com/emersion/go-imap/v2"

	"mailguard/member"
	"mailguard/message"
	"mailguard/proxy/imap/command"
	"mailguard/proxy/imap/wire"
)

// Remover looks at messages of the folder that a session has open, and removes
// them, for a release in passing. It is used by the session's goroutine, which
// holds the turn.
type Remover interface {
	Look(ctx context.Context, uids []message.UID, headers bool) ([]message.Found, error)
	Remove(ctx context.Context, uids []message.UID) error
	Unmark(ctx context.Context, uids []message.UID) error
	Quota(ctx context.Context) (int, error)
}

// Release releases what is due in a folder, through a session that has it open.
// news says that the session has just made something known that a release can
// rest on; otherwise it may do nothing for now. Errors of the remover's come back
// as they are.
type Release func(ctx context.Context, mailbox member.Mailbox, folder string, uidValidity uint32, by Remover, news bool) error

// release releases held messages in passing, at a moment when EXPUNGE may be
// told. What fails is in the log and tried again later, unless the session cannot
// go on.
func (s *session) release(ctx context.Context) error {
	f := s.folder
	if s.Release == nil || f == nil || !f.protects() || f.readOnly || f.guarded == nil || !s.upstreamHas("UIDPLUS") {
		return nil
	}
	if err := s.drain(ctx); err != nil {
		return err
	}
	news := s.counts.hidden > s.released
	s.released = s.counts.hidden
	err := s.Release(ctx, f.mailbox, f.folder, f.uidValidity, remover{s}, news)
	if err == nil {
		return nil
	}
	if s.flight.isDead() || errors.Is(err, errUpstreamLost) || errors.Is(err, wire.ErrNonsense) || ctx.Err() != nil {
		return err
	}
	s.log.Warn().Err(err).Msg("nothing is released in this session for now")
	return nil
}

// releaseAgain is how often a session looks for what is due while its client only
// asks for news.
const releaseAgain = time.Minute

// releaseNow is release for the commands that a client repeats all day.
func (s *session) releaseNow(ctx context.Context) error {
	f, now := s.folder, s.Now()
	if s.Release == nil || f == nil || s.counts.hidden == s.released && now.Before(f.releaseAt) {
		return nil
	}
	f.releaseAt = now.Add(releaseAgain)
	return s.release(ctx)
}

// remover is the session as a Remover.
type remover struct{ s *session }

// errPartly is the error of a server that does not tell of messages which it has.
var errPartly = errors.New("the server does not tell of all messages that it was asked about")

// Look reads messages, hidden or not. That a FETCH does not tell of a message
// proves little: only what a SEARCH does not find either is not there.
func (r remover) Look(ctx context.Context, uids []message.UID, headers bool) ([]message.Found, error) {
	s := r.s
	seen, err := s.fetch(ctx, byUID(uids), lookItems, hasUID|hasFlags|hasSize|hasDate)
	if err != nil {
		return nil, err
	}
	there, err := s.remaining(ctx, uids)
	if err != nil {
		return nil, err
	}
	var found []message.Found
	for _, m := range seen {
		if there[m.UID] {
			found = append(found, message.Found{Seen: m.Seen, Deleted: m.deleted})
			delete(there, m.UID)
		}
	}
	if len(there) > 0 {
		return nil, errPartly
	}
	if headers {
		err = s.fingerprints(ctx, found)
	}
	return found, err
}

// Remove is removeChunk for each chunk; see there.
func (r remover) Remove(ctx context.Context, uids []message.UID) error {
	for _, chunk := range chunks(byUID(uids)) {
		if err := r.s.removeChunk(ctx, chunk); err != nil {
			return err
		}
	}
	return nil
}

// Unmark takes \Deleted off messages.
func (r remover) Unmark(ctx context.Context, uids []message.UID) error {
	for _, chunk := range chunks(byUID(uids)) {
		store := command.Store{Messages: chunk, Op: imap.StoreFlagsDel, Silent: true, Flags: []imap.Flag{imap.FlagDeleted}}
		if _, err := r.s.say(ctx, "UID STORE", store, nil); err != nil {
			return err
		}
	}
	return nil
}

// Quota asks how full the mailbox is (RFC 9208, 4.1.2): the fullest of the
// resources that bound its storage.
func (r remover) Quota(ctx context.Context) (int, error) {
	if !r.s.upstreamHas("QUOTA") {
		return -1, nil
	}
	used := -1
	_, err := r.s.say(ctx, "GETQUOTAROOT", command.OneFolder{Folder: "INBOX"}, func(one *response) bool {
		switch {
		case one.Kind == wire.Data && one.Is("QUOTA"):
			used = max(used, storageUsed(one.text()))
		case one.Kind == wire.Data && one.Is("QUOTAROOT"):
		default:
			return false
		}
		return true
	})
	return used, err
}

// fingerprints reads the headers of messages. One whose header cannot be read
// has no fingerprint.
func (s *session) fingerprints(ctx context.Context, found []message.Found) error {
	var uids []message.UID
	for _, f := range found {
		uids = append(uids, f.UID)
	}
	h := headers{s: s, sums: make(map[message.UID]message.Fingerprint)}
	items := []command.FetchItem{{Name: command.FetchUID}, {Name: command.FetchBodyPeek, Section: &command.Section{Text: "HEADER"}}}
	for _, chunk := range chunks(byUID(uids)) {
		if _, err := s.say(ctx, "UID FETCH", command.Fetch{Messages: chunk, Items: items}, h.collect); err != nil {
			return err
		}
	}
	for i, f := range found {
		if sum, ok := h.sums[f.UID]; ok {
			found[i].Fingerprint = &sum
		}
	}
	return nil
}

// headers takes the fingerprints of the answers to a FETCH of headers.
type headers struct {
	s    *session
	sums map[message.UID]message.Fingerprint
}

// collect is what the pump calls; see call. It reads the response to its last
// segment.
func (h *headers) collect(r *response) (mine bool) {
	if r.Kind != wire.Numbered || !r.Is("FETCH") || r.seg.Literal < 0 {
		return false
	}
	var items wire.Items
	items.Begin(r.Rest)
	var uid message.UID
	hasher := message.NewHasher()
	hashed := false
	for {
		item, more, err := items.Next(r.seg.Text, r.seg.Literal >= 0)
		switch {
		case err != nil:
			return true // no fingerprint is none that fits
		case more && item.Is("UID"):
			n, _ := strconv.ParseUint(string(r.seg.Text[item.Value:item.End]), 10, 32)
			uid = message.UID(n)
		case more && item.Literal && item.Is("BODY[HEADER]"):
			hashed = true
		case more:
		case r.seg.Last():
			if sum, ok := hasher.Sum(); ok && hashed && uid != 0 {
				h.sums[uid] = sum
			}
			return true
		default:
			var to io.Writer = io.Discard
			if hashed {
				to = hasher
			}
			if err := h.next(r, to); err != nil {
				return true // the next read says it again
			}
			items.Begin(0)
		}
	}
}

// next goes on to the segment behind a literal.
func (h *headers) next(r *response, to io.Writer) error {
	if err := h.s.copyLiteral(r.seg, to); err != nil {
		return err
	}
	seg, err := h.s.nextPiece()
	if err == nil {
		r.seg = seg
	}
	return err
}
