package guard

import (
	"context"
	"fmt"
	"time"

	"mailguard/ledger"
	"mailguard/message"
)

// OpenedFolder is a folder as the upstream knows it.
type OpenedFolder struct {
	Name        string // canonical: UTF-8, no namespace prefix, "/" between levels, "INBOX"
	Use         string // its special use in lower case (RFC 6154), "" none
	UIDValidity uint32
}

// Folder is a member's IMAP session in a guarded folder: the member's own
// marks, and what becomes of a deletion. It belongs to one goroutine; several
// sessions of a member may have the same folder open. Close it.
type Folder struct {
	guard    *Guard
	visitor  Visitor
	opened   OpenedFolder
	key      ledger.FolderKey
	since    time.Time // when it was opened
	watching bool
	blind    error // why nothing can be deleted here; nil: it can

	unsettled []message.UID
	sweepDue  bool
	member    *openMember   // the member's sessions in this folder; nil: no marks are kept
	shown     []message.UID // the marks that the session knows of; the guard's registry owns it
	stale     bool          // something came back that the session does not show; the same
	concealed []message.UID // what the session does not show, or is about to hide; the same

	fetches []ledger.FolderFetch      // not on record yet
	audit   []ledger.FolderDecision   // the same
	claims  map[message.UID]time.Time // claimed here, not settled, with the time of the claim
}

// OpenFolder opens a folder. In Protect, where the ledger cannot be read, the
// folder shows everything and no marks, and every deletion fails with ErrTemporary until it is
// opened again; in observe mode it is not recorded. The only error is that ctx
// has ended.
//
// changed is called when another session of this member has changed marks or
// hidden messages: from another goroutine, with no lock held, maybe before
// OpenFolder returns and maybe once more after Close. It must not block;
// Changes and Hides then say what changed.
func (g *Guard) OpenFolder(ctx context.Context, v Visitor, stance Stance, o OpenedFolder, changed func()) (*Folder, error) {
	f := &Folder{
		guard: g, visitor: v, opened: o, since: g.Now(), watching: stance == Watch,
		key:    ledger.FolderKey{Name: o.Name, UIDValidity: o.UIDValidity},
		claims: make(map[message.UID]time.Time),
	}
	g.arrive(v)
	if err := f.open(ctx, changed); err != nil {
		if ended := ctx.Err(); ended != nil {
			return nil, fmt.Errorf("open folder: %w", ended)
		}
		g.Log.Warn().Err(err).Str("mailbox", string(v.Mailbox)).Str("folder", o.Name).Stringer("stance", stance).
			Msg("what is known of a folder cannot be read")
		f.blind = fmt.Errorf("%w: %w", ErrTemporary, err)
	}
	return f, nil
}

func (f *Folder) open(ctx context.Context, changed func()) error {
	if f.watching { // marks go upstream
		_, err := f.read(ctx)
		return err
	}
	return f.guard.folders.enter(ctx, f, changed, func() (*ledger.Folder, error) { return f.read(ctx) })
}

func (f *Folder) read(ctx context.Context) (*ledger.Folder, error) {
	known, err := f.guard.Ledger.OpenFolder(ctx, f.visit(f.since), f.key)
	if err == nil {
		f.unsettled, f.sweepDue = known.Unsettled, known.SweepDue
	}
	return known, err
}

// visit is the session for the ledger. An IMAP session may last for weeks: the
// member was last seen now, not when it began.
func (f *Folder) visit(at time.Time) ledger.Visit { return f.guard.visit(f.visitor, at) }

// Close ends the session in this folder. What is not saved is lost.
func (f *Folder) Close() {
	if f.member != nil {
		f.guard.folders.leave(f)
	}
}

// Unsettled are the messages, in ascending order, of which nobody knew when the
// folder was opened whether they are gone: their removal was begun, or they came
// back to this member by an Undo.
// The session looks whether they are there, and calls Settle.
func (f *Folder) Unsettled() []message.UID { return f.unsettled }

// Marks are the member's own marks of this moment, in ascending order, those
// made by other sessions included. A mark may be of a message that is gone
// past the guard: tell Settle that it is. In observe mode there are none.
func (f *Folder) Marks() []message.UID {
	if f.member == nil {
		return nil
	}
	return f.guard.folders.marks(f)
}

// Changes are the marks that other sessions of this member made and took away
// since the folder was opened or Changes was last called, in ascending order.
// What this session itself does is not among them, nor is what is gone.
func (f *Folder) Changes() (marked, unmarked []message.UID) {
	if f.member == nil {
		return nil, nil
	}
	return f.guard.folders.changes(f)
}

// Mark sets and takes away the member's own marks; a UID in both lists is not
// marked afterwards. When it returns nil that is on the disk. The error wraps
// ErrTemporary: nothing has changed. In observe mode marks go upstream, and
// Mark does nothing.
func (f *Folder) Mark(ctx context.Context, add, remove []message.UID) error {
	switch {
	case f.watching:
		return nil
	case f.blind != nil:
		return f.blind
	case f.member == nil:
		return fmt.Errorf("%w: %w", ErrTemporary, errNotOpen)
	}
	err := f.guard.folders.change(ctx, f, add, remove, func() error {
		return f.guard.Ledger.Mark(ctx, f.visit(f.guard.Now()), f.key, add, remove)
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrTemporary, err)
	}
	return nil
}
