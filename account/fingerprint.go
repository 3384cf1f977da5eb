package account

import (
	"io"

	"github.com/emersion/go-imap/v2"

	"mailguard/message"
)

// fingerprint takes a message's fingerprint of its header as it comes, or
// returns nil: for a client's literal that was cut looks like a whole one.
func fingerprint(header imap.LiteralReader) *message.Fingerprint {
	h := message.NewHasher()
	n, err := io.Copy(h, header)
	f, ok := h.Sum()
	if err != nil || n != header.Size() || !ok {
		return nil
	}
	return &f
}
