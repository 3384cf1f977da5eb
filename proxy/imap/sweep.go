package imap

import (
	"context"
	"slices"

	"mailguard/guard"
	"mailguard/message"
	"mailguard/proxy/imap/command"
	"mailguard/proxy/imap/wire"
)

// sweep reads which messages the folder has, for the ledger to forget those that
// went past the guard. It is done now and then, at SELECT, and whatever fails is
// tried again another time.
func (s *session) sweep(ctx context.Context, f *folder) error {
	if f.uidNext == 0 {
		return nil
	}
	look := guard.Look{At: s.Now(), UpTo: message.UID(f.uidNext - 1)}
	key := command.Search{Key: command.AndKey(command.SearchKey{Op: command.OpAll})}
	if s.upstreamHas("ESEARCH") {
		key.Return = &command.SearchReturn{All: true}
	}
	var present ranges
	_, err := s.say(ctx, "UID SEARCH", key, func(r *response) bool {
		switch {
		case r.Kind != wire.Data:
			return false
		case r.Is("SEARCH"):
			present.addList(r.text())
		case r.Is("ESEARCH"):
			present.addSet(esearchAll(r.text()))
		default:
			return false
		}
		return true
	})
	if err != nil {
		return err
	}
	s.out.Lock()
	look.Exists = f.view.Upstream()
	s.out.Unlock()
	look.Present = present.inOrder()
	_ = f.guarded.Swept(ctx, look) // logged there
	return nil
}

// ranges are UIDs that were found.
type ranges []guard.UIDRange

// addList takes the UIDs of a SEARCH response.
func (r *ranges) addList(text []byte) {
	for _, u := range searched(text) {
		if n := len(*r); n > 0 && (*r)[n-1].Last+1 == u {
			(*r)[n-1].Last = u
		} else {
			*r = append(*r, guard.UIDRange{First: u, Last: u})
		}
	}
}

// addSet takes the set of an ESEARCH response, of any length.
func (r *ranges) addSet(set string) {
	for from, to := range elements(set) {
		*r = append(*r, guard.UIDRange{First: message.UID(from), Last: message.UID(to)})
	}
}

func (r ranges) inOrder() []guard.UIDRange {
	slices.SortFunc(r, func(a, b guard.UIDRange) int { return int(int64(a.First) - int64(b.First)) })
	return r
}
