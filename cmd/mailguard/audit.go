package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"mailguard/admin"
	"mailguard/config"
	"mailguard/ledger"
	"mailguard/message"
	"mailguard/policy"
)

// auditFlags choose entries of the record.
type auditFlags struct {
	mailbox, folder, who, op, verdict, since, until string
	anonymous                                       bool
	rule, kind                                      string
	message                                         int64
	limit                                           int
}

func (a *auditFlags) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&a.mailbox, "mailbox", "", "only of this `MAILBOX`")
	f.StringVar(&a.folder, "folder", "", "only in this `FOLDER`")
	f.StringVar(&a.who, "member", "", "only the deletions of this `MEMBER`")
	f.BoolVar(&a.anonymous, "anonymous", false, "only the deletions of somebody who cannot be told apart")
	f.StringVar(&a.rule, "rule", "", "only what this `RULE` decided")
	f.StringVar(&a.op, "op", "", "only this kind of deletion, as rules write it (`OP`: pop3.dele, imap.expunge)")
	f.StringVar(&a.verdict, "verdict", "", "only this `VERDICT`: allow, refuse or defer")
	f.StringVar(&a.kind, "kind", "", "only this `KIND` of entry: verdict, released, bypass, approved, restored, pinned, unpinned, purged or frozen")
	f.StringVar(&a.since, "since", "", "only from this `TIME` on: 2026-03-01, 2026-03-01T12:00:00Z, or 7d ago")
	f.StringVar(&a.until, "until", "", "only before this `TIME`")
	f.Int64Var(&a.message, "message", 0, "only about the message with this `NUMBER`")
	f.IntVar(&a.limit, "limit", 100, "at most `N` entries, 0 for all")
}

func (a *auditFlags) query(now time.Time) (admin.AuditQuery, error) {
	since, err := moment(a.since, now)
	if err != nil {
		return admin.AuditQuery{}, fmt.Errorf("--since: %w", err)
	}
	until, err := moment(a.until, now)
	if err != nil {
		return admin.AuditQuery{}, fmt.Errorf("--until: %w", err)
	}
	if a.limit < 0 {
		return admin.AuditQuery{}, errors.New("--limit is a number from 0 on")
	}
	return admin.AuditQuery{
		Mailbox: mailboxNamed(a.mailbox), Folder: folderNamed(a.folder), Member: memberNamed(a.who), Anonymous: a.anonymous, Rule: a.rule,
		Op: policy.Op(a.op), Verdict: policy.Verdict(a.verdict), Kind: a.kind, Message: message.ID(a.message), Since: since, Until: until,
	}, nil
}

// moment reads a time: a day or an instant, or how long ago it was.
func moment(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	ago, err := config.ParseDuration(text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is no time such as 2026-03-01, 2026-03-01T12:00:00Z or 7d", text)
	}
	return now.Add(-ago), nil
}

func newAudit(file *string) *cobra.Command {
	var out output
	var a auditFlags
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Show what was decided, released, and done by administrators",
		Long: `Show the record, newest first: every verdict with who it was about and how sure
that is, every release, what disappeared past the guard, and what administrators
did. How long it is kept the configuration says (audit.keep).`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q, err := a.query(time.Now())
			if err = errors.Join(err, out.check()); err != nil {
				return err
			}
			return ask(cmd.Context(), *file, func(s source) error { return listAudit(cmd, s, q, a.limit, &out) })
		},
	}
	a.flags(cmd)
	out.flag(cmd)
	return cmd
}

func listAudit(cmd *cobra.Command, s source, q admin.AuditQuery, limit int, out *output) error {
	left := limit
	next := func(after ledger.Cursor) ([]admin.Entry, ledger.Cursor, error) {
		q.After, q.Limit = after, left
		page, err := s.Audit(cmd.Context(), q)
		if left -= len(page.Entries); limit > 0 && left <= 0 {
			page.Next = ""
		}
		return page.Entries, page.Next, err
	}
	return printPages(out, cmd.OutOrStdout(), next, func(page int, entries []admin.Entry) error {
		return printAudit(cmd.OutOrStdout(), entries, page == 0)
	})
}

func printAudit(w io.Writer, entries []admin.Entry, head bool) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if head {
		fmt.Fprintln(t, "WHEN\tMAILBOX\tWHAT\tMESSAGE\tFOLDER\tWHO\tFROM\tCLIENT\tVERDICT\tRULE OR REASON")
	}
	for _, e := range entries {
		what, who, from, client := e.Kind, "-", "-", "-"
		if b := e.By; b != nil {
			from, client = dash(b.Address), dash(clean(b.Client))
			who = memberText(b.Member)
			if b.Op != "" {
				what = string(b.Op)
				who += " by " + string(b.Protocol)
			}
			if p := proofText(b.Proof); p != "-" {
				who += ", " + p
			}
		}
		fmt.Fprintln(t, strings.Join([]string{timeText(&e.At), string(e.Mailbox), what, messageText(e), dash(clean(folderText(e))),
			who, from, client, dash(verdictText(e)), dash(clean(ruleText(e)))}, "\t"))
	}
	return t.Flush()
}

// messageText is the message's number, and what is kept to recognise it by.
func messageText(e admin.Entry) string {
	if e.ID == 0 {
		return "-"
	}
	text := number(e.ID)
	if e.Subject != "" {
		text += fmt.Sprintf(" %q", clean(e.Subject))
	}
	if e.Sender != "" {
		text += " from " + clean(e.Sender)
	}
	return text
}

func folderText(e admin.Entry) string {
	if e.Destination != "" {
		return e.Folder + " to " + e.Destination
	}
	return e.Folder
}

// ruleText is the rule, and what else is said of why.
func ruleText(e admin.Entry) string {
	if e.Rule != "" && e.Why != "" {
		return e.Rule + ": " + e.Why
	}
	return e.Rule + e.Why
}

// verdictText is the verdict, and what was done if that is not the same.
func verdictText(e admin.Entry) string {
	if string(e.Verdict) == string(e.Outcome) {
		return string(e.Verdict)
	}
	return string(e.Verdict) + ", done: " + string(e.Outcome)
}
