package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"mailguard/admin"
	"mailguard/config"
	"mailguard/ledger"
	"mailguard/message"
)

// source is where an administrator's questions are answered: the running
// server, or the ledger itself.
type source interface {
	Held(context.Context, admin.HeldQuery) ([]admin.HeldMessage, error)
	Show(context.Context, message.ID) (admin.HeldMessage, error)
	Mailboxes(context.Context) ([]admin.Mailbox, error)
}

// ask calls f with the running server, and only if none runs with the ledger.
func ask(ctx context.Context, file string, f func(source) error) error {
	c, problems := config.Load(file)
	if len(problems) > 0 {
		return problems
	}
	err := f(admin.NewClient(c.Admin.Socket))
	if !errors.Is(err, admin.ErrNoServer) {
		return err
	}
	l, err := ledger.Open(ctx, ledger.Options{Path: c.Ledger.Path, MustExist: true, Now: time.Now, Log: zerolog.Nop()})
	if errors.Is(err, ledger.ErrInUse) {
		return fmt.Errorf("%w; its admin socket %s does not answer", err, c.Admin.Socket)
	}
	if err != nil {
		return err
	}
	g, r := newGuard(c, l, zerolog.Nop())
	return errors.Join(f(newReader(c, l, g, r)), l.Close())
}

// output is the flag that all listing commands have.
type output struct{ format string }

func (o *output) flag(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&o.format, "output", "o", "text", "text or json")
}

// print writes the answer as JSON, or by text.
func (o *output) print(w io.Writer, answer any, text func(io.Writer) error) error {
	switch o.format {
	case "json":
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(answer)
	case "text":
		return text(w)
	default:
		return fmt.Errorf("--output is text or json, not %q", o.format)
	}
}
