package imap

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestSlack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var times atomic.Int64
		s := &slack{}
		s.free = func() { times.Add(1); time.Sleep(time.Second) }
		park := func(sessions int, want int64) {
			t.Helper()
			for range sessions {
				s.noteParked()
			}
			time.Sleep(slackPause + 2*time.Second)
			if got := times.Load(); got != want {
				t.Fatalf("memory was given back %d times, not %d", got, want)
			}
		}
		park(slackSessions-1, 0)
		park(1, 1)
		park(slackSessions-1, 1) // it was slow: the next time is further off
		park(1, 1)
		time.Sleep(slackShare * time.Second)
		park(0, 2)
		park(0, 2)
	})
}
