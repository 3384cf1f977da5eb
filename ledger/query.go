package ledger

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// querier is what a read needs: the pool of readers, or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// reading runs a read on the pool of readers.
func (l *Ledger) reading(f func(q querier) error) error {
	h := l.handles.Load()
	if h == nil && l.isClosed() {
		return ErrClosed
	}
	if h == nil {
		return ErrUnreadable
	}
	err := f(h.read)
	if err != nil {
		l.failRead(err)
	}
	return l.classify(err)
}

// each calls scan for every row of a query.
func each(ctx context.Context, q querier, scan func(rows *sql.Rows) error, query string, args ...any) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	for rows.Next() {
		if err := scan(rows); err != nil {
			return errors.Join(err, rows.Close())
		}
	}
	return errors.Join(rows.Err(), rows.Close())
}

// millis and fromMillis are the ledger's times: milliseconds since 1970.
func millis(t time.Time) int64 { return t.UnixMilli() }

func fromMillis(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// fromNull is the zero time for NULL.
func fromNull(ms sql.NullInt64) time.Time {
	if !ms.Valid {
		return time.Time{}
	}
	return fromMillis(ms.Int64)
}
