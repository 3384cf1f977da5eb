package imap

import (
	"context"

	"github.com/emersion/go-imap/v2"

	"mailguard/proxy/imap/command"
	"mailguard/proxy/imap/wire"
)

// handleSearch is SEARCH, SORT and THREAD, by UID or not (RFC 9051, 6.4.4;
// RFC 5256). In a guarded folder DELETED means this member's own marks.
func (s *session) handleSearch(ctx context.Context, cmd command.Command) error {
	search := searchOf(cmd.Args)
	if !s.guarding() {
		return s.passOn(ctx, cmd)
	}
	if search.Key.Has(command.OpModSeq) || search.Key.Any(isSaved) || search.Return != nil && search.Return.Save {
		return Reply{Word: "BAD", Text: "This is not offered in this folder"}
	}
	key, err := s.ownMarks(search.Key)
	if err != nil {
		return err
	}
	if s.hides() {
		return s.searchView(ctx, cmd, key)
	}
	cmd.Args = withKey(cmd.Args, key)
	return s.passOn(ctx, cmd)
}

// isSaved reports whether a key means the result of an earlier search.
func isSaved(k command.SearchKey) bool { return k.Set != nil && imap.IsSearchRes(k.Set) }

// searchOf is the part that SEARCH, SORT and THREAD have in common.
func searchOf(args command.Args) command.Search {
	switch a := args.(type) {
	case command.Sort:
		return a.Search
	case command.Thread:
		return a.Search
	default:
		return args.(command.Search)
	}
}

// withKey is the same search for another key.
func withKey(args command.Args, key command.SearchKey) command.Args {
	switch a := args.(type) {
	case command.Sort:
		a.Key = key
		return a
	case command.Thread:
		a.Key = key
		return a
	default:
		search := args.(command.Search)
		search.Key = key
		return search
	}
}

// ownMarks puts the UIDs of the marked messages in place of DELETED. A search
// that does not ask for it stays as it is.
func (s *session) ownMarks(key command.SearchKey) (command.SearchKey, error) {
	if !key.Has(command.OpDeleted) && !key.Has(command.OpUndeleted) {
		return key, nil
	}
	s.out.Lock()
	set := s.folder.marks.Set()
	s.out.Unlock()
	named := 0
	key.Any(func(k command.SearchKey) bool {
		if k.Op == command.OpDeleted || k.Op == command.OpUndeleted {
			named++
		}
		return false
	})
	if len(wire.ChunkUIDSet(set, max(maxSet/named, 1))) > 1 { // no server takes a line of that length
		return key, Reply{Word: "NO", Code: "LIMIT", Text: "Too many messages are marked to be searched by it"}
	}
	marked := command.UIDKey(set)
	return key.Rewrite(func(k command.SearchKey) command.SearchKey {
		switch k.Op {
		case command.OpDeleted:
			return marked
		case command.OpUndeleted:
			return command.NotKey(marked)
		}
		return k
	}), nil
}
