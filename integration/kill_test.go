package integration

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // to hold the ledger's lock from outside

	"mailguard/demo/upstream"
)

// The promise under kill -9: what a client was told is deleted is hidden after
// the restart; what it has not asked to commit is not; and nothing that was
// not committed is gone upstream.

// killable is a guard in front of an upstream whose answers can be held back.
type killable struct {
	*guard

	server *upstream.Server
	hold   chan string // the command at which the upstream stands still; "" or a verb
	held   chan struct{}
}

func newKillable(t *testing.T) *killable {
	t.Helper()
	k := &killable{server: upstream.New(), hold: make(chan string, 1), held: make(chan struct{}, 1)}
	k.hold <- ""
	release := make(chan struct{})
	k.server.Hook = func(_, command string) upstream.Action {
		at := <-k.hold
		k.hold <- at
		if at != "" && strings.HasPrefix(command, at) {
			select {
			case k.held <- struct{}{}:
			default:
			}
			<-release
			return upstream.Action{CloseBefore: true}
		}
		return upstream.Action{}
	}
	k.server.AddUser(mailbox, password)
	k.guard = newGuard(t, serveUpstream(t, k.server), options{policy: `policy:
  rules:
    - {name: small-may-go, when: message.size < 100, then: allow}
`})
	t.Cleanup(func() { close(release) }) // the first to run: the server waits for its sessions
	return k
}

func (k *killable) stall(verb string) {
	<-k.hold
	k.hold <- verb
}

// quitAsync sends QUIT and reports whether it was confirmed.
func quitAsync(s *session) chan bool {
	confirmed := make(chan bool, 1)
	go func() {
		_, err := s.command("QUIT")
		confirmed <- err == nil
	}()
	return confirmed
}

// deleteSome opens alice's session and deletes the first n messages.
func (k *killable) deleteSome(n int) (*session, []string) {
	k.t.Helper()
	s := k.must(mailbox + "#alice")
	ids, err := s.uniqueIDs()
	if err != nil || len(ids) < n {
		k.t.Fatalf("UIDL has %d messages, %v; want %d", len(ids), err, n)
	}
	for i := range n {
		if _, err := s.command(fmt.Sprintf("DELE %d", i+1)); err != nil {
			k.t.Fatal(err)
		}
	}
	return s, ids[:n]
}

// visible is what alice sees now.
func (k *killable) visible() []string {
	k.t.Helper()
	s := k.must(mailbox + "#alice")
	defer s.conn.Close()
	ids, err := s.uniqueIDs()
	if err != nil {
		k.t.Fatal(err)
	}
	return ids
}

// lockLedger keeps the server from committing.
func (k *killable) lockLedger() (unlock func()) {
	k.t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(k.dir, "ledger.db")+"?_txlock=immediate&_pragma=busy_timeout(5000)")
	if err != nil {
		k.t.Fatal(err)
	}
	tx, err := db.Begin()
	if err != nil {
		k.t.Fatal(err)
	}
	return func() {
		_ = tx.Rollback()
		_ = db.Close()
	}
}

func TestKillAtEachStepOfQuit(t *testing.T) {
	const deletions = 3
	for _, step := range []struct {
		what   string
		stall  string                                 // the upstream stands still at this command
		kill   func(k *killable, confirmed chan bool) // waits for the step, then kills
		quits  bool                                   // QUIT is sent
		hidden bool                                   // what was deleted must be hidden afterwards
	}{
		{"before QUIT", "", func(k *killable, _ chan bool) { k.kill() }, false, false},
		{"after the commit, at the upstream's DELE", "DELE", func(k *killable, _ chan bool) { <-k.held; k.kill() }, true, true},
		{"after the commit, at the upstream's QUIT", "QUIT", func(k *killable, _ chan bool) { <-k.held; k.kill() }, true, true},
		{"after the answer", "", func(k *killable, confirmed chan bool) {
			if !<-confirmed {
				k.t.Error("QUIT was not confirmed")
			}
			k.kill()
		}, true, true},
	} {
		t.Run(step.what, func(t *testing.T) {
			k := newKillable(t)
			k.server.Deliver(mailbox, []byte("Subject: small\n\nx\n")) // allowed: it is removed upstream
			k.server.Deliver(mailbox, mail("one"))
			k.server.Deliver(mailbox, mail("two"))
			k.server.Deliver(mailbox, mail("kept"))
			k.start()
			s, deleted := k.deleteSome(deletions)
			k.stall(step.stall)
			var confirmed chan bool
			if step.quits {
				confirmed = quitAsync(s)
			}
			step.kill(k, confirmed)
			k.stall("")
			if n := len(k.server.UniqueIDs(mailbox)); n < 3 {
				t.Errorf("the upstream has %d messages left", n)
			}
			k.start()
			left := k.visible()
			for _, id := range deleted {
				if slices.Contains(left, id) == step.hidden {
					t.Errorf("message %s is visible: %t; want hidden: %t", id, !step.hidden, step.hidden)
				}
			}
			if !slices.Contains(left, k.server.UniqueIDs(mailbox)[len(k.server.UniqueIDs(mailbox))-1]) {
				t.Error("a message that nobody deleted is hidden")
			}
		})
	}
}

// While somebody else holds the ledger's lock nothing can be committed: a kill
// at that moment leaves everything as it was.
func TestKillBeforeTheCommit(t *testing.T) {
	k := newKillable(t)
	k.server.Deliver(mailbox, mail("one"))
	k.start()
	s, deleted := k.deleteSome(1)
	unlock := k.lockLedger()
	confirmed := quitAsync(s)
	time.Sleep(200 * time.Millisecond) // nothing tells from outside that the commit waits
	k.kill()
	unlock()
	if <-confirmed {
		t.Error("QUIT was confirmed without a commit")
	}
	k.start()
	if left := k.visible(); !slices.Equal(left, deleted) {
		t.Errorf("alice sees %v, want %v", left, deleted)
	}
}

// TestKillAtRandom kills at random moments around QUIT, restarts, and compares.
func TestKillAtRandom(t *testing.T) {
	kills := 20
	if os.Getenv("MAILGUARD_LONG") != "" {
		kills = 200
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	k := newKillable(t)
	for i := range 10 {
		k.server.Deliver(mailbox, mail(fmt.Sprintf("message %d", i)))
	}
	told := make(map[string]bool) // what alice was told is deleted
	k.start()
	confirmedCount := 0
	for i := range kills {
		k.server.Deliver(mailbox, mail(fmt.Sprintf("more %d", i)))
		k.server.Deliver(mailbox, mail(fmt.Sprintf("and more %d", i)))
		s, deleted := k.deleteSome(1 + random.IntN(2))
		confirmed := quitAsync(s)
		time.Sleep(time.Duration(random.IntN(25_000)) * time.Microsecond)
		k.kill()
		if <-confirmed {
			confirmedCount++
			for _, id := range deleted {
				told[id] = true
			}
		}
		k.start()
		k.compare(told, deleted)
	}
	t.Logf("%d of %d QUITs were confirmed before the kill", confirmedCount, kills)
	if n, want := len(k.server.UniqueIDs(mailbox)), 10+2*kills; n != want {
		t.Errorf("the upstream has %d of %d messages: bob and carol never came", n, want)
	}
}

// compare: told ⊆ hidden ⊆ told and what was in flight.
func (k *killable) compare(told map[string]bool, inFlight []string) {
	k.t.Helper()
	left := k.visible()
	all := k.server.UniqueIDs(mailbox)
	for _, id := range all {
		visible := slices.Contains(left, id)
		switch {
		case visible && told[id]:
			k.t.Errorf("%s was told to be deleted and is back", id)
		case !visible && !told[id] && !slices.Contains(inFlight, id):
			k.t.Errorf("%s is hidden and nobody deleted it", id)
		case !visible:
			told[id] = true // committed without an answer: it has to stay hidden as well
		}
	}
}
