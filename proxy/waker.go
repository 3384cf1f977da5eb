package proxy

import "sync"

// waker lets anybody end a session's stay in the poller, and remembers that
// somebody wanted to while the session was not there.
type waker struct {
	mu     sync.Mutex
	woken  bool     // since the session was last resumed
	parked *parking // nil while the session runs
}

// Wake resumes the session of this connection if it is parked, and otherwise at
// once when it parks the next time: what the caller has to tell must be where
// Resume finds it before he calls. One Wake is enough for any number of news. It
// may be called from any goroutine, also after Close, and does not block.
func (c *Conn) Wake() {
	c.waker.mu.Lock()
	c.waker.woken = true
	p := c.waker.parked
	c.waker.mu.Unlock()
	if p != nil {
		p.end()
	}
}

// attach hands the connection's wake-ups to p, also one that came before.
func (w *waker) attach(p *parking) {
	w.mu.Lock()
	w.parked = p
	woken := w.woken
	w.mu.Unlock()
	if woken {
		p.end()
	}
}

// detach forgets the wake-ups so far: the session is about to look.
func (w *waker) detach() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.parked, w.woken = nil, false
}
