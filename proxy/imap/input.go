package imap

import (
	"bufio"
	"errors"
	"net"
	"sync"
	"time"

	"mailguard/proxy"
)

// input is what the client sends. Between two commands a read gives up after
// the connection's time-out, so that a quiet session can be parked; within one
// it waits until the command's time is over.
type input struct {
	conn  *proxy.Conn
	r     *bufio.Reader // nil while the session is parked
	until time.Time     // the end of the command's time; zero: between two commands
}

var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, clientBuffer) }}

// clientBuffer holds ordinary commands; a longer one takes a few more reads.
const clientBuffer = 4 << 10

func (in *input) borrow() {
	in.r = readers.Get().(*bufio.Reader)
	in.r.Reset(in)
}

func (in *input) giveBack() {
	if in.r == nil {
		return
	}
	in.r.Reset(nil)
	readers.Put(in.r)
	in.r = nil
}

// within bounds the time of the command that is being read.
func (in *input) within(d time.Duration) { in.until = time.Now().Add(d) }

// between says that the next read waits for a command.
func (in *input) between() { in.until = time.Time{} }

// Read reads from the connection. It is the bufio.Reader's source.
func (in *input) Read(p []byte) (int, error) {
	for {
		n, err := in.conn.Read(p)
		if n > 0 || !isTimeout(err) || in.until.IsZero() || time.Now().After(in.until) {
			return n, err
		}
	}
}

// isTimeout reports whether a read ended without anything having come.
func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}
