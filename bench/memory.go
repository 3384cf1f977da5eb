package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"time"
)

// settle is how long sessions are quiet before they are looked at: the guard
// has parked them by then, and given back what they held before.
const settle = 10 * time.Second

// measureMemory says what an idle session costs the guard, each time in a fresh
// process.
func (b *bench) measureMemory(sessions int, fits *regexp.Regexp) error {
	for _, idle := range []struct {
		name string
		open func(way) (session, error)
	}{
		{"POP3 memory, idle", func(w way) (session, error) { return b.connectPOP3(w) }},
		{"IMAP memory, IDLE", func(w way) (session, error) { return b.idle(w) }},
	} {
		for _, i := range []int{unguarded, guarded} {
			if !fits.MatchString(idle.name) {
				continue
			}
			if err := b.measureSessions(idle.name, sessions, b.ways[i], idle.open); err != nil {
				return fmt.Errorf("%s: %w", idle.name, err)
			}
		}
	}
	return nil
}

// measureSessions compares a fresh guard with one that has so many sessions.
func (b *bench) measureSessions(name string, sessions int, w way, open func(way) (session, error)) error {
	if err := b.restart(); err != nil {
		return err
	}
	if s, err := open(w); err != nil { // what comes with the first one is not a session's
		return err
	} else if err := s.quit(); err != nil {
		return err
	}
	before, err := b.resident()
	if err != nil {
		return err
	}
	open1 := func() (session, error) { return open(w) }
	all, err := openAll(sessions, open1)
	if err == nil {
		time.Sleep(settle)
		var after float64
		if after, err = b.resident(); err == nil {
			fmt.Printf("%-40s %10s %28s: %.1f kB a session (%d sessions, %.0f MB before, %.0f MB with them)\n", name, "-", w.name,
				(after-before)/float64(sessions)/1024, sessions, before/(1<<20), after/(1<<20))
		}
	}
	return errors.Join(err, quitAll(all))
}

// quitAll ends sessions, also those that were parked: they still work.
func quitAll(all []session) (err error) {
	for _, s := range all {
		if e := s.quit(); e != nil && err == nil {
			err = e
		}
	}
	return err
}

// idler is a session in IDLE.
type idler struct{ *imapClient }

// idle opens a session that has fetched a message and idles.
func (b *bench) idle(w way) (idler, error) {
	c, err := b.opensIMAP(w, w.user)()
	if err != nil {
		return idler{c}, err
	}
	if _, err := c.command("UID FETCH 1 (BODY.PEEK[])"); err != nil {
		return idler{c}, err
	}
	if _, err := io.WriteString(c.conn, "i IDLE\r\n"); err != nil {
		return idler{c}, err
	}
	_, err = c.r.ReadSlice('\n')
	c.r.Reset(c.conn)
	return idler{c}, err
}

// quit ends the IDLE, and the session.
func (c idler) quit() error {
	if _, err := io.WriteString(c.conn, "DONE\r\n"); err != nil {
		return err
	}
	for {
		line, err := c.r.ReadSlice('\n')
		switch {
		case err != nil:
			return err
		case strings.HasPrefix(string(line), "i OK"):
			return c.imapClient.quit()
		case line[0] != '*':
			return fmt.Errorf("DONE: %s", line)
		}
	}
}

// resident is the guard's resident memory, in bytes.
func (b *bench) resident() (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", b.guard.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		var kb float64
		if _, err := fmt.Sscanf(line, "VmRSS: %f kB", &kb); err == nil {
			return kb * 1024, nil
		}
	}
	return 0, fmt.Errorf("no VmRSS in /proc/%d/status", b.guard.Process.Pid)
}

// tick is the unit of /proc/pid/stat (man 5 proc): USER_HZ, which is 100 on
// every architecture that Go runs on.
const tick = 10 * time.Millisecond

// processorTime is what the guard has used of the processors.
func (b *bench) processorTime() (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", b.guard.Process.Pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	var user, system int64
	if len(fields) < 13 {
		return 0, errors.New("/proc/pid/stat is too short")
	}
	if _, err := fmt.Sscan(fields[11]+" "+fields[12], &user, &system); err != nil {
		return 0, err
	}
	return time.Duration(user+system) * tick, nil
}
