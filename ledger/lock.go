package ledger

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// lockFile keeps a second process out, and remembers across restarts that a
// ledger was once here: a ledger that has vanished must not be replaced by an
// empty one in silence, since every client would then download everything
// again. It lies beside the ledger as NAME.lock.
type lockFile struct{ f *os.File }

// ErrInUse is the error of a ledger that another process has open.
var ErrInUse = errors.New("ledger is in use")

const createdMark = "created"

// lock takes the lock or says which process has it.
func lock(path string) (*lockFile, error) {
	f, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder, _ := io.ReadAll(io.LimitReader(f, 64))
		f.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s.lock: %w", path, err)
		}
		pid, _, _ := strings.Cut(string(holder), " ")
		return nil, fmt.Errorf("%w: process %s has %s open; one process at a time", ErrInUse, pid, path)
	}
	return &lockFile{f: f}, nil
}

// created reports whether a ledger was made beside this lock before.
func (l *lockFile) created() bool {
	b := make([]byte, 64)
	n, _ := l.f.ReadAt(b, 0)
	return strings.Contains(string(b[:n]), createdMark)
}

// sign writes who holds the lock, and whether the ledger was made. The new
// line is written over the old one: a full disk must not leave a file in which
// the mark is missing.
func (l *lockFile) sign(created bool) error {
	line := strconv.Itoa(os.Getpid()) + " "
	if created {
		line += createdMark
	}
	line += "\n"
	if _, err := l.f.WriteAt([]byte(line), 0); err != nil {
		return err
	}
	if err := l.f.Truncate(int64(len(line))); err != nil {
		return err
	}
	return l.f.Sync()
}

// release gives the lock up. The file stays.
func (l *lockFile) release() error { return l.f.Close() }
