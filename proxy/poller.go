package proxy

import (
	"errors"
	"os"
	"sync"
	"time"
)

// pollerTick is how often the poller looks whose time is over.
const pollerTick = time.Second

// poller waits for the sockets of all sessions of a server that are parked. It has
// one goroutine, from the first session that parks until close. Its zero value is
// ready.
//
// A socket is registered with a token that no other parking ever had, not with
// its number, which the system gives to another one as soon as it is closed. It
// stays registered while its session runs, but silent, and is forgotten when it
// is closed.
type poller struct {
	mu     sync.Mutex
	parked map[uint64]*parking
	last   uint64 // token
	set    *epoll // nil: not started
	closed bool
	done   chan struct{} // closed when the goroutine has ended
}

// add registers p. After an error nobody waits for its sockets.
func (w *poller) add(p *parking) error {
	for _, c := range p.both() {
		if !CanPark(c) {
			return errNoSocket
		}
		if c.hides() {
			return errNotDry
		}
	}
	set, err := w.enter(p)
	if err != nil {
		return err
	}
	for _, c := range p.both() {
		if err := set.arm(c.sock.Conn, p.token); err != nil {
			return err
		}
	}
	return nil
}

// enter gives p its token. From here on the poller knows it.
func (w *poller) enter(p *parking) (*epoll, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.start(); err != nil {
		return nil, err
	}
	w.last++
	p.token = w.last
	w.parked[p.token] = p
	return w.set, nil
}

// start is called with the lock held.
func (w *poller) start() error {
	if w.closed {
		return os.ErrClosed
	}
	if w.set != nil {
		return nil
	}
	set, err := newEpoll()
	if err != nil {
		return err
	}
	w.set, w.done = set, make(chan struct{})
	if w.parked == nil {
		w.parked = make(map[uint64]*parking)
	}
	go w.run(set, w.done)
	return nil
}

// run is the poller's goroutine.
func (w *poller) run(set *epoll, done chan<- struct{}) {
	defer close(done)
	defer w.stopped(set)
	next := time.Now().Add(pollerTick)
	for {
		tokens, err := set.wait(next)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			w.endDue(time.Now())
			next = time.Now().Add(pollerTick)
		} else if err != nil {
			return
		}
		for _, token := range tokens {
			w.end(token)
		}
	}
}

// stopped resumes all sessions: nobody waits for them any more. Unless the poller
// was closed, the next session that parks starts it again.
func (w *poller) stopped(set *epoll) {
	set.close()
	w.mu.Lock()
	w.set = nil
	w.mu.Unlock()
	for _, p := range w.which(func(*parking) bool { return true }) {
		p.end()
	}
}

// end resumes the session with this token, if it is still parked under it.
func (w *poller) end(token uint64) {
	w.mu.Lock()
	p := w.parked[token]
	w.mu.Unlock()
	if p != nil {
		p.end()
	}
}

// endDue resumes the sessions whose time is over.
func (w *poller) endDue(now time.Time) {
	for _, p := range w.which(func(p *parking) bool { return !p.until.IsZero() && now.After(p.until) }) {
		p.end()
	}
}

// which picks parkings, so that none is ended with the lock held.
func (w *poller) which(ok func(*parking) bool) []*parking {
	w.mu.Lock()
	defer w.mu.Unlock()
	var picked []*parking
	for _, p := range w.parked {
		if ok(p) {
			picked = append(picked, p)
		}
	}
	return picked
}

// remove forgets p, and forgives if it is not there.
func (w *poller) remove(p *parking) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.parked, p.token)
}

func (w *poller) len() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.parked)
}

// close ends the poller's goroutine and waits for it. It is idempotent.
func (w *poller) close() {
	w.mu.Lock()
	w.closed = true
	set, done := w.set, w.done
	w.mu.Unlock()
	if set != nil {
		set.close()
	}
	if done != nil {
		<-done
	}
}
