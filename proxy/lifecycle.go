package proxy

import (
	"context"
	"sync"
)

// lifecycle is what a connection knows of the server's drain. Both flags change
// under one lock, so a session that stops being busy while the drain begins is
// interrupted exactly by one of the two.
type lifecycle struct {
	mu       sync.Mutex
	busy     bool
	draining bool
	cancel   context.CancelFunc // ends the context of the session; nil outside a server
}

// end ends the context of the session.
func (l *lifecycle) end() {
	if l.cancel != nil {
		l.cancel()
	}
}

// SetBusy says whether the session is worth waiting for when the server drains
// (it is logged in). A session that stops being busy during a drain is
// interrupted.
func (c *Conn) SetBusy(busy bool) {
	c.life.mu.Lock()
	c.life.busy = busy
	leave := c.life.draining && !busy
	c.life.mu.Unlock()
	if leave {
		c.Interrupt()
	}
}

// drain tells the connection that the server stops. It reports whether the
// session may stay for now.
func (c *Conn) drain() (stays bool) {
	c.life.mu.Lock()
	c.life.draining = true
	stays = c.life.busy
	c.life.mu.Unlock()
	if !stays {
		c.Interrupt()
	}
	return stays
}
