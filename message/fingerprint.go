package message

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"hash"
)

// Fingerprint is the SHA-256 of a message's header block as the server sends
// it: every header line with its CRLF, without the empty line behind them
// (servers differ in whether they send one that was never there). With the
// size it tells two messages apart; it never makes two copies one.
type Fingerprint [sha256.Size]byte

// String is the fingerprint in hexadecimal digits.
func (f Fingerprint) String() string { return hex.EncodeToString(f[:]) }

// Hasher takes the fingerprint of a message while its octets pass. Write it
// the message as stored (without the transport's dot-stuffing); after the
// header block it looks at nothing. The zero value is not usable: NewHasher.
// A Hasher belongs to one goroutine.
type Hasher struct {
	hash     hash.Hash
	line     []byte // the beginning of a line that is not complete yet
	complete bool   // the empty line behind the header was seen
	overlong bool
}

// Reset makes the Hasher ready for another message. It keeps its memory.
func (h *Hasher) Reset() {
	h.hash.Reset()
	h.line, h.complete, h.overlong = h.line[:0], false, false
}

// maxHeaderLine bounds what a Hasher holds of one header line, in octets. A
// longer line has no fingerprint: nothing is remembered rather than guessed.
const maxHeaderLine = 64 << 10

// NewHasher returns a Hasher for one message.
func NewHasher() *Hasher { return &Hasher{hash: sha256.New()} }

// Write takes the next octets of the message. It never fails.
func (h *Hasher) Write(p []byte) (int, error) {
	n := len(p)
	for !h.complete && !h.overlong && len(p) > 0 {
		end := bytes.IndexByte(p, '\n')
		if end < 0 {
			h.keep(p)
			return n, nil
		}
		h.keep(p[:end+1])
		p = p[end+1:]
		if h.overlong {
			return n, nil
		}
		if len(bytes.TrimRight(h.line, "\r\n")) == 0 {
			h.complete = true
			break
		}
		h.hash.Write(h.line)
		h.line = h.line[:0]
	}
	return n, nil
}

func (h *Hasher) keep(p []byte) {
	if len(h.line)+len(p) > maxHeaderLine {
		h.overlong = true
		return
	}
	h.line = append(h.line, p...)
}

// Complete reports whether the whole header block has passed.
func (h *Hasher) Complete() bool { return h.complete }

// Sum returns the fingerprint. Call it at the end of the message: a header
// that ends with the message and has no empty line behind it counts too. It
// reports false where there was no header line or an overlong one.
func (h *Hasher) Sum() (Fingerprint, bool) {
	if h.overlong {
		return Fingerprint{}, false
	}
	if !h.complete && len(h.line) > 0 { // a last line without its line end
		h.hash.Write(h.line)
		h.hash.Write([]byte("\r\n"))
		h.line, h.complete = nil, true
	}
	var f Fingerprint
	h.hash.Sum(f[:0])
	empty := sha256.Sum256(nil)
	return f, f != empty
}
