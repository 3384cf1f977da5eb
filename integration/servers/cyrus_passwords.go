package servers

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// passwords answers Cyrus' question whether a password is right, as saslauthd
// does on a Debian machine: no password file has to be made for it, which
// would take a program run for each user.
type passwords struct {
	socket *net.UnixListener
	right  func(name, password string) bool
}

// saslauthd is where Cyrus asks, in the root directory.
const saslauthd = "run/saslauthd/mux"

func answerPasswords(r root, right func(name, password string) bool) (*passwords, error) {
	if err := r.mkdir("run/saslauthd"); err != nil {
		return nil, err
	}
	address := r.path(saslauthd)
	socket, err := net.ListenUnix("unix", &net.UnixAddr{Name: address, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("a socket for passwords: %w", err)
	}
	if err := os.Chown(address, nobody, nobody); err != nil {
		_ = socket.Close()
		return nil, fmt.Errorf("a socket for passwords: %w", err)
	}
	p := &passwords{socket: socket, right: right}
	go p.serve()
	return p, nil
}

// serve ends when the socket is closed.
func (p *passwords) serve() {
	for {
		conn, err := p.socket.Accept()
		if err != nil {
			return
		}
		go p.answer(conn)
	}
}

// answer reads name, password, service and realm, each with its length in two
// octets before it, and says OK or NO in the same form.
func (p *passwords) answer(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(patience))
	var words [4]string
	for i := range words {
		var size [2]byte
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			return // whoever asked has gone
		}
		word := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(conn, word); err != nil {
			return
		}
		words[i] = string(word)
	}
	name, password, realm := words[0], words[1], words[3]
	if realm != "" {
		name += "@" + realm
	}
	said := "NO"
	if p.right(name, password) {
		said = "OK"
	}
	_, _ = conn.Write(append([]byte{0, byte(len(said))}, said...))
}

func (p *passwords) close() { _ = p.socket.Close() }
