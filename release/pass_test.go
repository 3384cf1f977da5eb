package release

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"mailguard/ledger"
	"mailguard/member"
	"mailguard/message"
	"mailguard/policy"
)

var key = ledger.FolderKey{Name: "INBOX", UIDValidity: 7}

var errLost = errors.New("the connection is lost")

// folder is a folder in memory, as a remover sees it.
type folder struct {
	mu      sync.Mutex
	there   map[message.UID]*message.Found
	removed []message.UID
	used    int  // percent of the quota
	ignores bool // says that it has removed, and has not
	loses   bool // is lost behind Remove, once
	half    bool // marks, and is lost before it removes, once
	lost    bool
	before  func() // is called once before a removal is claimed: after the first look
}

func newFolder(uids ...message.UID) *folder {
	f := &folder{there: make(map[message.UID]*message.Found), used: -1}
	for _, uid := range uids {
		f.there[uid] = &message.Found{Seen: seen(uid)}
	}
	return f
}

func seen(uid message.UID) message.Seen {
	return message.Seen{UID: uid, Size: 100 + int64(uid), InternalDate: time.Date(2026, 1, 1, 0, 0, int(uid), 0, time.UTC)}
}

func (f *folder) Look(_ context.Context, uids []message.UID, headers bool) ([]message.Found, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lost {
		return nil, errLost
	}
	var found []message.Found
	for _, uid := range uids {
		if m := f.there[uid]; m != nil {
			one := *m
			if !headers {
				one.Fingerprint = nil
			}
			found = append(found, one)
		}
	}
	if f.before != nil {
		f.before()
		f.before = nil
	}
	return found, nil
}

func (f *folder) Remove(_ context.Context, uids []message.UID) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, uid := range uids {
		if m := f.there[uid]; m != nil {
			m.Deleted = true
		}
	}
	if f.half {
		f.half, f.lost = false, true
		return errLost
	}
	if f.ignores {
		return nil
	}
	for _, uid := range uids {
		if f.there[uid] != nil {
			delete(f.there, uid)
			f.removed = append(f.removed, uid)
		}
	}
	if f.loses {
		f.loses, f.lost = false, true
		return errLost
	}
	return nil
}

func (f *folder) Unmark(_ context.Context, uids []message.UID) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, uid := range uids {
		if m := f.there[uid]; m != nil {
			m.Deleted = false
		}
	}
	return nil
}

func (f *folder) Quota(context.Context) (int, error) { return f.used, nil }

// expunges is that a member's deletions over IMAP are deferred.
func (s *scene) expunges(who member.Name, rule string, uids ...message.UID) {
	s.t.Helper()
	s.pass(time.Second)
	v := ledger.Visit{Mailbox: box, Member: who, Protocol: member.IMAP, Configured: s.members, At: s.now()}
	r := ledger.FolderRecord{At: s.now()}
	for _, uid := range uids {
		r.Decisions = append(r.Decisions, ledger.FolderDecision{
			Seen: seen(uid), Verdict: policy.Defer, Rule: rule, Outcome: policy.Deferred, Facts: &policy.Facts{Op: policy.IMAPExpunge},
		})
	}
	if _, err := s.Ledger.RecordFolder(s.t.Context(), v, key, r); err != nil {
		s.t.Fatal(err)
	}
}

func (s *scene) passes(f *folder) (Passed, error) {
	return s.Pass(s.t.Context(), box, key, f)
}

func (s *scene) held(uid message.UID) ledger.Message {
	s.t.Helper()
	found, err := s.Ledger.LookupFolder(s.t.Context(), box, key, []message.UID{uid})
	if err != nil || found[uid] == nil {
		s.t.Fatalf("UID %d: %v, %v", uid, found, err)
	}
	return found[uid].Message
}

func everyoneDone(unless string) policy.Rule {
	return deferring("r", policy.Release{When: "everyone_is_done()", Unless: unless})
}

func TestPassReleasesOnceEveryoneIsDone(t *testing.T) {
	s := newScene(t, everyoneDone(""))
	f := newFolder(5, 6)
	s.expunges("alice", "r", 5, 6)
	if done, err := s.passes(f); err != nil || done.Released != 0 || len(f.there) != 2 {
		t.Errorf("too early: %+v, %v", done, err)
	}
	s.expunges("bob", "r", 5)
	if done, err := s.passes(f); err != nil || done.Released != 1 || !slices.Equal(f.removed, []message.UID{5}) {
		t.Errorf("%+v, %v, removed %v", done, err, f.removed)
	}
	if m := s.held(5); m.GoneHow != "released" {
		t.Errorf("%+v", m)
	}
}

// Whatever is not what was held stays where it is.
func TestPassLeavesOthersAlone(t *testing.T) {
	print, another := message.Fingerprint{1}, message.Fingerprint{2}
	for name, change := range map[string]func(s *scene, f *folder){
		"another size":                 func(_ *scene, f *folder) { f.there[5].Size++ },
		"another date":                 func(_ *scene, f *folder) { f.there[5].InternalDate = f.there[5].InternalDate.Add(time.Second) },
		"another fingerprint":          func(s *scene, f *folder) { s.fetched(5, &print); f.there[5].Fingerprint = &another },
		"no fingerprint":               func(s *scene, _ *folder) { s.fetched(5, &print) },
		"it is pinned":                 func(s *scene, _ *folder) { s.pin(1) },
		"it is pinned behind the look": func(s *scene, f *folder) { f.before = func() { s.pin(1) } },
		"it is starred":                func(_ *scene, f *folder) { f.there[5].Flags = []string{`\Flagged`} },
		"somebody comes behind the look": func(s *scene, f *folder) {
			f.before = func() { s.members = append(s.members, "carol") }
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, everyoneDone(`"\\Flagged" in message.flags`))
			f := newFolder(5)
			s.expunges("alice", "r", 5)
			s.expunges("bob", "r", 5)
			change(s, f)
			for range 2 {
				if done, err := s.passes(f); err != nil || done.Released != 0 {
					t.Errorf("%+v, %v", done, err)
				}
			}
			if len(f.there) != 1 || f.there[5].Deleted || !s.held(5).Claimed.IsZero() {
				t.Errorf("left %v, %+v", f.there, s.held(5))
			}
		})
	}
}

func (s *scene) fetched(uid message.UID, print *message.Fingerprint) {
	s.t.Helper()
	v := ledger.Visit{Mailbox: box, Member: "alice", Protocol: member.IMAP, Configured: s.members, At: s.now()}
	r := ledger.FolderRecord{At: s.now(), Fetches: []ledger.FolderFetch{{UID: uid, At: s.now(), Fingerprint: print}}}
	if _, err := s.Ledger.RecordFolder(s.t.Context(), v, key, r); err != nil {
		s.t.Fatal(err)
	}
}

func TestPassInAnotherLife(t *testing.T) {
	s := newScene(t, everyoneDone(""))
	s.expunges("alice", "r", 5)
	s.expunges("bob", "r", 5)
	f := newFolder(5)
	if done, err := s.Pass(t.Context(), box, ledger.FolderKey{Name: "INBOX", UIDValidity: 8}, f); err != nil || done.Released != 0 || len(f.there) != 1 {
		t.Errorf("%+v, %v", done, err)
	}
}

func TestPassFindsItGone(t *testing.T) {
	s := newScene(t, everyoneDone(""))
	var told []message.UID
	s.Gone = func(_ member.Mailbox, _ ledger.FolderKey, gone []message.UID, _ []ledger.Returned) { told = gone }
	s.expunges("alice", "r", 5)
	s.expunges("bob", "r", 5)
	if done, err := s.passes(newFolder()); err != nil || done.Released != 0 {
		t.Errorf("%+v, %v", done, err)
	}
	if m := s.held(5); m.GoneHow != "bypass" || !slices.Equal(told, []message.UID{5}) {
		t.Errorf("%+v, told %v", m, told)
	}
}

// A server that does nothing keeps the message, without our mark, and is asked
// again after an hour.
func TestPassOfAServerThatDoesNothing(t *testing.T) {
	s := newScene(t, everyoneDone(""))
	s.expunges("alice", "r", 5)
	s.expunges("bob", "r", 5)
	f := newFolder(5)
	f.ignores = true
	if done, err := s.passes(f); err != nil || !done.Stuck || f.there[5].Deleted {
		t.Errorf("%+v, %v, marked %v", done, err, f.there[5].Deleted)
	}
	f.ignores = false
	if done, _ := s.passes(f); done.Released != 0 || !s.held(5).Claimed.IsZero() || s.held(5).HeldSince.IsZero() {
		t.Errorf("at once: %+v, %+v", done, s.held(5))
	}
	s.pass(tryAgain)
	if done, err := s.passes(f); err != nil || done.Released != 1 {
		t.Errorf("after an hour: %+v, %v", done, err)
	}
}

// What was sent and of which nobody knows is settled by a look, once nobody can be
// at it any more; it is not removed again unseen.
func TestPassThatIsLost(t *testing.T) {
	for name, c := range map[string]struct {
		lose func(*folder)
		gone bool
	}{
		"behind the removal": {func(f *folder) { f.loses = true }, true},
		"between the two":    {func(f *folder) { f.half = true }, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, everyoneDone(""))
			s.expunges("alice", "r", 5)
			s.expunges("bob", "r", 5)
			f := newFolder(5)
			c.lose(f)
			if _, err := s.passes(f); !errors.Is(err, errLost) || s.held(5).Claimed.IsZero() {
				t.Errorf("%v, %+v", err, s.held(5))
			}
			f.lost = false
			if done, err := s.passes(f); err != nil || done.Released != 0 {
				t.Errorf("too early: %+v, %v", done, err)
			}
			s.pass(16 * time.Minute)
			done, err := s.passes(f)
			if err != nil || len(f.removed) != 1 {
				t.Errorf("%+v, %v, removed %v", done, err, f.removed)
			}
			if m := s.held(5); m.GoneHow != "released" {
				t.Errorf("%+v", m)
			}
			if c.gone == (done.Released == 1) {
				t.Errorf("the last pass released %d", done.Released)
			}
		})
	}
}

// Where a rule rests on how full the mailbox is, that is asked again after ten.
func TestPassBySmallSteps(t *testing.T) {
	s := newScene(t, deferring("r", policy.Release{When: "mailbox.quota_used > 90 && everyone_is_done()"}))
	inner := s.Mailbox
	s.Mailbox = func(m member.Mailbox, e policy.Everyone) policy.MailboxFacts {
		f := inner(m, e)
		if e.QuotaUsed != nil {
			f.QuotaUsed = *e.QuotaUsed
		}
		return f
	}
	var all []message.UID
	for uid := range message.UID(30) {
		all = append(all, uid+1)
	}
	f := newFolder(all...)
	s.expunges("alice", "r", all...)
	s.expunges("bob", "r", all...)
	for _, step := range []struct{ used, released int }{{-1, 0}, {90, 0}, {95, 10}, {91, 20}, {89, 20}} {
		s.pass(time.Hour)
		f.used = step.used
		if _, err := s.passes(f); err != nil || len(f.removed) != step.released {
			t.Errorf("at %d percent: %v, %d removed, want %d", step.used, err, len(f.removed), step.released)
		}
	}
	if first := f.removed[:10]; !slices.Equal(first, all[:10]) {
		t.Errorf("not the oldest: %v", first)
	}
}

// Several at once remove each message once.
func TestPassesAtOnce(t *testing.T) {
	s := newScene(t, everyoneDone(""))
	var all []message.UID
	for uid := range message.UID(40) {
		all = append(all, uid+1)
	}
	f := newFolder(all...)
	s.expunges("alice", "r", all...)
	s.expunges("bob", "r", all...)
	var at sync.WaitGroup
	released := make([]int, 6)
	for i := range released {
		at.Go(func() {
			done, err := s.passes(f)
			if err != nil {
				t.Error(err)
			}
			released[i] = done.Released
		})
	}
	at.Wait()
	sum := 0
	for _, n := range released {
		sum += n
	}
	if sum != len(all) || len(f.removed) != len(all) {
		t.Errorf("released %v, removed %d", released, len(f.removed))
	}
}

// An erasure does not ask policy.
func TestPassPurges(t *testing.T) {
	s := newScene(t, deferring("r", policy.Release{When: "false"}))
	s.expunges("alice", "r", 5, 6)
	f := newFolder(5, 6)
	if _, err := s.Ledger.Purge(t.Context(), []message.ID{s.held(5).ID}, "a request"); err != nil {
		t.Fatal(err)
	}
	if done, err := s.passes(f); err != nil || done.Released != 1 || !slices.Equal(f.removed, []message.UID{5}) {
		t.Errorf("%+v, %v, removed %v", done, err, f.removed)
	}
}

func TestInPassing(t *testing.T) {
	s := newScene(t, everyoneDone(""))
	f := newFolder(5)
	f.ignores = true
	s.expunges("alice", "r", 5)
	s.expunges("bob", "r", 5)
	in := func(news bool) Passed {
		t.Helper()
		done, err := s.InPassing(t.Context(), box, key, f, news)
		if err != nil {
			t.Fatal(err)
		}
		return done
	}
	if done := in(false); !done.Stuck {
		t.Errorf("%+v", done)
	}
	f.ignores = false
	s.expunges("alice", "r", 6)
	s.expunges("bob", "r", 6)
	f.there[6] = &message.Found{Seen: seen(6)}
	if done := in(false); done.Released != 0 {
		t.Errorf("just after it could not be done: %+v", done)
	}
	if done := in(true); done.Released != 1 {
		t.Errorf("with news: %+v", done)
	}
}
