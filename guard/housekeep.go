package guard

import (
	"context"
	"errors"
	"time"
)

const (
	// keptFor is how long the ledger keeps what is gone.
	keptFor = 92 * 24 * time.Hour

	housekeepEvery = 24 * time.Hour
	housekeepAgain = time.Hour // after it failed
)

// Housekeep has the ledger forget, at once and then every day, what nobody can
// need any more. It returns when ctx ends, and does not leave anything half done
// that the next time does not do. What fails is in the log.
func (g *Guard) Housekeep(ctx context.Context) {
	timer := time.NewTimer(g.tidy(ctx))
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			timer.Reset(g.tidy(ctx))
		case <-ctx.Done():
			return
		}
	}
}

// tidy forgets, and returns after what time to do so again. The record comes
// first: messages that only it spoke of go with it.
func (g *Guard) tidy(ctx context.Context) time.Duration {
	entries := 0
	var err error
	if g.AuditKeep > 0 {
		entries, err = g.Ledger.ForgetDecisions(ctx, g.Now().Add(-g.AuditKeep))
	}
	n, forgetErr := g.Ledger.Forget(ctx, g.Now().Add(-keptFor))
	err = errors.Join(err, forgetErr)
	switch {
	case errors.Is(err, context.Canceled):
		return housekeepEvery
	case err != nil:
		g.Log.Warn().Err(err).Int("forgotten", n).Int("entries", entries).Msg("the ledger keeps what it could forget")
		return housekeepAgain
	case n+entries > 0:
		g.Log.Info().Int("forgotten", n).Int("entries", entries).Msg("the ledger has forgotten what is long gone")
	}
	return housekeepEvery
}
