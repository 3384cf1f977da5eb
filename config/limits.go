package config

import (
	"strconv"
	"time"
)

// limits checks what clients can cost. The least of each is what a slow but
// honest client, or an upstream under load, needs; the most is where a limit is
// none any more.
func (c *checker) limits() {
	keys, l := c.file.Limits, &c.cfg.Limits
	times := []struct {
		key                    string
		written                duration
		to                     *time.Duration
		otherwise, least, most time.Duration
	}{
		{"pop3_lock_wait", keys.POP3LockWait, &l.POP3LockWait, 30 * time.Second, time.Second, 10 * time.Minute},
		{"login_time", keys.LoginTime, &l.LoginTime, 60 * time.Second, time.Second, time.Hour},
		{"handshake_time", keys.HandshakeTime, &l.Handshake, 10 * time.Second, time.Second, 10 * time.Minute},
		{"idle_time", keys.IdleTime, &l.Idle, 10 * time.Minute, 10 * time.Minute, 24 * time.Hour},              // RFC 1939, 3
		{"imap_idle_time", keys.IMAPIdleTime, &l.IMAPIdle, 30 * time.Minute, 30 * time.Minute, 24 * time.Hour}, // RFC 9051, 5.4
		{"command_time", keys.CommandTime, &l.Command, time.Minute, time.Second, time.Hour},
		{"answer_time", keys.AnswerTime, &l.Answer, 5 * time.Minute, time.Second, 24 * time.Hour},
		{"upstream_time", keys.UpstreamTime, &l.Upstream, 60 * time.Second, time.Second, time.Hour},
		{"drain_time", keys.DrainTime, &l.Drain, 30 * time.Second, time.Second, time.Hour},
	}
	for _, t := range times {
		*t.to = orDuration(t.written, t.otherwise)
		if *t.to < t.least || *t.to > t.most {
			c.wrong(path{"limits", t.key}, "`%s` is from %s to %s", t.key, spell(t.least), spell(t.most))
		}
	}
	l.Connections = 8000
	if keys.Connections != nil {
		l.Connections = *keys.Connections
		c.within(path{"limits", "connections"}, l.Connections, 1, 1_000_000)
	}
}

// within checks that a number is in a range, its ends included.
func (c *checker) within(p path, n, least, most int) {
	if n < least || n > most {
		c.wrong(p, "`%s` is from %d to %d, not %d", p[len(p)-1], least, most, n)
	}
}

// spell returns a duration as the file writes it.
func spell(d time.Duration) string {
	switch {
	case d%(24*time.Hour) == 0:
		return decimal(int(d/(24*time.Hour))) + "d"
	case d%time.Hour == 0:
		return decimal(int(d/time.Hour)) + "h"
	case d%time.Minute == 0:
		return decimal(int(d/time.Minute)) + "m"
	}
	return decimal(int(d/time.Second)) + "s"
}

func decimal(n int) string { return strconv.Itoa(n) }
