package guard

import (
	"slices"
	"sync"
	"testing"

	"mailguard/member"
	"mailguard/policy"
)

func TestCommitNamesWhatMayBeRemoved(t *testing.T) {
	for _, c := range []struct {
		name   string
		then   policy.Verdict
		pinned bool // the second message, after it was decided about
		want   []int
	}{
		{"allowed", policy.Allow, false, []int{0, 1}},
		{"pinned in between", policy.Allow, true, []int{0}},
		{"deferred", policy.Defer, false, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t, always(c.then, ""))
			m := s.enter("alice", Protect)
			deletions := s.rulings(m, 0, 1)
			if c.pinned {
				s.sql(s.path, "UPDATE messages SET pinned = 1 WHERE unique_id = 'u2' RETURNING id")
			}
			remove, err := m.Commit(t.Context(), deletions, nil)
			if slices.Sort(remove); err != nil || !slices.Equal(remove, c.want) {
				t.Errorf("remove %v, %v; want %v", remove, err, c.want)
			}
			if hidden := s.enter("alice", Protect).Hidden(); !hidden[0] || !hidden[1] {
				t.Errorf("hidden %v", hidden)
			}
		})
	}
}

// Sessions that end at the same time: each message is removed by one of them.
func TestOneSessionRemoves(t *testing.T) {
	s := newScene(t, always(policy.Allow, ""))
	members := []member.Name{"alice", "bob", "carol", ""}
	removed := make([][]int, len(members))
	var wg sync.WaitGroup
	for i, who := range members {
		m := s.enter(who, Protect)
		deletions := s.rulings(m, 0, 1)
		wg.Go(func() {
			var err error
			if removed[i], err = m.Commit(t.Context(), deletions, nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	all := slices.Concat(removed...)
	if slices.Sort(all); !slices.Equal(all, []int{0, 1}) {
		t.Errorf("removed %v", removed)
	}
}

// A session's fetches are put on record once, and with its own deletions.
func TestCommitRecordsFetches(t *testing.T) {
	s := newScene(t, always(policy.Refuse, ""))
	m := s.enter("alice", Protect)
	m.Fetched(0, s.clock.Now(), nil)
	_ = s.rulings(m, 0)
	for range 2 { // the second has nothing left to say
		if err := m.Save(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.sql(s.path, traces); n != 2 {
		t.Errorf("%d things on record, want a fetch and a decision", n)
	}
	later := s.enter("alice", Protect)
	if _, err := later.Commit(t.Context(), nil, []int{0, 1}); err != nil {
		t.Fatal(err)
	}
	if n := s.sql(s.path, "SELECT count(*) FROM fetches WHERE left_alone_at IS NOT NULL"); n != 1 {
		t.Errorf("%d messages left alone, want the one that was fetched", n)
	}
}
