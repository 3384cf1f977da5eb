package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"mailguard/config"
	"mailguard/member"
)

func newCheck(file *string) *cobra.Command {
	var offline bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check the configuration, its certificates and rules, and the upstreams",
		Long: `Check the configuration file and everything that it names. Mistakes are printed
as FILE:LINE:COLUMN with what would be right, all of them at once, and the exit
status is 2. Parts that this version does not have yet, and traps of the
upstreams, are named as well; they do not change the exit status.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, problems := config.Load(*file)
			if len(problems) > 0 {
				return problems
			}
			out := cmd.OutOrStdout()
			for _, p := range c.Unavailable {
				fmt.Fprintln(out, "not available yet:", p)
			}
			for _, p := range c.Warnings {
				fmt.Fprintln(out, "warning:", p)
			}
			for _, text := range flagsUnread(c) {
				fmt.Fprintln(out, "warning:", text)
			}
			if !offline {
				for _, text := range checkUpstreams(cmd.Context(), c) {
					fmt.Fprintln(out, "warning:", text)
				}
			}
			fmt.Fprintf(out, "%s: no mistakes\n", *file)
			return nil
		},
	}
	cmd.Flags().BoolVar(&offline, "offline", false, "do not ask the upstreams")
	return cmd
}

// checkUpstreams looks for what would make a guard useless or harmful.
func checkUpstreams(ctx context.Context, c *config.Config) []string {
	upstreams, err := newUpstreams(c)
	if err != nil {
		return []string{err.Error()}
	}
	var all []string
	for _, u := range upstreams.pop3 {
		traps, err := u.Traps(ctx)
		all = append(all, trapsOf(u.Name, "pop3", u.Dialer.Address, traps, err)...)
	}
	for _, u := range upstreams.imap {
		traps, err := u.Traps(ctx)
		all = append(all, trapsOf(u.Name, "imap", u.Dialer.Address, traps, err)...)
	}
	return all
}

// trapsOf are the traps of one side of an upstream as they are printed. That it
// does not answer is one.
func trapsOf(name, protocol, address string, traps []string, err error) []string {
	if err != nil {
		traps = []string{"cannot be reached: " + err.Error()}
	}
	all := make([]string, len(traps))
	for i, t := range traps {
		all[i] = fmt.Sprintf("upstream %s (%s, %s): %s", name, protocol, address, t)
	}
	return all
}

// flagsUnread names the upstreams whose messages have flags that a POP3 session
// cannot read: what is held and waits for them waits until another version
// reads them over IMAP.
func flagsUnread(c *config.Config) []string {
	if !slices.ContainsFunc(c.Listeners, func(l config.Listener) bool { return l.Protocol == member.POP3 }) {
		return nil
	}
	var all []string
	for _, u := range c.Upstreams {
		if u.POP3 != nil && u.IMAP != nil {
			all = append(all, fmt.Sprintf("upstream %s has imap, and a POP3 session cannot read flags: what was deleted by POP3 under a rule "+
				"whose release looks at message.flags, as the built-in one does, is kept and not yet released", u.Name))
		}
	}
	return all
}
