package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"mailguard/admin"
	"mailguard/config"
	"mailguard/ledger"
	"mailguard/member"
	"mailguard/message"
)

func newHeld(file *string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "held",
		Short: "Messages that somebody deleted and that are still on the server",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newHeldList(file), newHeldShow(file), newApprove(file), newRestore(file), newPurge(file))
	return cmd
}

// choice are the flags that choose held messages.
type choice struct {
	mailbox, folder, who, older string
	anonymous                   bool
	rule                        string
}

func (c *choice) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&c.mailbox, "mailbox", "", "only of this `MAILBOX`")
	f.StringVar(&c.folder, "folder", "", "only in this `FOLDER` (INBOX, Archive/2026)")
	f.StringVar(&c.who, "member", "", "only what this `MEMBER` has deleted")
	f.BoolVar(&c.anonymous, "anonymous", false, "only what was deleted by somebody who cannot be told apart")
	f.StringVar(&c.rule, "rule", "", "only what this `RULE` deferred")
	f.StringVar(&c.older, "older-than", "", "only what is held for longer than this `TIME` (36h, 30d)")
}

func (c *choice) empty() bool { return *c == choice{} }

func (c *choice) query() (admin.HeldQuery, error) {
	q := admin.HeldQuery{
		Mailbox: mailboxNamed(c.mailbox), Folder: folderNamed(c.folder), Member: memberNamed(c.who), Anonymous: c.anonymous, Rule: c.rule,
	}
	if c.older == "" {
		return q, nil
	}
	d, err := config.ParseDuration(c.older)
	if err != nil {
		return q, fmt.Errorf("--older-than: %w", err)
	}
	q.OlderThan = d
	return q, nil
}

func mailboxNamed(text string) member.Mailbox { return member.Mailbox(strings.ToLower(text)) }
func memberNamed(text string) member.Name     { return member.Name(strings.ToLower(text)) }

// folderNamed spells the INBOX as the ledger does (RFC 9051, 5.1).
func folderNamed(text string) string {
	if strings.EqualFold(text, "INBOX") {
		return "INBOX"
	}
	return text
}

// lookAhead is how far `held list --due` looks.
const lookAhead = 7 * 24 * time.Hour

func newHeldList(file *string) *cobra.Command {
	var out output
	var c choice
	var due bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List held messages, mailbox by mailbox, oldest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q, err := c.query()
			if err = errors.Join(err, out.check()); err != nil {
				return err
			}
			if due {
				q.DueWithin = lookAhead
			}
			return ask(cmd.Context(), *file, func(s source) error { return listHeld(cmd, s, q, &out) })
		},
	}
	c.flags(cmd)
	cmd.Flags().BoolVar(&due, "due", false, "only what can be released now, or will be by its rule's time within a week")
	out.flag(cmd)
	return cmd
}

func listHeld(cmd *cobra.Command, s source, q admin.HeldQuery, out *output) error {
	next := func(after ledger.Cursor) ([]admin.HeldMessage, ledger.Cursor, error) {
		q.After = after
		page, err := s.Held(cmd.Context(), q)
		return page.Held, page.Next, err
	}
	return printPages(out, cmd.OutOrStdout(), next, func(page int, held []admin.HeldMessage) error {
		return printHeld(cmd.OutOrStdout(), held, page == 0, q.DueWithin > 0)
	})
}

func newHeldShow(file *string) *cobra.Command {
	var out output
	cmd := &cobra.Command{
		Use:   "show NUMBER",
		Short: "Show one message, who did what with it, and what it waits for",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil {
				return fmt.Errorf("%q is not a message's number; held list shows them", args[0])
			}
			return ask(cmd.Context(), *file, func(s source) error {
				m, err := s.Show(cmd.Context(), message.ID(id))
				if err != nil {
					return err
				}
				return out.print(cmd.OutOrStdout(), m, func(w io.Writer) error { return printMessage(w, m) })
			})
		},
	}
	out.flag(cmd)
	return cmd
}

// printHeld prints a page, the first with a head. With due it has a column for
// when each message can be released.
func printHeld(w io.Writer, held []admin.HeldMessage, head, due bool) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(cells ...string) { fmt.Fprintln(t, strings.Join(cells, "\t")) }
	when := func(text string) []string {
		if due {
			return []string{text}
		}
		return nil
	}
	if head {
		row(slices.Concat([]string{"NUMBER", "MAILBOX", "FOLDER", "UID / UNIQUE-ID", "SIZE", "HELD SINCE"}, when("DUE"), []string{"DELETED BY", "STATE"})...)
	}
	for _, m := range held {
		var who []string
		for _, d := range m.Deleted {
			who = append(who, memberText(d.Member))
		}
		row(slices.Concat([]string{number(m.ID), string(m.Mailbox), clean(m.Folder), placeText(m), strconv.FormatInt(m.Size, 10), timeText(m.HeldSince)},
			when(dueText(m)), []string{dash(strings.Join(slices.Compact(who), ",")), stateText(m)})...)
	}
	return t.Flush()
}

func number(id message.ID) string { return strconv.FormatInt(int64(id), 10) }

// placeText is what the message's own protocol calls it in its folder.
func placeText(m admin.HeldMessage) string {
	if m.UniqueID != "" {
		return string(m.UniqueID)
	}
	return strconv.FormatUint(uint64(m.UID), 10)
}

func dueText(m admin.HeldMessage) string {
	if m.Due {
		return "now"
	}
	return timeText(m.DueAt)
}

// clean replaces what must not reach a terminal: text of messages, folders and
// clients comes from anybody.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, text)
}

func stateText(m admin.HeldMessage) string {
	switch {
	case m.Removing:
		return "being removed"
	case m.Due:
		return "due: " + m.Why
	default:
		return m.Why
	}
}

func printMessage(w io.Writer, m admin.HeldMessage) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(key, value string) { fmt.Fprintf(t, "%s\t%s\n", key, value) }
	line("number", strconv.FormatInt(int64(m.ID), 10))
	line("mailbox", string(m.Mailbox))
	line("folder", clean(m.Folder))
	if m.UniqueID != "" {
		line("unique-id", string(m.UniqueID))
	}
	if m.UID != 0 {
		line("uid", fmt.Sprintf("%d (UIDVALIDITY %d)", m.UID, m.UIDValidity))
	}
	if m.Sender != "" {
		line("from", clean(m.Sender))
	}
	if m.Subject != "" {
		line("subject", clean(m.Subject))
	}
	line("size", fmt.Sprintf("%d octets", m.Size))
	line("first seen", timeText(&m.FirstSeen))
	line("held since", timeText(m.HeldSince))
	line("state", stateText(m))
	if m.DueAt != nil {
		line("due", "by its rule's time at "+timeText(m.DueAt)+" at the earliest")
	}
	if m.Pinned {
		line("pinned", "yes")
	}
	if m.Approved != nil {
		line("approved", timeText(m.Approved))
	}
	if m.PurgeReason != "" {
		line("purge", clean(m.PurgeReason))
	}
	for _, d := range m.Deleted {
		line("deleted by", fmt.Sprintf("%s by %s at %s (rule %s: %s)", memberText(d.Member), d.Protocol, timeText(&d.At), d.Rule, d.Verdict))
	}
	for _, f := range m.Fetched {
		text := fmt.Sprintf("%s by %s at %s", memberText(f.Member), f.Protocol, timeText(&f.At))
		if f.LeftAlone != nil {
			text += ", left alone since " + timeText(f.LeftAlone)
		}
		line("fetched by", text)
	}
	for _, c := range m.Copies {
		line("copied to", fmt.Sprintf("%s, uid %d (UIDVALIDITY %d), at %s by a deferred move", clean(c.Folder), c.UID, c.UIDValidity, timeText(&c.At)))
	}
	return t.Flush()
}

// memberText names the anonymous member too.
func memberText(n member.Name) string {
	if n.Anonymous() {
		return "(anonymous)"
	}
	return string(n)
}

func timeText(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}
