package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/spf13/cobra"

	"mailguard/config"
)

func newServe(file *string) *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Guard the mail server until SIGTERM",
		Long: `Serve the configured listeners until SIGTERM or SIGINT. Sessions in progress
then have a limited time to finish (limits.drain_time); a second signal ends
them at once.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return serve(cmd.Context(), *file, cmd.ErrOrStderr())
		},
	}
}

// serve runs a server with a configuration file until ctx ends. It logs to w.
func serve(ctx context.Context, file string, w io.Writer) error {
	c, problems := config.Load(file)
	if len(problems) > 0 {
		return problems
	}
	if len(c.Unavailable) > 0 {
		return config.Problems(c.Unavailable)
	}
	log, err := newLog(c.Log, w)
	if err != nil {
		return err
	}
	for _, warning := range c.Warnings {
		log.Warn().Msg(warning.String())
	}
	a, err := newApp(ctx, c, log)
	if err != nil {
		return err
	}
	return a.run(ctx)
}

// run serves until ctx ends, and then lets sessions finish.
func (a *app) run(ctx context.Context) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	var running sync.WaitGroup
	for _, s := range a.servers {
		running.Go(func() {
			if err := s.Serve(); err != nil {
				fail(fmt.Errorf("listener: %w", err))
			}
		})
	}
	running.Go(func() {
		if err := a.admin.Serve(a.socket); !errors.Is(err, http.ErrServerClosed) {
			fail(fmt.Errorf("admin socket: %w", err))
		}
	})
	running.Go(func() { a.guard.Housekeep(ctx) })
	if a.service != nil {
		running.Go(func() { a.service.Run(ctx) })
	}
	a.logStart()
	<-ctx.Done()
	err := a.drain()
	running.Wait()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		err = errors.Join(cause, err)
	}
	return errors.Join(err, a.close())
}

// drain stops listening, and waits for sessions in progress for a limited
// time.
func (a *app) drain() error {
	ctx, cancel := context.WithTimeout(context.Background(), a.config.Limits.Drain)
	defer cancel()
	a.log.Info().Dur("at_most", a.config.Limits.Drain).Msg("draining")
	errs := make([]error, len(a.servers))
	var all sync.WaitGroup
	for i, s := range a.servers {
		all.Go(func() { errs[i] = s.Shutdown(ctx) })
	}
	all.Wait()
	return errors.Join(append(errs, a.admin.Close())...)
}

// close closes what is open. Sessions have ended.
func (a *app) close() error {
	var errs []error
	if a.socket != nil {
		_ = a.socket.Close() // the admin server closed it, if it ran
	}
	if a.ledger != nil {
		errs = append(errs, a.ledger.Close())
	}
	return errors.Join(errs...)
}
