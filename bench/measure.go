package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// rates are what is measured.
func (b *bench) rates() []rate {
	const mega = 1 << 20
	return []rate{
		{"RETR 50 kB, 1 connection", "MB/s", func(w way) (float64, error) {
			n, err := b.retrieve(w, 1, 5)
			return float64(n) / mega, err
		}},
		{"RETR 50 kB, 8 connections", "MB/s", func(w way) (float64, error) {
			n, err := b.retrieve(w, 8, 3)
			return float64(n) / mega, err
		}},
		{"RETR 10 MB, 1 connection", "MB/s", func(w way) (float64, error) {
			n, err := b.retrieveLarge(w, 20)
			return float64(n) / mega, err
		}},
		{"logins, 1 at once", "/s", func(w way) (float64, error) { return b.logins(w, 1, 300) }},
		{"logins, 32 at once", "/s", func(w way) (float64, error) { return b.logins(w, 32, 40) }},
	}
}

// client is a POP3 client that does nothing but count.
type client struct {
	conn *tls.Conn
	r    *bufio.Reader
}

func (b *bench) connect(w way) (*client, error) {
	conn, err := tls.Dial("tcp", w.address, &tls.Config{RootCAs: b.roots, ServerName: "localhost", MinVersion: tls.VersionTLS13})
	if err != nil {
		return nil, err
	}
	c := &client{conn: conn, r: bufio.NewReaderSize(conn, 64<<10)}
	if _, err := c.line(); err != nil {
		return nil, err
	}
	for _, command := range []string{"USER " + w.user, "PASS " + password} {
		if err := c.command(command); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c *client) line() ([]byte, error) { return c.r.ReadSlice('\n') }

func (c *client) command(line string) error {
	if _, err := io.WriteString(c.conn, line+"\r\n"); err != nil {
		return err
	}
	reply, err := c.line()
	if err == nil && !bytes.HasPrefix(reply, []byte("+OK")) {
		err = fmt.Errorf("%s: %s", line, bytes.TrimSpace(reply))
	}
	return err
}

// retr fetches a message and returns its octets.
func (c *client) retr(n int) (size int, err error) {
	if err := c.command(fmt.Sprintf("RETR %d", n)); err != nil {
		return 0, err
	}
	for {
		line, err := c.line()
		if err != nil {
			return size, err
		}
		size += len(line)
		if string(line) == ".\r\n" {
			return size, nil
		}
	}
}

// quit ends the session.
func (c *client) quit() error {
	defer c.conn.Close()
	return c.command("QUIT")
}

// parallel runs f so many times at once and adds up what it returns.
func parallel(n int, f func() (int, error)) (sum int, err error) {
	var mu sync.Mutex
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			got, e := f()
			mu.Lock()
			defer mu.Unlock()
			sum += got
			if e != nil {
				err = e
			}
		})
	}
	all.Wait()
	return sum, err
}

func (b *bench) retrieve(w way, connections, times int) (int, error) {
	return parallel(connections, func() (total int, err error) {
		c, err := b.connect(w)
		if err != nil {
			return 0, err
		}
		for range times {
			for n := 1; n <= smallCount; n++ {
				size, err := c.retr(n)
				if err != nil {
					return total, err
				}
				total += size
			}
		}
		return total, c.quit()
	})
}

func (b *bench) retrieveLarge(w way, times int) (total int, err error) {
	c, err := b.connect(w)
	if err != nil {
		return 0, err
	}
	for range times {
		size, err := c.retr(smallCount + 1)
		if err != nil {
			return total, err
		}
		total += size
	}
	return total, c.quit()
}

func (b *bench) logins(w way, atOnce, each int) (float64, error) {
	n, err := parallel(atOnce, func() (int, error) {
		for i := range each {
			c, err := b.connect(w)
			if err != nil {
				return i, err
			}
			if err := c.quit(); err != nil {
				return i, err
			}
		}
		return each, nil
	})
	return float64(n), err
}

// measureMemory says what an idle session costs the guard: a fresh process
// would be purer, this is what one sees after work.
func (b *bench) measureMemory(sessions int) error {
	for _, w := range b.ways[1:] {
		before, err := b.resident()
		if err != nil {
			return err
		}
		var open []*client
		for range sessions {
			c, err := b.connect(w)
			if err != nil {
				return err
			}
			open = append(open, c)
		}
		time.Sleep(3 * time.Second)
		after, err := b.resident()
		if err != nil {
			return err
		}
		fmt.Printf("%-34s %12s %18s: %.1f kB a session (%d sessions, %.0f MB before, %.0f MB with them)\n", "memory, idle", "-", w.name,
			(after-before)/float64(sessions)/1024, sessions, before/(1<<20), after/(1<<20))
		for _, c := range open {
			c.conn.Close()
		}
		time.Sleep(time.Second)
	}
	return nil
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
