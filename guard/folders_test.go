package guard

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"mailguard/message"
	"mailguard/policy"
)

func TestMarksReachTheMembersOtherSessions(t *testing.T) {
	s := newScene(t, always(policy.Refuse, ""))
	var told, toldElsewhere atomic.Int32
	elsewhere := func() { toldElsewhere.Add(1) }
	f, twin := s.inbox("alice"), s.folder("alice", Protect, inbox, func() { told.Add(1) })
	others := []*Folder{
		s.folder("bob", Protect, inbox, elsewhere),
		s.folder("alice", Protect, OpenedFolder{Name: "Trash", UIDValidity: 7}, elsewhere),
		s.folder("alice", Protect, OpenedFolder{Name: "INBOX", UIDValidity: 8}, elsewhere),
		s.folder("alice", Watch, inbox, elsewhere),
	}
	closed := s.folder("alice", Protect, inbox, elsewhere)
	closed.Close()

	s.mark(f, uidsFrom(3, 1), nil)
	s.wantChanges("its own", f, nil, nil)
	s.wantChanges("another session's", twin, uidsFrom(1, 3), nil)
	s.wantChanges("told once", twin, nil, nil)
	s.mark(f, uidsFrom(2), uidsFrom(1))
	s.mark(twin, uidsFrom(9), uidsFrom(3))
	s.wantChanges("both at a time", twin, uidsFrom(2), uidsFrom(1))
	s.wantChanges("the twin's", f, uidsFrom(9), uidsFrom(3))
	if n := told.Load(); n != 2 {
		t.Errorf("told %d times, want 2", n)
	}
	s.mark(f, uidsFrom(9), uidsFrom(77))
	if n := told.Load(); n != 2 {
		t.Error("told of what was so before")
	}
	s.mark(f, uidsFrom(5), nil)
	s.mark(f, nil, uidsFrom(5))
	s.wantChanges("there and back", twin, nil, nil)
	s.commit(f, s.decide(f, expunge, looked(uidsFrom(9))...))
	s.wantChanges("refused in another session", twin, nil, uidsFrom(9))
	s.mark(f, uidsFrom(6), nil)
	s.settle(f, uidsFrom(2, 6), nil)
	s.wantChanges("what is gone is not spoken of", twin, nil, nil)
	for i, other := range others {
		s.wantChanges("elsewhere", other, nil, nil)
		if i < 3 {
			other.Close()
		}
	}
	if n := toldElsewhere.Load(); n != 0 {
		t.Errorf("%d sessions elsewhere are told", n)
	}
}

// What a client did itself it believes, whatever other sessions had done before
// and it was not told yet.
func TestChangesOnTopOfUntoldOnes(t *testing.T) {
	for _, c := range []struct {
		name            string
		before          []message.UID // marked, and known to both
		twin, own, then [2][]message.UID
		on, off         []message.UID
	}{
		{"marked by both, unmarked by the other", nil, [2][]message.UID{{1}}, [2][]message.UID{{1}}, [2][]message.UID{nil, {1}}, nil, uidsFrom(1)},
		{"unmarked by both, marked by the other", uidsFrom(1), [2][]message.UID{nil, {1}}, [2][]message.UID{nil, {1}}, [2][]message.UID{{1}}, uidsFrom(1), nil},
		{"marked by both", nil, [2][]message.UID{{1}}, [2][]message.UID{{1}}, [2][]message.UID{}, nil, nil},
		{"unmarked against the other", nil, [2][]message.UID{{1}}, [2][]message.UID{nil, {1}}, [2][]message.UID{}, nil, nil},
		{"marked beside the other's", nil, [2][]message.UID{{1}}, [2][]message.UID{{2}}, [2][]message.UID{}, uidsFrom(1), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t)
			s.mark(s.inbox("alice"), c.before, nil)
			f, twin := s.inbox("alice"), s.inbox("alice")
			s.mark(twin, c.twin[0], c.twin[1])
			s.mark(f, c.own[0], c.own[1])
			s.mark(twin, c.then[0], c.then[1])
			s.wantChanges("in the end", f, c.on, c.off)
		})
	}
}

// Marks of a folder that was made anew end; whoever still has the old one open
// is told once the ledger is read again.
func TestMarksOfAFolderMadeAnew(t *testing.T) {
	s := newScene(t)
	var told atomic.Int32
	f := s.folder("alice", Protect, inbox, func() { told.Add(1) })
	s.mark(f, uidsFrom(1), nil)
	s.mark(s.folder("alice", Protect, OpenedFolder{Name: "INBOX", UIDValidity: 8}, nil), uidsFrom(2), nil)
	if again := s.inbox("alice"); len(again.Marks()) != 0 || told.Load() != 1 {
		t.Errorf("marks %v, told %d times", again.Marks(), told.Load())
	}
	s.wantChanges("made anew", f, nil, uidsFrom(1))
}

// Nothing is kept of a folder that nobody has open.
func TestClosedFoldersAreForgotten(t *testing.T) {
	s := newScene(t)
	f, twin, other := s.inbox("alice"), s.inbox("alice"), s.inbox("bob")
	s.mark(f, uidsFrom(1), nil)
	for _, open := range []*Folder{f, twin, other, f} {
		open.Close()
	}
	if n := len(s.folders.open); n != 0 {
		t.Errorf("%d folders are kept", n)
	}
	if err := f.Mark(t.Context(), uidsFrom(2), nil); !errors.Is(err, ErrTemporary) {
		t.Errorf("Mark in a closed folder: %v", err)
	}
	if remove, err := f.Commit(t.Context(), []FolderRuling{{Outcome: policy.Allowed}}); !errors.Is(err, ErrTemporary) || remove != nil {
		t.Errorf("Commit in a closed folder: %v, %v", remove, err)
	}
	if s.inbox("alice").Marks() == nil {
		t.Error("the marks are forgotten too")
	}
}

func TestOpenFolderAfterTheEnd(t *testing.T) {
	s := newScene(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if f, err := s.OpenFolder(ctx, imapVisitor(box, "alice"), Protect, inbox, nil); f != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("%v, %v", f, err)
	}
	if n := len(s.folders.open); n != 0 {
		t.Errorf("%d folders are kept", n)
	}
}

// client is a session that shows its client what changes, as a proxy would: one
// goroutine owns it, and others wake it.
type client struct {
	*Folder

	wake  chan struct{}
	shown map[message.UID]bool
}

func (c *client) changed() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *client) look() {
	marked, unmarked := c.Changes()
	for _, uid := range marked {
		c.shown[uid] = true
	}
	for _, uid := range unmarked {
		delete(c.shown, uid)
	}
}

// Sessions of a member mark and take away at the same time. In the end all of
// their clients see the same, and it is what the ledger has.
func TestSessionsOfAMemberMeet(t *testing.T) {
	s := newScene(t, always(policy.Refuse, ""))
	clients := make([]*client, 4)
	for i := range clients {
		c := &client{wake: make(chan struct{}, 1), shown: make(map[message.UID]bool)}
		c.Folder = s.folder("alice", Protect, inbox, c.changed)
		clients[i] = c
	}
	stop := make(chan struct{})
	var working, watching sync.WaitGroup
	for i, c := range clients {
		done := make(chan struct{})
		watching.Go(func() { // after its work a session only listens
			<-done
			for {
				select {
				case <-c.wake:
					c.look()
				case <-stop:
					c.look()
					return
				}
			}
		})
		working.Go(func() {
			defer close(done)
			random := rand.New(rand.NewPCG(uint64(i), 1))
			for range 40 {
				add, remove := uidsFrom(message.UID(random.IntN(5)+1)), uidsFrom(message.UID(random.IntN(5)+1))
				if add[0] == remove[0] {
					remove = nil
				}
				if err := c.Mark(t.Context(), add, remove); err != nil {
					t.Error(err)
				}
				c.shown[add[0]] = true
				for _, uid := range remove {
					delete(c.shown, uid)
				}
				if random.IntN(3) == 0 {
					c.look()
				}
				if random.IntN(10) == 0 {
					if err := c.Settle(t.Context(), uidsFrom(message.UID(100+random.IntN(5))), nil); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	working.Wait()
	close(stop)
	watching.Wait()
	want := s.inbox("alice").Marks()
	for i, c := range clients {
		var got []message.UID
		for uid := range c.shown {
			got = append(got, uid)
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("client %d sees marks on %v, the ledger has %v", i, got, want)
		}
	}
}

// While one session's marks are being written no other session of the member
// writes: what is in memory would follow another order than the ledger. Who
// waits for its turn can give up.
func TestMarksAreWrittenInTurn(t *testing.T) {
	s := newScene(t)
	f, twin := s.inbox("alice"), s.inbox("alice")
	writing, release, first := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		first <- s.folders.change(context.Background(), f, uidsFrom(1), nil, func() error {
			close(writing)
			<-release
			return nil
		})
	}()
	<-writing
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := s.folders.change(ctx, twin, uidsFrom(2), nil, func() error {
		t.Error("two sessions write at a time")
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	close(release)
	if err := <-first; err != nil || !slices.Equal(twin.Marks(), uidsFrom(1)) {
		t.Errorf("%v, marks %v", err, twin.Marks())
	}
}
