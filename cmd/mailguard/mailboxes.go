package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"mailguard/admin"
	"mailguard/member"
)

func newMailboxes(file *string) *cobra.Command {
	var out output
	cmd := &cobra.Command{
		Use:   "mailboxes",
		Short: "List the mailboxes that were used, and by whom",
		Long: `List the mailboxes that were used, and by whom. BYPASSED counts the messages
that disappeared from the mail server without a release in the last 30 days.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return ask(cmd.Context(), *file, func(s source) error {
				boxes, err := s.Mailboxes(cmd.Context())
				if err != nil {
					return err
				}
				return out.print(cmd.OutOrStdout(), boxes, func(w io.Writer) error { return printMailboxes(w, boxes) })
			})
		},
	}
	out.flag(cmd)
	return cmd
}

func printMailboxes(w io.Writer, boxes []admin.Mailbox) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "MAILBOX\tSHARED\tHELD\tBYPASSED\tMEMBER\tTOLD BY\tPROTOCOL\tLAST SEEN\tFROM")
	for _, b := range boxes {
		for _, u := range b.Members {
			fmt.Fprintf(t, "%s\t%t\t%d\t%d\t%s\t%s\t%s\t%s\t%s\n", b.Name, b.Shared, b.Held, b.Bypassed, memberNote(u),
				proofText(u.Proof), dash(string(u.Protocol)), timeText(u.Last), dash(u.Address))
		}
	}
	return t.Flush()
}

func memberNote(u admin.Use) string {
	switch {
	case u.Member.Anonymous():
		return memberText(u.Member)
	case u.Last == nil:
		return string(u.Member) + " (never seen)"
	case !u.Configured:
		return string(u.Member) + " (not configured)"
	default:
		return string(u.Member)
	}
}

// proofText says how sure it is who a member is: only some identities prove it.
func proofText(p member.Proof) string {
	switch p {
	case member.ByNobody:
		return "-"
	case member.ByPassword, member.ByCertificate:
		return string(p) + " (proven)"
	case member.ByLogin:
		return string(p) + " (claimed)"
	default:
		return string(p) + " (guessed)"
	}
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
