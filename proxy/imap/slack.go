package imap

import (
	"runtime/debug"
	"sync/atomic"
	"time"
)

// slack gives memory back to the system. What a session held while it logged in
// and read is free once it is parked, but the runtime keeps about as much free
// memory as there is in use. Where many sessions are parked, that would be the
// larger part of what they cost. The zero value is ready.
type slack struct {
	free func() // what gives back; nil: debug.FreeOSMemory

	parked  atomic.Int64 // sessions that were parked since
	waiting atomic.Bool  // a timer runs; its holder owns pause
	pause   time.Duration
}

// It is done after so many sessions were parked, a few seconds later when others
// have followed, and takes no more than a hundredth of the time.
const (
	slackSessions = 100
	slackPause    = 3 * time.Second
	slackShare    = 100
)

// noteParked counts a session that was parked.
func (s *slack) noteParked() {
	if s.parked.Add(1) < slackSessions || s.waiting.Swap(true) {
		return
	}
	time.AfterFunc(max(s.pause, slackPause), s.giveBack)
}

func (s *slack) giveBack() {
	s.parked.Store(0)
	begin := time.Now()
	if s.free != nil {
		s.free()
	} else {
		debug.FreeOSMemory()
	}
	s.pause = slackShare * time.Since(begin)
	s.waiting.Store(false)
}
