// Command mailguard is a proxy for POP3 and IMAP that keeps one member of a
// shared mailbox from taking mail away from the others.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"mailguard/config"
)

// Exit statuses.
const (
	exitFailure  = 1
	exitMistakes = 2 // in the configuration
)

func main() {
	err := newRoot().ExecuteContext(untilSignal())
	if err == nil {
		return
	}
	var problems config.Problems
	if errors.As(err, &problems) {
		for _, p := range problems {
			fmt.Fprintln(os.Stderr, p)
		}
		os.Exit(exitMistakes)
	}
	fmt.Fprintln(os.Stderr, "mailguard:", err)
	os.Exit(exitFailure)
}

// untilSignal returns a context that the first SIGINT or SIGTERM ends. The
// second ends the process at once. Both are awaited here from the start on: to
// give the second back to its default action once the first has come would
// lose one that follows at once.
func untilSignal() context.Context {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-signals
		cancel()
		<-signals
		fmt.Fprintln(os.Stderr, "mailguard: ended by a second signal")
		os.Exit(exitFailure)
	}()
	return ctx
}

const defaultConfig = "/etc/mailguard/mailguard.yaml"

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "mailguard",
		Short: "Keeps one member of a shared mailbox from taking mail away from the others",
		Long: `mailguard stands between mail clients and a mail server that already exists.
Through it, a message leaves the mail server only when policy says that it may.`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	file := root.PersistentFlags().StringP("config", "c", defaultConfig, "the configuration `FILE`")
	root.AddCommand(newServe(file), newCheck(file), newHeld(file), newPin(file), newUnpin(file), newMailboxes(file), newAudit(file), newDemo(), newVersion())
	return root
}
