package main

import (
	"bytes"
	"context"
	"os"

	"github.com/spf13/cobra"

	"mailguard/demo"
)

func newDemo() *cobra.Command {
	var once, builtIn bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show what mailguard does, on this machine, with nothing to configure",
		Long: `Start a mail server with a shared mailbox (Dovecot where it is installed, else
one that is built in), put the guard in front of it, and play a story: alice's
client downloads and removes, bob still gets everything. Then it stays, and
says how to connect a real mail client. Nothing is left behind.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := os.MkdirTemp("", "mailguard-demo-")
			if err != nil {
				return err
			}
			err = demo.Run(cmd.Context(), demo.Options{
				Out: cmd.OutOrStdout(), Dir: dir, Once: once, BuiltIn: builtIn, Serve: serve, Command: run,
			})
			if err != nil {
				return err // what is in the folder explains it
			}
			return os.RemoveAll(dir)
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "end after the story")
	cmd.Flags().BoolVar(&builtIn, "built-in", false, "use the built-in mail server even where Dovecot is installed")
	return cmd
}

// run is a command of mailguard, run within this process; it returns what the
// command prints.
func run(ctx context.Context, args ...string) (string, error) {
	var out bytes.Buffer
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(&out)
	root.SetErr(&out)
	err := root.ExecuteContext(ctx)
	return out.String(), err
}
