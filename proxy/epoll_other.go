//go:build !linux

package proxy

import (
	"net"
	"time"
)

const hasEpoll = false

// epoll is not there.
type epoll struct{}

func newEpoll() (*epoll, error) { return nil, errNoSocket }

func (*epoll) arm(net.Conn, uint64) error       { return errNoSocket }
func (*epoll) wait(time.Time) ([]uint64, error) { return nil, errNoSocket }
func (*epoll) close()                           {}
