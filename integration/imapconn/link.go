package imapconn

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// link is one client's connection to the server. Two goroutines copy, one each
// way. What a client sends is checked before the server gets it, and a response
// before the client gets it.
type link struct {
	options BetweenOptions
	agreed  chan bool     // whether the server agrees to STARTTLS, for the goroutine that reads the client
	secure  chan struct{} // what follows STARTTLS may be read from the server

	mu             sync.Mutex // of all below
	client, server net.Conn
	ended          bool // by Close
	watch          watch
}

func newLink(o BetweenOptions, client net.Conn) *link {
	l := &link{options: o, client: client, agreed: make(chan bool, 1), secure: make(chan struct{}, 1)}
	l.watch.start(o)
	return l
}

func (l *link) run() {
	defer l.close()
	if err := l.open(); err != nil {
		return // the client gets what it would get where nobody listens
	}
	var up sync.WaitGroup
	up.Go(l.fromClient)
	l.fromServer()
	up.Wait()
}

// open connects to the server, from the address that the client has.
func (l *link) open() error {
	if l.options.Implicit {
		if err := l.handshake(func(client, _ net.Conn) (*tls.Conn, *tls.Conn) { return tls.Server(client, l.options.Server), nil }); err != nil {
			return err
		}
	}
	dialer := net.Dialer{Timeout: defaultTimeout}
	if from, ok := l.client.RemoteAddr().(*net.TCPAddr); ok {
		dialer.LocalAddr = &net.TCPAddr{IP: from.IP}
	}
	server, err := dialer.Dial("tcp", l.options.To)
	if err != nil {
		return err
	}
	if !l.change(nil, server) {
		return net.ErrClosed
	}
	if l.options.Implicit {
		return l.handshake(func(_, server net.Conn) (*tls.Conn, *tls.Conn) { return nil, tls.Client(server, l.options.Client) })
	}
	return nil
}

// handshake begins TLS with one side or with both.
func (l *link) handshake(begin func(client, server net.Conn) (toClient, toServer *tls.Conn)) error {
	client, server := l.sides()
	toClient, toServer := begin(client, server)
	ctx, cancel := context.WithTimeout(context.Background(), defaultTimeout)
	defer cancel()
	if toClient != nil {
		if err := toClient.HandshakeContext(ctx); err != nil {
			return err
		}
		l.change(toClient, nil)
	}
	if toServer != nil {
		if err := toServer.HandshakeContext(ctx); err != nil {
			return err
		}
		l.change(nil, toServer)
	}
	return nil
}

func (l *link) sides() (client, server net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.client, l.server
}

// change puts other connections in the place of those that are not nil. It is
// false where the link has been closed.
func (l *link) change(client, server net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if client != nil {
		l.client = client
	}
	if server != nil {
		l.server = server
	}
	if l.ended && server != nil {
		_ = server.Close()
	}
	return !l.ended
}

// forgive lets the connection end anyhow.
func (l *link) forgive() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.watch.mayVanish = true
}

func (l *link) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	_ = l.client.Close()
	if l.server != nil {
		_ = l.server.Close()
	}
}

// pieceSize bounds what is held of a literal.
const pieceSize = 32 << 10

// fromClient copies what the client sends until one side has ended. When the
// server has ended, fromServer sees to it that this ends, too.
func (l *link) fromClient() {
	piece := make([]byte, pieceSize)
	for {
		client, server := l.sides()
		n, err := client.Read(piece)
		l.mu.Lock()
		asks := l.watch.sent(piece[:n])
		if err != nil {
			l.watch.clientEnded(err)
		}
		l.mu.Unlock()
		_, _ = server.Write(piece[:n]) // if it has ended, fromServer knows
		if err != nil {
			end(server, err)
			return
		}
		if asks && !l.upgrade() {
			return
		}
	}
}

// fromServer copies what the server says.
func (l *link) fromServer() {
	piece := make([]byte, pieceSize)
	for {
		client, server := l.sides()
		n, err := server.Read(piece)
		l.mu.Lock()
		said, agrees := l.watch.received(piece[:n])
		if err != nil {
			l.watch.serverEnded(err)
		}
		l.mu.Unlock()
		if _, writeErr := client.Write(piece[:n]); writeErr != nil && err == nil {
			end(server, writeErr)
			err = writeErr
		}
		if err != nil {
			// The client reads to the end what was said; it may still be sending.
			end(client, err)
			_ = client.SetReadDeadline(time.Now().Add(time.Second))
			close(l.agreed)
			return
		}
		if said {
			l.agreed <- agrees
		}
		if agrees {
			<-l.secure
		}
	}
}

// end passes on that one side has ended.
func end(other net.Conn, err error) {
	half, ok := other.(interface{ CloseWrite() error })
	if errors.Is(err, io.EOF) && ok {
		_ = half.CloseWrite()
		return
	}
	_ = other.Close()
}

// tlsHandshake is the type of the record that a TLS client begins with (RFC
// 8446, 5.1).
const tlsHandshake = 22

// upgrade waits for the reply to STARTTLS and begins TLS with both sides. A
// client that says something else than a handshake, and a server that hears it,
// are left alone: from then on all is passed on unseen. It is false where the
// link has ended.
func (l *link) upgrade() bool {
	if !<-l.agreed {
		return true // refused, or ended, which the next Read will show
	}
	defer func() { l.secure <- struct{}{} }()
	client, server := l.sides()
	first := make([]byte, 1)
	if _, err := io.ReadFull(client, first); err != nil {
		end(server, err)
		return false
	}
	if first[0] != tlsHandshake {
		l.mu.Lock()
		l.watch.blind = true
		l.mu.Unlock()
		_, _ = server.Write(first) // if it has ended, fromServer knows
		return true
	}
	err := l.handshake(func(client, server net.Conn) (*tls.Conn, *tls.Conn) {
		return tls.Server(&pushedBack{Conn: client, first: first}, l.options.Server), tls.Client(server, l.options.Client)
	})
	if err != nil {
		l.close()
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.watch.restart()
	return true
}

// pushedBack is a connection of which something was read already.
type pushedBack struct {
	net.Conn
	first []byte
}

func (p *pushedBack) Read(to []byte) (int, error) {
	if len(p.first) == 0 {
		return p.Conn.Read(to)
	}
	n := copy(to, p.first)
	p.first = p.first[n:]
	return n, nil
}
