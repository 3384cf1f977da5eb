package imap

import (
	"slices"
	"strconv"
	"sync"
	"time"
)

// flight are the commands that were sent upstream and are not answered yet.
type flight struct {
	mu    sync.Mutex
	last  uint64 // the number of the last tag
	calls []*call
	empty chan struct{} // closed when nothing is in flight any more; nil: nobody waits
	dead  chan struct{} // closed when the upstream is lost
}

// call is one command in flight.
type call struct {
	number uint64
	tag    string // the client's; "" for a command of the guard's own
	name   string
	quiet  bool // it may last: an IDLE

	forClient bool // it does the client's work, and may take as long as a command of the client's

	asksUID  bool   // the client asked for UIDs: they stay in the responses
	addedUID bool   // only the guard asked for UIDs
	part     uint64 // how many octets of a message the client asks for; 0: no part

	// collect is called by the pump, with the output held, for each untagged
	// response while the guard's own command is in flight. It returns whether
	// the response was meant for the guard and is kept from the client. It must
	// not keep the line.
	collect func(r *response) (mine bool)

	// after is called by the pump, with the output held, when the client's
	// command has been answered, before the answer is written.
	after func(result)

	continued chan struct{} // gets a value for each "+"; nil: the command has no literals
	ended     chan struct{} // closed when the command has been answered; nil as above
	done      chan result   // gets the answer; nil where nobody waits for it

	sent time.Time
}

// result is how a command ended.
type result struct {
	word string // OK, NO or BAD; "" if the upstream was lost
	code string // response code, upper case, "" if there is none
	arg  string // what stands in the code behind its name
	text string // the line behind the tag, without its line end
}

func (r result) ok() bool { return r.word == "OK" }

// tagPrefix begins the tags that the upstream sees.
const tagPrefix = 'g'

// tag gives a command its tag for the upstream.
func (f *flight) tag(c *call) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last++
	c.number = f.last
	return string(tagPrefix) + strconv.FormatUint(c.number, 10)
}

// add puts a command on the list, before its first byte is sent. False says
// that the upstream is lost: nobody would answer it.
func (f *flight) add(c *call, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.isDead() {
		return false
	}
	c.sent = now
	f.calls = append(f.calls, c)
	return true
}

// end takes the command with this tag off the list.
func (f *flight) end(tag []byte) *call {
	if len(tag) < 2 || tag[0] != tagPrefix {
		return nil
	}
	number, err := strconv.ParseUint(string(tag[1:]), 10, 64)
	if err != nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, c := range f.calls {
		if c.number == number {
			f.calls = slices.Delete(f.calls, i, i+1) // nothing of it stays: a look holds what it has found
			c.end()
			f.noteEmpty()
			return c
		}
	}
	return nil
}

// withdraw takes a command off the list that could not be sent to its end: the
// session's goroutine answers it. False: it has been answered already, or the
// pump does it, since the upstream is lost.
func (f *flight) withdraw(c *call) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := slices.Index(f.calls, c)
	if i < 0 {
		return false
	}
	f.calls = slices.Delete(f.calls, i, i+1)
	c.end()
	f.noteEmpty()
	return true
}

func (c *call) end() {
	if c.ended != nil {
		close(c.ended)
	}
}

func (f *flight) noteEmpty() {
	if f.empty != nil && len(f.calls) == 0 {
		close(f.empty)
		f.empty = nil
	}
}

// drained returns a channel that is closed once nothing is in flight.
func (f *flight) drained() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.empty == nil {
		f.empty = make(chan struct{})
	}
	empty := f.empty
	f.noteEmpty()
	return empty
}

// newest is the command that was sent last, which is the one that a
// continuation is for; nil if nothing is in flight.
func (f *flight) newest() *call {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.calls) == 0 {
		return nil
	}
	return f.calls[len(f.calls)-1]
}

// own is the guard's own command in flight, nil if there is none. It is alone
// then: everything else was drained before it.
func (f *flight) own() *call {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.calls) == 1 && f.calls[0].tag == "" {
		return f.calls[0]
	}
	return nil
}

// stripUID reports whether UIDs were asked for by nobody but the guard.
func (f *flight) stripUID() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	added := false
	for _, c := range f.calls {
		if c.asksUID {
			return false
		}
		added = added || c.addedUID
	}
	return added
}

// partial is how many octets the commands in flight ask for of a message, if
// they agree; 0: they do not, or ask for no part.
func (f *flight) partial() (part uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.calls {
		if part != 0 && c.part != part {
			return 0
		}
		part = c.part
	}
	return part
}

// count is how many commands are in flight; quiet says that they may all last.
func (f *flight) count() (n int, quiet bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	quiet = true
	for _, c := range f.calls {
		quiet = quiet && c.quiet
	}
	return len(f.calls), quiet
}

// lose ends everything that is in flight, since the upstream is lost. It
// returns what was.
func (f *flight) lose() []*call {
	f.mu.Lock()
	defer f.mu.Unlock()
	lost := f.calls
	f.calls = nil
	for _, c := range lost {
		c.end()
	}
	f.noteEmpty()
	select {
	case <-f.dead:
	default:
		close(f.dead)
	}
	return lost
}

// touch says that a command is still being sent.
func (f *flight) touch(c *call, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c.sent = now
}

// isEnded reports whether a command with literals has been answered.
func (c *call) isEnded() bool {
	select {
	case <-c.ended:
		return true
	default:
		return false
	}
}

// isDead reports whether the upstream is lost.
func (f *flight) isDead() bool {
	select {
	case <-f.dead:
		return true
	default:
		return false
	}
}

// lasts says of a command in flight that the upstream has taken it, and need not
// answer soon.
func (f *flight) lasts(c *call) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c.quiet = true
}

// overdue reports whether a command that should not last has been in flight
// since before a time.
func (f *flight) overdue(since time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.calls {
		if !c.quiet && c.sent.Before(since) {
			return true
		}
	}
	return false
}

// clientTag is the client's tag of a command in flight.
func (f *flight) clientTag(upstream []byte) (string, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.calls {
		if c.tag != "" && string(upstream) == string(tagPrefix)+strconv.FormatUint(c.number, 10) {
			return c.tag, true
		}
	}
	return "", false
}
