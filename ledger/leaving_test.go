package ledger

import (
	"slices"
	"testing"
	"time"

	"mailguard/member"
)

// Whoever has used the mailbox counts, also without being configured. One who
// was taken out of the configuration and does not come any more stops to count
// after seven days; otherwise nothing could ever be released again.
func TestTakenOutMembersStopToCount(t *testing.T) {
	f := newFixture(t)
	enter := func(who member.Name, configured ...member.Name) {
		v := f.visit(who)
		v.Configured = configured
		f.open(v)
	}
	used := func() []member.Name {
		t.Helper()
		e, err := f.Everyone(t.Context(), box)
		if err != nil {
			t.Fatal(err)
		}
		var names []member.Name
		for _, u := range e.Used {
			names = append(names, u.Member)
		}
		return names
	}
	both := []member.Name{"alice", "bob"}
	enter("bob", both...)
	enter("alice", both...)
	f.clock.pass(time.Minute)
	enter("alice", "alice") // bob is taken out
	if got := used(); !slices.Equal(got, both) {
		t.Errorf("at once: %v use it", got)
	}
	f.clock.pass(stillCounts + time.Minute)
	if got := used(); !slices.Equal(got, []member.Name{"alice"}) {
		t.Errorf("after seven days: %v use it", got)
	}
	enter("bob", "alice")
	if got := used(); !slices.Equal(got, both) {
		t.Errorf("when bob has come again: %v use it", got)
	}
}
