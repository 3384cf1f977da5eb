package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"mailguard/admin"
	"mailguard/config"
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
	cmd.AddCommand(newHeldList(file), newHeldShow(file))
	return cmd
}

func newHeldList(file *string) *cobra.Command {
	var out output
	var q admin.HeldQuery
	var mailbox, who, older string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List held messages, oldest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q.Mailbox, q.Member = member.Mailbox(strings.ToLower(mailbox)), member.Name(strings.ToLower(who))
			if older != "" {
				d, err := config.ParseDuration(older)
				if err != nil {
					return fmt.Errorf("--older-than: %w", err)
				}
				q.OlderThan = d
			}
			return ask(cmd.Context(), *file, func(s source) error {
				held, err := s.Held(cmd.Context(), q)
				if err != nil {
					return err
				}
				return out.print(cmd.OutOrStdout(), held, func(w io.Writer) error { return printHeld(w, held) })
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&mailbox, "mailbox", "", "only of this `MAILBOX`")
	f.StringVar(&who, "member", "", "only what this `MEMBER` has deleted")
	f.BoolVar(&q.Anonymous, "anonymous", false, "only what was deleted by somebody who cannot be told apart")
	f.StringVar(&q.Rule, "rule", "", "only what this `RULE` deferred")
	f.StringVar(&older, "older-than", "", "only what is held for longer than this `TIME` (36h, 30d)")
	out.flag(cmd)
	return cmd
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

func printHeld(w io.Writer, held []admin.HeldMessage) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NUMBER\tMAILBOX\tUNIQUE-ID\tSIZE\tHELD SINCE\tDELETED BY\tSTATE")
	for _, m := range held {
		var who []string
		for _, d := range m.Deleted {
			who = append(who, memberText(d.Member))
		}
		fmt.Fprintf(t, "%d\t%s\t%s\t%d\t%s\t%s\t%s\n", m.ID, m.Mailbox, m.UniqueID, m.Size,
			timeText(m.HeldSince), strings.Join(who, ","), stateText(m))
	}
	return t.Flush()
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
	line("folder", m.Folder)
	line("unique-id", string(m.UniqueID))
	line("size", fmt.Sprintf("%d octets", m.Size))
	line("first seen", timeText(&m.FirstSeen))
	line("held since", timeText(m.HeldSince))
	line("state", stateText(m))
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
