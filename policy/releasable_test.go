package policy

import (
	"errors"
	"strings"
	"testing"
	"time"

	"mailguard/member"
)

const (
	exampleShared = "shared-mail-stays-until-everyone-is-done"
	staleWhy      = "waits until the message's flags can be read afresh, over IMAP or by the service account"
)

// held is a message that alice deleted three days ago.
func held(f *Facts) HeldFacts {
	f.Message.Held = true
	return HeldFacts{Facts: f, FirstDeleted: daysAgo(3), FlagsFresh: true}
}

func heldWith(h HeldFacts, changes ...func(*HeldFacts)) HeldFacts {
	for _, change := range changes {
		change(&h)
	}
	return h
}

func flagged(h *HeldFacts) { h.Facts.Message.Flags = []string{`\Seen`, `\Flagged`} }

func stale(h *HeldFacts) { h.FlagsFresh = false }

func pinned(h *HeldFacts) { h.Facts.Message.Pinned = true }

func firstDeleted(days int) func(*HeldFacts) {
	return func(h *HeldFacts) { h.FirstDeleted = daysAgo(days) }
}

func unlessSeen(ago time.Duration) func(*HeldFacts) {
	return func(h *HeldFacts) { h.UnlessSeen = today.Add(-ago) }
}

func TestReleasable(t *testing.T) {
	const latest = "; at the latest until 2026-06-26 12:00 UTC, 90 days after the first deletion"
	const starred = `it is kept as long as this holds: "\\Flagged" in message.flags`
	all := func() HeldFacts { return held(done(pop3Facts())) }
	one := func() HeldFacts { return held(pop3Facts()) }
	tests := []struct {
		name string
		rule string
		held HeldFacts
		want Releasability
	}{
		{"built-in: all done", BuiltinShared, all(), Releasability{Due: true, Why: allDone}},
		{"built-in: not all done", BuiltinShared, one(), Releasability{Why: "waits for bob (pop3) and carol (pop3)"}},
		{"built-in: time does not matter", BuiltinShared, heldWith(one(), firstDeleted(5000)), Releasability{Why: "waits for bob (pop3) and carol (pop3)"}},
		{"built-in: starred", BuiltinShared, heldWith(all(), flagged), Releasability{UnlessHolds: true, Why: starred}},
		{"built-in: flags not fresh", BuiltinShared, heldWith(all(), stale), Releasability{NeedsFlags: true, Why: staleWhy}},
		{"all done", exampleShared, all(), Releasability{Due: true, Why: allDone}},
		{"not all done", exampleShared, one(), Releasability{Why: "waits for bob (pop3) and carol (pop3)" + latest}},
		{"time has passed", exampleShared, heldWith(one(), firstDeleted(90)), Releasability{Due: true, Why: "the first deletion is at least 90 days ago"}},
		{"both", exampleShared, heldWith(all(), firstDeleted(90)), Releasability{Due: true, Why: allDone}},
		{"starred", exampleShared, heldWith(all(), flagged, firstDeleted(90)), Releasability{UnlessHolds: true, Why: starred}},
		{"starred a moment ago", exampleShared, heldWith(all(), unlessSeen(24*time.Hour-time.Second)),
			Releasability{Why: "it is kept until 2026-03-31 12:00 UTC, a day after its rule's unless last held"}},
		{"starred a day ago", exampleShared, heldWith(all(), unlessSeen(24*time.Hour)), Releasability{Due: true, Why: allDone}},
		{"starred in the future", exampleShared, heldWith(all(), unlessSeen(-time.Hour)),
			Releasability{Why: "it is kept until 2026-04-01 13:00 UTC, a day after its rule's unless last held"}},
		{"pinned", exampleShared, heldWith(all(), pinned, firstDeleted(90)), Releasability{Why: "it is pinned"}},
		{"pinned and starred", exampleShared, heldWith(all(), pinned, flagged), Releasability{UnlessHolds: true, Why: "it is pinned"}},
		{"flags not fresh", exampleShared, heldWith(all(), stale, firstDeleted(90)), Releasability{NeedsFlags: true, Why: staleWhy}},
		{"time alone", "time alone", heldWith(one(), firstDeleted(30)), Releasability{Due: true, Why: "the first deletion is at least 30 days ago"}},
		{"time alone, a second too early", "time alone", heldWith(one(), func(h *HeldFacts) { h.FirstDeleted = daysAgo(30).Add(time.Second) }),
			Releasability{Why: "waits until 2026-03-31 12:00 UTC, 30 days after the first deletion"}},
		{"time alone, deleted in the future", "time alone", heldWith(one(), firstDeleted(-1)),
			Releasability{Why: "waits until 2026-05-01 12:00 UTC, 30 days after the first deletion"}},
		{"on flags", "on flags", heldWith(one(), flagged), Releasability{Due: true, Why: `this holds: "\\Flagged" in message.flags`}},
		{"on flags, not flagged", "on flags", heldWith(one(), firstDeleted(0)), Releasability{Why: `waits until this holds: "\\Flagged" in message.flags; at the latest until 2026-04-01 12:00 UTC, 1 day after the first deletion`}},
		{"on flags, not fresh", "on flags", heldWith(one(), flagged, stale, firstDeleted(0)), Releasability{NeedsFlags: true, Why: staleWhy}},
		{"on flags, not fresh, time has passed", "on flags", heldWith(one(), stale, firstDeleted(1)), Releasability{Due: true, Why: "the first deletion is at least 1 day ago"}},
		{"flags that do not matter", "size or flags", heldWith(one(), stale), Releasability{Due: true, Why: `this holds: message.size > 1 || "\\Seen" in message.flags`}},
		{"fetched", "fetched", one(), Releasability{Why: "waits for carol (not fetched)"}},
		{"fetched by all", "fetched", heldWith(one(), func(h *HeldFacts) { h.Facts.Message.Fetched = []Progress{alice, bob, carol} }),
			Releasability{Due: true, Why: "everyone has fetched it: alice, bob and carol"}},
		{"no condition", "no condition", all(), Releasability{Why: `the rule "no condition" names no release condition: only an administrator can release it`}},
		{"a rule that allows", "junk-may-go", all(), Releasability{Why: `the rule "junk-may-go" names no release condition: only an administrator can release it`}},
		{"no such rule", "renamed", all(), Releasability{Why: `the rule "renamed" no longer exists: only an administrator can release it`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := releasePolicy(t).Releasable(test.rule, test.held)
			got.Again = time.Time{} // see TestReleasableAgain
			if err != nil || got != test.want {
				t.Errorf("got  %+v, %v\nwant %+v", got, err, test.want)
			}
		})
	}
}

// When the passing of time alone changes the answer it does so at the moment
// that was foretold.
func TestReleasableAgain(t *testing.T) {
	some := func() HeldFacts { return heldWith(held(pop3Facts()), firstDeleted(10)) }
	all := func() HeldFacts { return heldWith(held(done(pop3Facts())), firstDeleted(10)) }
	for _, test := range []struct {
		name string
		rule string
		held HeldFacts
		want time.Time
	}{
		{"never", BuiltinShared, some(), time.Time{}},
		{"it is due", exampleShared, all(), time.Time{}},
		{"after", "time alone", some(), daysAgo(10).Add(30 * day)},
		{"when or after", exampleShared, some(), daysAgo(10).Add(90 * day)},
		{"flags, or after", "on flags", heldWith(some(), firstDeleted(0), stale), daysAgo(0).Add(day)},
		{"unless lately", exampleShared, heldWith(all(), unlessSeen(time.Hour)), today.Add(-time.Hour).Add(24 * time.Hour)},
		{"unless holds", exampleShared, heldWith(all(), flagged), time.Time{}},
		{"pinned", exampleShared, heldWith(all(), pinned, unlessSeen(time.Hour)), time.Time{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := releasePolicy(t).Releasable(test.rule, test.held)
			if err != nil || !got.Again.Equal(test.want) {
				t.Fatalf("got %+v, %v; want %v", got, err, test.want)
			}
			if test.want.IsZero() || !test.held.FlagsFresh {
				return
			}
			facts := *test.held.Facts
			test.held.Facts = &facts
			for ago, due := range map[time.Duration]bool{time.Second: false, 0: true} {
				facts.Now = test.want.Add(-ago)
				if got, err := releasePolicy(t).Releasable(test.rule, test.held); err != nil || got.Due != due {
					t.Errorf("%s before: %+v, %v", ago, got, err)
				}
			}
		})
	}
}

func TestReleasableApproved(t *testing.T) {
	approvedByHand := func(h *HeldFacts) { h.Approved = true }
	for _, test := range []struct {
		name string
		rule string
		held HeldFacts
		want Releasability
	}{
		{"nobody else is done", exampleShared, held(pop3Facts()), Releasability{Due: true, Why: approved}},
		{"a rule without a condition", "no condition", held(pop3Facts()), Releasability{Due: true, Why: approved}},
		{"a rule that is gone", "renamed", held(pop3Facts()), Releasability{Due: true, Why: approved}},
		{"pinned", exampleShared, heldWith(held(pop3Facts()), pinned), Releasability{Why: "it is pinned"}},
		{"pinned, and the rule is gone", "renamed", heldWith(held(pop3Facts()), pinned), Releasability{Why: "it is pinned"}},
		{"starred", exampleShared, heldWith(held(pop3Facts()), flagged),
			Releasability{UnlessHolds: true, Why: `it is kept as long as this holds: "\\Flagged" in message.flags`}},
		{"flags not fresh", exampleShared, heldWith(held(pop3Facts()), stale), Releasability{NeedsFlags: true, Why: staleWhy}},
		{"flags that nobody asks for", "time alone", heldWith(held(pop3Facts()), stale), Releasability{Due: true, Why: approved}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := releasePolicy(t).Releasable(test.rule, heldWith(test.held, approvedByHand))
			if got.Again = (time.Time{}); err != nil || got != test.want {
				t.Errorf("got  %+v, %v\nwant %+v", got, err, test.want)
			}
		})
	}
}

func releasePolicy(t testing.TB) *Policy {
	deferring := func(name string, release *Release) Rule {
		return Rule{Name: name, When: "mailbox.shared", Then: Defer, Release: release}
	}
	return mustCompile(t, append(exampleRules(),
		deferring("time alone", &Release{After: 30 * day}),
		deferring("on flags", &Release{When: `"\\Flagged" in message.flags`, After: day}),
		deferring("size or flags", &Release{When: `message.size > 1 || "\\Seen" in message.flags`}),
		deferring("fetched", &Release{When: `everyone_has_fetched()`}),
		deferring("division", &Release{When: `1 / message.size == 1`, After: day}),
		deferring("division in unless", &Release{After: day, Unless: `1 / message.size == 1`}),
		deferring("no condition", nil),
	)...)
}

func TestReleasableWaitsOnErrors(t *testing.T) {
	old := func() HeldFacts { return heldWith(held(done(pop3Facts())), firstDeleted(365)) }
	noSize := func(h *HeldFacts) { h.Facts.Message.Size = 0 }
	tests := []struct {
		name, rule string
		held       HeldFacts
		want       string
	}{
		{"when", "division", heldWith(old(), noSize), `rule "division", release.when: division by zero`},
		{"unless", "division in unless", heldWith(old(), noSize), `rule "division in unless", release.unless: division by zero`},
		{"flags unknown", exampleShared, heldWith(old(), func(h *HeldFacts) { h.Facts.Message.FlagsKnown = false }),
			`rule "` + exampleShared + `", release.unless: message.flags is not known: nobody has looked at the message over IMAP yet`},
		{"no first deletion", exampleShared, heldWith(old(), func(h *HeldFacts) { h.FirstDeleted = time.Time{} }),
			"nobody knows when the message was first deleted"},
		{"no facts", exampleShared, HeldFacts{FirstDeleted: daysAgo(365), FlagsFresh: true}, errNoFacts.Error()},
		{"no time", "time alone", heldWith(old(), func(h *HeldFacts) { h.Facts.Now = time.Time{} }), errNoFacts.Error()},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := releasePolicy(t).Releasable(test.rule, test.held)
			if got.Due || got.Why == "" || err == nil || err.Error() != test.want {
				t.Errorf("got %+v, %v; want %s", got, err, test.want)
			}
		})
	}
}

// What was due before is asked again each time.
func TestReleasableLatchesNothing(t *testing.T) {
	p, h := releasePolicy(t), held(done(pop3Facts()))
	if got, _ := p.Releasable(exampleShared, h); !got.Due {
		t.Fatal(got)
	}
	use("dave", member.POP3, 0)(h.Facts)
	if got, _ := p.Releasable(exampleShared, h); got.Due || !strings.HasPrefix(got.Why, "waits for dave (pop3)") {
		t.Error(got)
	}
}

func TestStaleFlagsAreNoFault(t *testing.T) {
	err := error(&FactError{Fact: "message.flags", Why: "x", Stale: true})
	if !isStale(err) || isStale(&FactError{Fact: "message.flags", Why: "x"}) || isStale(errors.New("x")) {
		t.Error("stale flags are not told from other errors")
	}
}
