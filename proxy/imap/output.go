package imap

import (
	"bufio"
	"io"
	"sync"

	"mailguard/proxy"
)

// output is what is written to the client. Its lock is held while one whole
// response is written, and it guards what the client has been told.
type output struct {
	sync.Mutex
	w *bufio.Writer // nil while the session is parked
}

// writers are the clients' write buffers. Literals pass through them in
// pieces of this size, which are two TLS records.
var writers = sync.Pool{New: func() any { return bufio.NewWriterSize(nil, proxy.BufferSize) }}

// borrow gives the output its buffer.
func (o *output) borrow(w io.Writer) {
	o.w = writers.Get().(*bufio.Writer)
	o.w.Reset(w)
}

// giveBack returns the buffer. Everything was flushed, or is lost.
func (o *output) giveBack() {
	if o.w == nil {
		return
	}
	o.w.Reset(nil)
	writers.Put(o.w)
	o.w = nil
}

// reply writes one line to the client and sends it.
func (s *session) reply(line string) error {
	s.out.Lock()
	defer s.out.Unlock()
	if err := s.writeLine(line); err != nil {
		return err
	}
	return s.out.w.Flush()
}

// writeLine writes one line; the output is held.
func (s *session) writeLine(line string) error {
	_, err := s.out.w.WriteString(line)
	if err == nil {
		_, err = s.out.w.WriteString("\r\n")
	}
	return err
}
