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

// source is where an administrator's questions are answered and orders carried
// out: the running server, or the ledger itself.
type source interface {
	Held(context.Context, admin.HeldQuery) (admin.HeldPage, error)
	Show(context.Context, message.ID) (admin.HeldMessage, error)
	Mailboxes(context.Context) ([]admin.Mailbox, error)
	Audit(context.Context, admin.AuditQuery) (admin.AuditPage, error)
	Do(context.Context, admin.Action, admin.Order) (admin.Result, error)
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
	return errors.Join(f(newBackend(c, l, g, r)), l.Close())
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

// check reports a format that there is not before anything is asked.
func (o *output) check() error {
	if o.format != "json" && o.format != "text" {
		return fmt.Errorf("--output is text or json, not %q", o.format)
	}
	return nil
}

// printPages writes a list that comes in pieces: as one JSON array, or by text,
// which is given each page and its number, from 0. next returns an empty cursor
// behind the last page. Nothing is kept but the page at hand.
func printPages[T any](o *output, w io.Writer, next func(ledger.Cursor) ([]T, ledger.Cursor, error), text func(page int, list []T) error) error {
	var after ledger.Cursor
	written := 0
	for page := 0; page == 0 || after != ""; page++ {
		list, following, err := next(after)
		if err != nil {
			return err
		}
		after = following
		if o.format == "text" {
			if err := text(page, list); err != nil {
				return err
			}
			continue
		}
		for _, one := range list {
			if err := printElement(w, written, one); err != nil {
				return err
			}
			written++
		}
	}
	if o.format == "text" {
		return nil
	}
	end := "\n]\n"
	if written == 0 {
		end = "[]\n"
	}
	_, err := io.WriteString(w, end)
	return err
}

// printElement writes one element of an array.
func printElement(w io.Writer, before int, one any) error {
	text, err := json.MarshalIndent(one, "  ", "  ")
	if err != nil {
		return err
	}
	begin := ",\n  "
	if before == 0 {
		begin = "[\n  "
	}
	_, err = io.WriteString(w, begin+string(text))
	return err
}
