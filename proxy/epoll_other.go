//go:build !linux

package proxy

import (
	"errors"
	"net"
	"time"
)

const hasEpoll = false

var errNoEpoll = errors.New("the system has no epoll")

// epoll is not there.
type epoll struct{}

func newEpoll() (*epoll, error) { return nil, errNoEpoll }

func (*epoll) arm(net.Conn, uint64) error       { return errNoEpoll }
func (*epoll) wait(time.Time) ([]uint64, error) { return nil, errNoEpoll }
func (*epoll) close()                           {}
