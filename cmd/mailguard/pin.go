package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"mailguard/admin"
	"mailguard/member"
	"mailguard/message"
)

// order is a command that does something about messages.
type order struct {
	action admin.Action
	past   string // as a result says it
	admin.Order

	choice *choice // nil: messages are named by their numbers only
	yes    bool
	out    output
}

func (o *order) command(file *string, use, short, long string) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Long: long,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.out.check(); err != nil {
				return err
			}
			return ask(cmd.Context(), *file, func(s source) error { return o.run(cmd, s, args) })
		},
	}
	cmd.Flags().StringVar(&o.Reason, "reason", "", "why; it goes on record with the order (`TEXT`)")
	if o.choice != nil {
		o.choice.flags(cmd)
		cmd.Flags().BoolVar(&o.yes, "yes", false, "do not ask before doing it to what the other flags choose")
	} else {
		cmd.Args = cobra.MinimumNArgs(1)
	}
	o.out.flag(cmd)
	return cmd
}

func newPin(file *string) *cobra.Command {
	o := &order{action: admin.Pin, past: "pinned"}
	return o.command(file, "pin NUMBER...", "Keep messages from being released until they are unpinned",
		`Keep messages from being released, held or not, until they are unpinned. An
approval or a purge that waits is taken back. What is being removed at that
moment cannot be pinned any more.`)
}

func newUnpin(file *string) *cobra.Command {
	o := &order{action: admin.Unpin, past: "unpinned"}
	return o.command(file, "unpin NUMBER...", "Let pinned messages be released when policy says so", "")
}

func newApprove(file *string) *cobra.Command {
	o := &order{action: admin.Approve, past: "approved", choice: &choice{}}
	return o.command(file, "approve [NUMBER...]", "Have held messages released, whatever their rules wait for",
		`Have held messages released as soon as they can be, whatever their rules wait
for. They leave the server for everybody. Name them by number, or choose them by
the flags.`)
}

func newPurge(file *string) *cobra.Command {
	o := &order{action: admin.Purge, past: "to be purged", choice: &choice{}}
	return o.command(file, "purge [NUMBER...]", "Remove messages whatever policy says, for everybody",
		`Remove messages from the mail server whatever policy says, held or not, pinned
or not, for everybody: for requests to erase them. It needs a --reason. Until it
has happened, pin takes it back.`)
}

func newRestore(file *string) *cobra.Command {
	o := &order{action: admin.Restore, past: "restored", choice: &choice{}}
	cmd := o.command(file, "restore [NUMBER...]", "Give held messages back to whoever deleted them",
		`Give held messages back to whoever deleted them, or to one member only. They are
there again when the folder is next opened, and in the next POP3 session. The
copy that a move to another folder has made stays there.`)
	f := cmd.Flags()
	f.Lookup("member").Usage = "only to this `MEMBER`, and without numbers only what this member has deleted"
	f.Lookup("anonymous").Usage = "only to whoever cannot be told apart, as --member does"
	f.BoolVar(&o.Pin, "pin", false, "pin them as well, so that the same client does not have them released again")
	f.BoolVar(&o.AsCopy, "as-copy", false, "put a copy into the folder instead, for everybody (by the service account)")
	return cmd
}

// run finds out which messages are meant, and has the order carried out in
// pieces. What could not be done is said, and makes the command fail.
func (o *order) run(cmd *cobra.Command, s source, args []string) error {
	ids, err := o.messages(cmd, s, args)
	if err != nil {
		return err
	}
	all := admin.Result{Done: []message.ID{}, Refused: []admin.Refusal{}}
	for piece := range slices.Chunk(ids, admin.MaxOrder) {
		o.IDs = piece
		r, err := s.Do(cmd.Context(), o.action, o.Order)
		if err != nil && len(all.Done) > 0 {
			err = errors.Join(err, o.report(cmd, all)) // these were done
		}
		if err != nil {
			return err
		}
		all.Done, all.Refused = append(all.Done, r.Done...), append(all.Refused, r.Refused...)
	}
	return o.report(cmd, all)
}

func (o *order) report(cmd *cobra.Command, all admin.Result) error {
	err := o.out.print(cmd.OutOrStdout(), all, func(w io.Writer) error {
		for _, id := range all.Done {
			fmt.Fprintf(w, "%d: %s\n", id, o.past)
		}
		for _, r := range all.Refused {
			fmt.Fprintf(w, "%d: not %s: %s\n", r.ID, o.past, r.Why)
		}
		return nil
	})
	if n := len(all.Refused); err == nil && n > 0 {
		return fmt.Errorf("%d of %d messages: not %s", n, n+len(all.Done), o.past)
	}
	return err
}

// messages are those that the numbers name, or that the flags choose.
func (o *order) messages(cmd *cobra.Command, s source, args []string) ([]message.ID, error) {
	if o.choice == nil {
		return parseNumbers(args)
	}
	q, err := o.choice.query()
	if err != nil {
		return nil, err
	}
	if o.action == admin.Restore && (q.Member != "" || q.Anonymous) {
		o.Member = new(member.Name)
		if !q.Anonymous {
			*o.Member = q.Member
		}
	}
	switch whom := (choice{who: o.choice.who, anonymous: o.choice.anonymous}); {
	case len(args) > 0 && !o.choice.empty() && !(o.action == admin.Restore && *o.choice == whom):
		return nil, errors.New("name messages by number, or choose them by flags, not both")
	case len(args) > 0:
		return parseNumbers(args)
	case o.choice.empty():
		return nil, errors.New("which messages? Name them by number (held list shows them), or choose them: --mailbox, --folder, --member, --anonymous, --rule, --older-than")
	}
	return o.chosen(cmd, s, q)
}

// chosen are the messages that flags choose, once somebody has said yes to how
// many they are.
func (o *order) chosen(cmd *cobra.Command, s source, q admin.HeldQuery) ([]message.ID, error) {
	ids, err := heldNumbers(cmd.Context(), s, q)
	if err != nil || len(ids) == 0 || o.yes {
		return ids, err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "%s %d held messages? [y/N] ", o.action, len(ids))
	answer, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if a := strings.ToLower(strings.TrimSpace(answer)); a != "y" && a != "yes" {
		return nil, errors.New("nothing was done")
	}
	return ids, nil
}

func heldNumbers(ctx context.Context, s source, q admin.HeldQuery) (ids []message.ID, err error) {
	for first := true; first || q.After != ""; first = false {
		page, err := s.Held(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, m := range page.Held {
			ids = append(ids, m.ID)
		}
		q.After = page.Next
	}
	return ids, nil
}

func parseNumbers(args []string) ([]message.ID, error) {
	ids := make([]message.ID, len(args))
	for i, a := range args {
		id, err := strconv.ParseInt(a, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is not a message's number; held list shows them", a)
		}
		ids[i] = message.ID(id)
	}
	return ids, nil
}
