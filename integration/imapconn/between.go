package imapconn

import (
	"crypto/tls"
	"net"
	"sync"
)

// Between stands between clients and one listener of a server. It passes on
// every byte both ways as it comes, and holds what the server says to the rules.
// Where TLS is spoken it has a TLS session with either side.
type Between struct {
	options  BetweenOptions
	listener net.Listener
	running  sync.WaitGroup

	mu     sync.Mutex
	closed bool
	links  map[*link]bool
}

// BetweenOptions say what Between stands between. All but MayVanish are needed.
type BetweenOptions struct {
	To       string      // host:port of the server
	Implicit bool        // TLS from the start; else from STARTTLS on
	Client   *tls.Config // as what Between speaks to the server
	Server   *tls.Config // as what it speaks to clients

	// MayVanish is for a server, or what is behind it, that is ended in the
	// middle: a connection may then end with commands unanswered.
	MayVanish bool

	// Report is told of each violation, with the end of the transcript. It is
	// called by goroutines of Between's, and not after Close has returned.
	Report func(violation string)
}

// NewBetween listens on a free port of 127.0.0.1. The server need not be
// running: who connects while it is not is closed out. The caller closes it.
func NewBetween(o BetweenOptions) (*Between, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	b := &Between{options: o, listener: l, links: make(map[*link]bool)}
	b.running.Go(b.accept)
	return b, nil
}

// Addr is host:port of where it listens.
func (b *Between) Addr() string { return b.listener.Addr().String() }

// Forgive says that the server is about to be ended: the connections that there
// are now may end as they do. It waits for nothing.
func (b *Between) Forgive() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for l := range b.links {
		l.forgive()
	}
}

// Close ends all connections; that is no violation. What was violated until
// then has been reported when it returns.
func (b *Between) Close() error {
	err := b.listener.Close()
	b.mu.Lock()
	b.closed = true
	for l := range b.links {
		l.forgive()
		l.close()
	}
	b.mu.Unlock()
	b.running.Wait()
	return err
}

func (b *Between) accept() {
	for {
		client, err := b.listener.Accept()
		if err != nil {
			return // closed
		}
		l := newLink(b.options, client)
		if !b.enter(l) {
			_ = client.Close()
			return
		}
		b.running.Go(func() {
			l.run()
			b.leave(l)
		})
	}
}

func (b *Between) enter(l *link) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	b.links[l] = true
	return true
}

func (b *Between) leave(l *link) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.links, l)
}
