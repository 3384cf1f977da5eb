package proxy

import "sync"

// BufferSize is the size of the buffers that message bodies pass through. Two
// TLS records fit; larger ones bring next to nothing.
const BufferSize = 32 << 10

// Sizes of the buffers that a connection keeps for its whole life. They are
// what an idle session costs, so they only have to hold ordinary commands and
// answers: longer ones take a few more reads, bodies do not pass through them.
const (
	clientReadBuffer    = 2 << 10
	clientWriteBuffer   = 4 << 10 // answers to a client are longer than its commands
	upstreamReadBuffer  = 4 << 10
	upstreamWriteBuffer = 1 << 10
)

var buffers = sync.Pool{New: func() any {
	b := make([]byte, BufferSize)
	return &b
}}

// GetBuffer borrows a buffer of [BufferSize] bytes. It holds bytes of earlier
// sessions: read only what has been written to it since.
func GetBuffer() *[]byte { return buffers.Get().(*[]byte) }

// PutBuffer gives a buffer back. The caller must not touch it afterwards.
func PutBuffer(b *[]byte) {
	if b == nil || cap(*b) < BufferSize {
		return
	}
	*b = (*b)[:BufferSize]
	buffers.Put(b)
}
