package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"mailguard/ledger"
	"mailguard/member"
	"mailguard/message"
)

// Action is what an administrator wants done about messages.
type Action string

// The actions.
const (
	Approve Action = "approve" // release held ones as soon as they can be
	Restore Action = "restore" // give them back to whoever deleted them
	Purge   Action = "purge"   // remove them whatever policy says
	Pin     Action = "pin"     // keep them from being released
	Unpin   Action = "unpin"
)

// Actions are all of them.
func Actions() []Action { return []Action{Approve, Restore, Purge, Pin, Unpin} }

// Order is an action about messages, at most MaxOrder of them.
type Order struct {
	IDs    []message.ID `json:"ids"`
	Reason string       `json:"reason,omitempty"` // goes on record; purge needs one
	// What follows is for Restore.
	Member *member.Name `json:"member,omitempty"`  // to whom; "" is the anonymous member, nil everybody who deleted them
	Pin    bool         `json:"pin,omitempty"`     // pin them as well
	AsCopy bool         `json:"as_copy,omitempty"` // put a copy into the folder instead, for everybody
}

// MaxOrder is how many messages one order is about at most: one transaction.
const MaxOrder = 500

// Result says what became of the messages of an order.
type Result struct {
	Done    []message.ID `json:"done"`
	Refused []Refusal    `json:"refused"`
}

// Refusal says why nothing was done about a message.
type Refusal struct {
	ID  message.ID `json:"id"`
	Why string     `json:"why"`
}

// ErrOrder is the error of an order that nobody can carry out, whatever the
// messages are.
var ErrOrder = errors.New("the order cannot be carried out")

func (o Order) check(a Action) error {
	switch {
	case !slices.Contains(Actions(), a):
		return fmt.Errorf("%w: there is no %q", ErrOrder, a)
	case len(o.IDs) > MaxOrder:
		return fmt.Errorf("%w: it is about %d messages, and one can be about %d", ErrOrder, len(o.IDs), MaxOrder)
	case a != Restore && (o.Member != nil || o.Pin || o.AsCopy):
		return fmt.Errorf("%w: a member, a pin and a copy go with restore", ErrOrder)
	case o.AsCopy && (o.Member != nil || o.Pin):
		return fmt.Errorf("%w: a copy is for everybody, and another message than the one that could be pinned", ErrOrder)
	}
	return nil
}

// Do carries an order out. Of several messages what can be done is done, and
// the result says why the rest is not; the error says that nothing was. It
// wraps ErrOrder if the order itself is wrong.
func (b *Backend) Do(ctx context.Context, a Action, o Order) (Result, error) {
	if err := o.check(a); err != nil {
		return Result{}, err
	}
	done, err := b.do(ctx, a, o)
	if errors.Is(err, ledger.ErrNoReason) {
		return Result{}, fmt.Errorf("%w: %w", ErrOrder, err)
	}
	if err != nil {
		return Result{}, err
	}
	r := Result{Done: append([]message.ID{}, done.Done...), Refused: make([]Refusal, 0, len(done.Refused))}
	for _, one := range done.Refused {
		r.Refused = append(r.Refused, Refusal(one))
	}
	return r, nil
}

func (b *Backend) do(ctx context.Context, a Action, o Order) (ledger.Administered, error) {
	switch a {
	case Approve:
		return b.Ledger.Approve(ctx, o.IDs, o.Reason)
	case Purge:
		return b.Ledger.Purge(ctx, o.IDs, o.Reason)
	case Pin:
		return b.Ledger.Pin(ctx, o.IDs, o.Reason)
	case Unpin:
		return b.Ledger.Unpin(ctx, o.IDs, o.Reason)
	case Restore:
		if o.AsCopy {
			return b.copy(ctx, o)
		}
	}
	return b.restore(ctx, o)
}

// restore tells open sessions what has come back.
func (b *Backend) restore(ctx context.Context, o Order) (ledger.Administered, error) {
	done, err := b.Ledger.Restore(ctx, ledger.Restore{IDs: o.IDs, Member: o.Member, Pin: o.Pin, Why: o.Reason})
	if err != nil || b.Returned == nil {
		return done.Administered, err
	}
	for _, r := range done.Returned {
		if r.Protocol == member.IMAP {
			b.Returned(r.Mailbox, r.Folder, r.Member, []message.UID{r.UID})
		}
	}
	return done.Administered, nil
}

// errNoServiceAccount is why no copy can be made.
var errNoServiceAccount = errors.New("a copy is made by the service account of the upstream, and none is configured or running")

// copy makes copies, one by one: each is something that cannot be taken back.
func (b *Backend) copy(ctx context.Context, o Order) (ledger.Administered, error) {
	if b.AsCopy == nil {
		return ledger.Administered{}, fmt.Errorf("%w: %w", ErrOrder, errNoServiceAccount)
	}
	var all ledger.Administered
	for _, id := range o.IDs {
		if why := b.copyOne(ctx, id, o.Reason); why != "" {
			all.Refused = append(all.Refused, ledger.Refusal{ID: id, Why: why})
		} else {
			all.Done = append(all.Done, id)
		}
	}
	return all, nil
}

// copyOne says why there is no copy. It fails for one message only: the copies
// that were made before it are there, and have to be told.
func (b *Backend) copyOne(ctx context.Context, id message.ID, reason string) string {
	h, err := b.Ledger.Find(ctx, id)
	switch {
	case err != nil:
		return err.Error()
	case h == nil:
		return ErrNotFound.Error()
	case !h.Message.Gone.IsZero():
		return "it is gone (" + h.Message.GoneHow + ")"
	}
	if err := b.AsCopy(ctx, id); err != nil {
		return err.Error()
	}
	if err := b.Ledger.RestoredAsCopy(ctx, id, reason); err != nil {
		return "it was copied, and that is not on record: " + err.Error()
	}
	return ""
}
