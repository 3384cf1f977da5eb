package upstream

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
)

// uidValidity is the same for all mailboxes: they live as long as the server.
const uidValidity = 0x6b039c95

// mailbox is one user's mail.
type mailbox struct {
	password string

	mu       sync.Mutex
	messages []*message
	nextUID  int
}

// message is one message. It does not change.
type message struct {
	uid    int
	size   int64  // octets as stored
	wire   []byte // with dots stuffed and the terminator behind it, ready to be sent
	header int    // how much of wire is the header block, the empty line included
}

// deliver stores a message.
func (b *mailbox) deliver(text []byte) {
	text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	text = bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n"))
	m := &message{size: int64(len(text)), wire: stuff(text)}
	m.header = len(m.wire) - len(".\r\n")
	if i := bytes.Index(m.wire, []byte("\r\n\r\n")); i >= 0 {
		m.header = i + len("\r\n\r\n")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	m.uid = b.nextUID
	b.nextUID++
	b.messages = append(b.messages, m)
}

// stuff is RFC 1939, 3: a dot in front of a line that begins with one.
func stuff(text []byte) []byte {
	wire := make([]byte, 0, len(text)+16)
	if bytes.HasPrefix(text, []byte(".")) {
		wire = append(wire, '.')
	}
	wire = append(wire, bytes.ReplaceAll(text, []byte("\r\n."), []byte("\r\n.."))...)
	if !bytes.HasSuffix(wire, []byte("\r\n")) {
		wire = append(wire, "\r\n"...)
	}
	return append(wire, ".\r\n"...)
}

// top returns the header and n lines of the body, ready to be sent.
func (m *message) top(n int) []byte {
	end := m.header
	last := len(m.wire) - len(".\r\n")
	for ; n > 0 && end < last; n-- {
		end += bytes.IndexByte(m.wire[end:last], '\n') + 1
	}
	return append(slices.Clone(m.wire[:end]), ".\r\n"...)
}

// snapshot is what a session sees.
func (b *mailbox) snapshot() []*message {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.messages)
}

func (b *mailbox) has(m *message) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Contains(b.messages, m)
}

// remove deletes messages for good.
func (b *mailbox) remove(gone map[*message]bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.messages = slices.DeleteFunc(b.messages, func(m *message) bool { return gone[m] })
}

func (s *Server) uniqueID(m *message) string {
	if s.UniqueID != nil {
		return s.UniqueID(m.uid)
	}
	return fmt.Sprintf("%08x%08x", m.uid, uidValidity)
}
