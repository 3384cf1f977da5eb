package proxy

import (
	"errors"
	"net"
	"os"
	"syscall"
	"time"
)

// hasEpoll says whether the system can wait for sockets without goroutines.
const hasEpoll = true

// epollEvents is how many sockets are reported at once.
const epollEvents = 128

// epollOnce is EPOLLIN with EPOLLONESHOT: a socket is reported once, also if it
// was readable before, and then not until it is armed again.
const epollOnce = syscall.EPOLLIN | syscall.EPOLLONESHOT

// epoll is a set of sockets that are waited for. The set is a file that Go waits
// for as it does for any other, so that no thread is spent on it. One goroutine
// may wait; arm and close may be called from any.
type epoll struct {
	file   *os.File
	raw    syscall.RawConn
	events [epollEvents]syscall.EpollEvent // of the goroutine that waits
	tokens []uint64                        // likewise
}

func newEpoll() (*epoll, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := syscall.SetNonblock(fd, true); err != nil { // or Go would not wait for it
		_ = syscall.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	e := &epoll{file: os.NewFile(uintptr(fd), "epoll"), tokens: make([]uint64, 0, epollEvents)}
	if e.raw, err = e.file.SyscallConn(); err != nil {
		_ = e.file.Close()
		return nil, err
	}
	return e, nil
}

// arm makes the set report token once, when nc is readable or broken. It
// replaces what nc was armed with before.
func (e *epoll) arm(nc net.Conn, token uint64) error {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return errNoSocket
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return err
	}
	// Within Control neither number can be closed and given to something else.
	var armed error
	outer := e.raw.Control(func(set uintptr) {
		inner := raw.Control(func(fd uintptr) { armed = control(int(set), int(fd), token) })
		armed = errors.Join(inner, armed)
	})
	return errors.Join(outer, armed)
}

// control arms fd, which most often is in the set already.
func control(set, fd int, token uint64) error {
	event := syscall.EpollEvent{Events: epollOnce}
	setToken(&event, token)
	err := syscall.EpollCtl(set, syscall.EPOLL_CTL_MOD, fd, &event)
	if errors.Is(err, syscall.ENOENT) {
		err = syscall.EpollCtl(set, syscall.EPOLL_CTL_ADD, fd, &event)
	}
	return os.NewSyscallError("epoll_ctl", err)
}

// wait returns the tokens of sockets that are readable. They are valid until the
// next call. It returns os.ErrDeadlineExceeded at until, and another error when the
// set is closed.
func (e *epoll) wait(until time.Time) ([]uint64, error) {
	if err := e.file.SetReadDeadline(until); err != nil {
		return nil, err
	}
	var n int
	var err error
	outer := e.raw.Read(func(set uintptr) bool {
		n, err = poll(int(set), e.events[:])
		return n > 0 || err != nil
	})
	if err := errors.Join(outer, os.NewSyscallError("epoll_wait", err)); err != nil {
		return nil, err
	}
	e.tokens = e.tokens[:0]
	for i := range n {
		e.tokens = append(e.tokens, tokenOf(&e.events[i]))
	}
	return e.tokens, nil
}

// poll reports what is ready now.
func poll(set int, events []syscall.EpollEvent) (int, error) {
	for {
		n, err := syscall.EpollWait(set, events, 0)
		if !errors.Is(err, syscall.EINTR) {
			return n, err
		}
	}
}

func (e *epoll) close() { _ = e.file.Close() }

// The 64 bits that a set keeps for each socket are ours.
func setToken(event *syscall.EpollEvent, token uint64) {
	event.Fd, event.Pad = int32(uint32(token)), int32(uint32(token>>32))
}

func tokenOf(event *syscall.EpollEvent) uint64 {
	return uint64(uint32(event.Fd)) | uint64(uint32(event.Pad))<<32
}
