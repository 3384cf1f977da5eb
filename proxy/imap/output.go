package imap

import (
	"bufio"
	"io"
	"sync"

	"mailguard/proxy"
)

// output is what is written to the client. Its lock is held while one whole
// response is written, and it guards what the client has been told. It has a
// buffer only from the first octet written to the next Flush: most of the time
// there is nothing to say.
type output struct {
	sync.Mutex
	to  io.Writer
	w   *bufio.Writer // nil while nothing waits to be sent
	n   int64         // octets written so far
	err error         // why nothing can be written any more: part of a response may have been sent
}

// writers are the clients' write buffers. Literals pass through them in
// pieces of this size, which are two TLS records.
var writers = sync.Pool{New: func() any { return bufio.NewWriterSize(nil, proxy.BufferSize) }}

// borrow gives the output a buffer, if it has none.
func (o *output) borrow() *bufio.Writer {
	if o.w == nil {
		o.w = writers.Get().(*bufio.Writer)
		o.w.Reset(o.to)
	}
	return o.w
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

// Write writes to the buffer.
func (o *output) Write(p []byte) (int, error) {
	if o.err != nil {
		return 0, o.err
	}
	o.n += int64(len(p))
	return o.borrow().Write(p)
}

// WriteString is Write.
func (o *output) WriteString(text string) (int, error) {
	if o.err != nil {
		return 0, o.err
	}
	o.n += int64(len(text))
	return o.borrow().WriteString(text)
}

// breakOff sends what there is and lets nothing follow: it ends within a
// response, and the client would take the next line for a part of it, of a
// message perhaps.
func (o *output) breakOff(err error) {
	_ = o.Flush() // whatever comes of it, it was the last
	o.err = err
}

// Flush sends what has been written. Its error stays.
func (o *output) Flush() error {
	if o.w != nil && o.err == nil {
		o.err = o.w.Flush()
		o.giveBack()
	}
	return o.err
}

// reply writes one line to the client and sends it.
func (s *session) reply(line string) error {
	s.out.Lock()
	defer s.out.Unlock()
	if err := s.writeLine(line); err != nil {
		return err
	}
	return s.out.Flush()
}

// writeLine writes one line; the output is held.
func (s *session) writeLine(line string) error {
	_, err := s.out.WriteString(line)
	if err == nil {
		_, err = s.out.WriteString("\r\n")
	}
	return err
}
