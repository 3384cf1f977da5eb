package ledger

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

//go:embed migrations/sqlite/*.sql
var migrations embed.FS

// handles are the open connections to one ledger file: one that writes, for
// the committer alone, and a pool that reads.
type handles struct {
	write *sql.DB
	read  *sql.DB
	file  os.FileInfo // the file that was opened, to notice when it is replaced
}

// readers is how many connections read at the same time. Each has a page
// cache of its own.
const readers = 4

// openHandles opens the ledger file. It is created only if create is true.
func openHandles(ctx context.Context, path string, create bool) (*handles, error) {
	if info, err := os.Stat(path); !create && (errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0) {
		return nil, lost(path)
	}
	if !create {
		if err := holdsLedger(ctx, path); err != nil {
			return nil, err
		}
	}
	if create {
		if err := makePrivate(path); err != nil {
			return nil, err
		}
	}
	h := &handles{}
	var err error
	if h.write, err = openWriter(ctx, path); err != nil {
		return nil, errors.Join(err, h.close())
	}
	if h.read, err = sql.Open("sqlite", dsn(path, "_pragma=query_only(1)")); err != nil {
		return nil, errors.Join(err, h.close())
	}
	h.read.SetMaxOpenConns(readers)
	h.read.SetMaxIdleConns(readers)
	if h.file, err = os.Stat(path); err != nil {
		return nil, errors.Join(err, h.close())
	}
	return h, nil
}

// makePrivate makes the file, for its owner only: SQLite would let everybody
// read it. Its log gets the rights of the file.
func makePrivate(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// openWriter opens the connection that writes, and makes sure that a commit
// is durable before anything is committed.
func openWriter(ctx context.Context, path string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", dsn(path, "_txlock=immediate"))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	err = prepare(ctx, db)
	if err == nil {
		err = migrate(ctx, db)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// lost is the error of a ledger that was here once. An empty one in its place
// would show every client everything again.
func lost(path string) error {
	return fmt.Errorf("%s is gone, or was emptied; restore it, or remove it and %s.lock to begin with an empty ledger", path, path)
}

// holdsLedger makes sure that a file which should be a ledger has one in it,
// and changes nothing of it: somebody may be putting the right file in its
// place at this moment, and a log file left beside it would spoil that one.
func holdsLedger(ctx context.Context, path string) error {
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?mode=rw&_pragma=busy_timeout(5000)&_pragma=query_only(1)")
	if err != nil {
		return err
	}
	var tables int
	err = db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'mailboxes'").Scan(&tables)
	if err == nil && tables == 0 {
		err = lost(path)
	}
	return errors.Join(err, db.Close())
}

func prepare(ctx context.Context, db *sql.DB) error {
	var verdict, journal string
	var synchronous int
	if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict); err != nil {
		return err
	}
	if verdict != "ok" {
		return fmt.Errorf("the ledger is corrupt: %s", verdict)
	}
	if err := db.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&journal); err != nil {
		return err
	}
	if err := db.QueryRowContext(ctx, "PRAGMA synchronous").Scan(&synchronous); err != nil {
		return err
	}
	const full = 2
	if !strings.EqualFold(journal, "wal") || synchronous != full {
		return fmt.Errorf("the ledger cannot be written durably here: journal_mode=%s, synchronous=%d; wanted wal and 2", journal, synchronous)
	}
	return nil
}

func migrate(ctx context.Context, db *sql.DB) error {
	provider, err := newProvider(db)
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}

func newProvider(db *sql.DB) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations/sqlite")
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectSQLite3, db, files)
}

// dsn names the file and what every connection to it is set to. Pragmas
// belong here: they hold for a connection, and the pool opens more of them.
func dsn(path, more string) string {
	return "file:" + (&url.URL{Path: path}).EscapedPath() +
		"?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)&" + more
}

func (h *handles) close() error {
	var errs []error
	for _, db := range []*sql.DB{h.read, h.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}
