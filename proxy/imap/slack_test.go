package imap

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestSlack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		times := 0
		s := &slack{}
		s.free = func() { times++; time.Sleep(time.Second) }
		park := func(sessions, want int) {
			t.Helper()
			for range sessions {
				s.noteParked()
			}
			time.Sleep(slackPause + 2*time.Second)
			if times != want {
				t.Fatalf("memory was given back %d times, not %d", times, want)
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
