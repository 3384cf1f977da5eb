package servers

import (
	"bytes"
	"fmt"
	"net"
	"os"
)

// journal collects what a server says: what its programs print, and what they
// give to syslog, for which they get a socket of their own.
type journal struct {
	path   string // the file it is kept in
	file   *os.File
	socket *net.UnixConn // dev/log of the root directory
}

func newJournal(r root) (*journal, error) {
	path := r.path("log")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("a log: %w", err)
	}
	address := r.path("dev/log")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("a socket for syslog: %w", err)
	}
	j := &journal{path: path, file: file, socket: socket}
	if err := os.Chmod(address, 0o666); err != nil {
		j.close()
		return nil, fmt.Errorf("a socket for syslog: %w", err)
	}
	go j.receive()
	return j, nil
}

// receive ends when the socket is closed.
func (j *journal) receive() {
	message := make([]byte, 64<<10)
	for {
		n, err := j.socket.Read(message)
		if err != nil {
			return
		}
		_, _ = j.file.Write(append(bytes.TrimRight(message[:n], "\n\x00"), '\n'))
	}
}

// String is everything so far.
func (j *journal) String() string {
	log, err := os.ReadFile(j.path)
	if err != nil {
		return err.Error()
	}
	return string(bytes.TrimSpace(log))
}

func (j *journal) close() {
	_ = j.socket.Close()
	_ = j.file.Close()
}
