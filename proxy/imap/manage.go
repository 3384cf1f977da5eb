package imap

import (
	"context"
	"slices"
	"strings"

	"mailguard/guard"
	"mailguard/policy"
	"mailguard/proxy/imap/command"
)

// handleDelete is DELETE of a folder (RFC 9051, 6.3.5).
func (s *session) handleDelete(ctx context.Context, cmd command.Command) error {
	t := s.resolve(cmd.Args.(command.OneFolder).Folder)
	if err := s.decideFolder(ctx, t, guard.Deletion{Op: policy.IMAPDeleteFolder}); err != nil {
		return err
	}
	if s.stanceTo(ctx, t) == guard.Relay {
		return s.passOn(ctx, cmd)
	}
	res, err := s.say(ctx, cmd.Name, cmd.Args, nil)
	if err != nil {
		return err
	}
	if res.ok() {
		_ = s.Guard.FolderGone(ctx, s.visitorTo(t), t.folder) // logged there; what is on record of it only takes room
	}
	return s.reply(cmd.Tag + " " + s.filterResult(res))
}

// handleRename is RENAME (RFC 9051, 6.3.6). The ledger's entries go with the
// folder.
func (s *session) handleRename(ctx context.Context, cmd command.Command) error {
	args := cmd.Args.(command.Rename)
	from, to := s.resolve(args.From), s.resolve(args.To)
	d := s.deletionTo(policy.IMAPRenameFolder, from, to)
	if err := s.decideFolder(ctx, from, d); err != nil {
		return err
	}
	if s.stanceTo(ctx, from) == guard.Relay {
		return s.passOn(ctx, cmd)
	}
	res, err := s.say(ctx, cmd.Name, args, nil)
	if err != nil {
		return err
	}
	if res.ok() && from.mailbox == to.mailbox {
		if err := s.Guard.FolderRenamed(ctx, from.mailbox, from.folder, to.folder); err != nil {
			s.log.Error().Err(err).Str("from", from.folder).Str("to", to.folder).
				Msg("folder renamed, and the ledger does not know: what is held in it waits under its old name")
		}
	}
	return s.reply(cmd.Tag + " " + s.filterResult(res))
}

// decideFolder asks whether a folder may be deleted or renamed. Nil: it may.
func (s *session) decideFolder(ctx context.Context, t target, d guard.Deletion) error {
	stance := s.stanceTo(ctx, t)
	switch {
	case stance == guard.Protect && t.mailbox == "":
		return replyClosed
	case stance == guard.Protect && (t.folder == inbox || !isRegular(t.folder)):
		return replyNotFolder // RENAME INBOX would move everybody's mail out of it
	case stance == guard.Relay && s.holdsGuarded(t):
		return replyNotAllowed
	case stance == guard.Relay:
		return nil
	}
	ruling, err := s.Guard.DecideFolder(ctx, s.visitorTo(t), stance, guard.OpenedFolder{Name: t.folder, Use: s.useOf(ctx, t)}, d)
	if err != nil {
		return err
	}
	s.log.Info().Str("op", string(d.Op)).Str("folder", t.folder).Str("verdict", string(ruling.Decision.Verdict)).
		Str("outcome", string(ruling.Outcome)).Str("rule", ruling.Decision.Rule).Msg("verdict")
	if ruling.Outcome == policy.Refused {
		text := ruling.Decision.Message
		if text == "" {
			text = "This folder is kept for the other users of this mailbox"
		}
		return Reply{Word: "NO", Code: "NOPERM", Text: clean(text, 400)}
	}
	return nil
}

// holdsGuarded reports whether folders of other mailboxes lie below a name: it
// is the root of their namespace, or above it.
func (s *session) holdsGuarded(t target) bool {
	roots := make([]string, 0, len(s.upstream.Namespaces)+len(s.spaces.foreign))
	for _, n := range s.upstream.Namespaces {
		before, _, _ := strings.Cut(n.Prefix, userWord)
		roots = append(roots, before)
	}
	for _, sp := range s.spaces.foreign {
		roots = append(roots, sp.prefix)
	}
	return slices.ContainsFunc(roots, func(root string) bool {
		return len(root) >= len(t.name) && strings.EqualFold(root[:len(t.name)], t.name)
	})
}

// handleAdmin is SETACL, DELETEACL and SETQUOTA (RFC 4314, RFC 9208): who sets
// rights or limits can take mail from others, or open a way round the guard.
func (s *session) handleAdmin(ctx context.Context, cmd command.Command) error {
	if s.mayManage(ctx, command.FoldersOf(cmd.Args)) {
		return s.passOn(ctx, cmd)
	}
	return replyNotAllowed
}

// handleSetMetadata is SETMETADATA (RFC 5464). Entries can make a server expire
// mail, hide it or run scripts on it (Cyrus): in a guarded mailbox only a
// private comment is set.
func (s *session) handleSetMetadata(ctx context.Context, cmd command.Command) error {
	args := cmd.Args.(command.SetMetadata)
	harmless := !slices.ContainsFunc(args.Entries, func(e command.Entry) bool { return e.Name != "/private/comment" })
	if harmless || s.mayManage(ctx, command.FoldersOf(args)) {
		return s.passOn(ctx, cmd)
	}
	return replyNotAllowed
}

// mayManage reports whether policy can touch neither the login's own mailbox
// nor any of the folders.
func (s *session) mayManage(ctx context.Context, folders []string) bool {
	return s.stance != guard.Protect && !slices.ContainsFunc(folders, func(name string) bool {
		return s.stanceTo(ctx, s.resolve(name)) == guard.Protect
	})
}
