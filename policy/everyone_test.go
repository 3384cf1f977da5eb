package policy

import (
	"fmt"
	"testing"
	"time"

	"mailguard/member"
)

// learned is a mailbox without configured members that is watched long enough.
func learned(f *Facts) { f.Mailbox.Everyone.Configured = nil }

func use(name member.Name, protocol member.Protocol, days int) func(*Facts) {
	return func(f *Facts) {
		f.Mailbox.Everyone.Used = append(f.Mailbox.Everyone.Used, Use{name, protocol, daysAgo(days)})
	}
}

func uses(list ...Use) func(*Facts) {
	return func(f *Facts) { f.Mailbox.Everyone.Used = list }
}

func deleted(list ...Progress) func(*Facts) { return func(f *Facts) { f.Message.Deleted = list } }

func leftAlone(list ...Progress) func(*Facts) { return func(f *Facts) { f.Message.LeftAlone = list } }

func absentAfter(days int) func(*Facts) {
	return func(f *Facts) { f.Mailbox.Everyone.AbsentAfter = time.Duration(days) * day }
}

var (
	alice = Progress{"alice", member.POP3}
	bob   = Progress{"bob", member.POP3}
	carol = Progress{"carol", member.POP3}
)

const (
	allDone   = "everyone is done with it: alice, bob and carol"
	mixed     = "the mailbox is used by POP3 and by IMAP, and what the two call this message is not joined yet"
	anonymous = "somebody who cannot be told apart used the mailbox within 30 days"
)

type everyoneCase struct {
	name   string
	facts  *Facts
	change []func(*Facts)
	want   bool
	why    string
}

func runEveryone(t *testing.T, tests []everyoneCase, ask func(*Facts) (bool, string)) {
	t.Helper()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, change := range test.change {
				change(test.facts)
			}
			got, why := ask(test.facts)
			if got != test.want || why != test.why {
				t.Errorf("got  %v %q\nwant %v %q", got, why, test.want, test.why)
			}
		})
	}
}

func TestEveryoneIsDoneAsksEachMember(t *testing.T) {
	runEveryone(t, []everyoneCase{
		{"all have deleted by POP3", done(pop3Facts()), nil, true, allDone},
		{"all have deleted by IMAP", done(imapFacts()), nil, true, allDone},
		{"one has deleted", pop3Facts(), nil, false, "waits for bob (pop3) and carol (pop3)"},
		{"POP3: fetched only", pop3Facts(), []func(*Facts){deleted(alice), leftAlone(bob)}, false, "waits for carol (pop3)"},
		{"POP3: left alone later", pop3Facts(), []func(*Facts){deleted(alice), leftAlone(bob, carol)}, true, allDone},
		{"POP3: nobody deleted, all left alone", pop3Facts(), []func(*Facts){deleted(), leftAlone(alice, bob, carol)}, true, allDone},
		{"IMAP: left alone is not done", imapFacts(), []func(*Facts){
			leftAlone(Progress{"bob", member.IMAP}, Progress{"carol", member.IMAP})}, false, "waits for bob (imap) and carol (imap)"},
		{"IMAP: left alone does not undo a deletion", done(imapFacts()), []func(*Facts){
			leftAlone(Progress{"bob", member.IMAP})}, true, allDone},
		{"IMAP: left alone by POP3 does not count", imapFacts(), []func(*Facts){leftAlone(bob, carol)},
			false, "waits for bob (imap) and carol (imap)"},
		{"deleted by the wrong protocol", imapFacts(), []func(*Facts){deleted(alice, bob, carol)},
			false, "waits for alice (imap), bob (imap) and carol (imap)"},
		{"an anonymous deletion is nobody's", pop3Facts(), []func(*Facts){deleted(alice, bob, Progress{"", member.POP3})},
			false, "waits for carol (pop3)"},
		{"configured, never seen", done(pop3Facts()), []func(*Facts){uses(Use{"alice", member.POP3, today}, Use{"bob", member.POP3, today})},
			false, "waits for carol (never seen)"},
		{"nobody was ever seen", done(pop3Facts()), []func(*Facts){uses()},
			false, "waits for alice (never seen), bob (never seen) and carol (never seen)"},
		{"staying away makes nobody done", pop3Facts(), []func(*Facts){deleted(alice, bob),
			uses(Use{"alice", member.POP3, today}, Use{"bob", member.POP3, today}, Use{"carol", member.POP3, daysAgo(3000)})},
			false, "waits for carol (pop3)"},
		{"let in, not configured", done(pop3Facts()), []func(*Facts){use("dave", member.POP3, 1)}, false, "waits for dave (pop3)"},
		{"let in long ago, not configured", done(pop3Facts()), []func(*Facts){use("dave", member.POP3, 300)}, false, "waits for dave (pop3)"},
		{"let in and done", done(pop3Facts()), []func(*Facts){use("dave", member.POP3, 1),
			leftAlone(Progress{"dave", member.POP3})}, true, "everyone is done with it: alice, bob, carol and dave"},
		{"leaving", done(pop3Facts()), []func(*Facts){use("dave", member.POP3, 1),
			func(f *Facts) { f.Mailbox.Everyone.Leaving = []member.Name{"dave"} }},
			false, "waits for dave (pop3, taken out of the configuration less than 7 days ago)"},
		{"leaving, never seen", done(pop3Facts()), []func(*Facts){
			func(f *Facts) { f.Mailbox.Everyone.Leaving = []member.Name{"dave"} }},
			false, "waits for dave (never seen, taken out of the configuration less than 7 days ago)"},
		{"leaving and back again", done(pop3Facts()), []func(*Facts){
			func(f *Facts) { f.Mailbox.Everyone.Leaving = []member.Name{"bob"} }}, true, allDone},
		{"one configured member", pop3Facts(), []func(*Facts){uses(Use{"alice", member.POP3, today}),
			func(f *Facts) { f.Mailbox.Everyone.Configured = []member.Name{"alice"} }}, true, "everyone is done with it: alice"},
	}, EveryoneIsDone)
}

func TestEveryoneIsDoneAsksForEachProtocol(t *testing.T) {
	both := func(imapDays int) []func(*Facts) {
		return []func(*Facts){uses(Use{"alice", member.POP3, daysAgo(40)}, Use{"alice", member.IMAP, daysAgo(imapDays)}),
			func(f *Facts) { f.Mailbox.Everyone.Configured = []member.Name{"alice"} }}
	}
	// The crowd conditions refuse mailboxes of both protocols for now; what is
	// asked of a member stays true without them.
	for _, test := range []struct {
		imapDays int
		want     string
	}{
		{40, "imap"},
		{69, "imap"}, // in the 30 days before they were last seen, which was 40 days ago
		{70, "imap"}, // 30 days to the second
		{71, ""},     // they have given up IMAP
		{5, "imap"},  // they have given up POP3
	} {
		f := pop3Facts()
		for _, change := range both(test.imapDays) {
			change(f)
		}
		var got []string
		done := map[Progress]bool{alice: true}
		for _, use := range crowd(&f.Mailbox.Everyone)[0].current() {
			if !done[Progress{"alice", use}] {
				got = append(got, string(use))
			}
		}
		if fmt.Sprint(got) != fmt.Sprintf("[%s]", test.want) {
			t.Errorf("IMAP %d days ago: waits for %v, want %s", test.imapDays, got, test.want)
		}
	}
}

func TestEveryoneIsDoneKnowsAbsence(t *testing.T) {
	away := uses(Use{"alice", member.POP3, today}, Use{"bob", member.POP3, daysAgo(90)}, Use{"carol", member.POP3, daysAgo(91)})
	runEveryone(t, []everyoneCase{
		{"longer than absent_after", pop3Facts(), []func(*Facts){away, absentAfter(90)}, false, "waits for bob (pop3)"},
		{"all who are there are done", pop3Facts(), []func(*Facts){away, absentAfter(89)}, true, allDone},
		{"never seen, watched that long", pop3Facts(), []func(*Facts){uses(Use{"alice", member.POP3, today}), absentAfter(364)}, true, allDone},
		{"never seen, not watched that long", pop3Facts(), []func(*Facts){uses(Use{"alice", member.POP3, today}), absentAfter(365)},
			false, "waits for bob (never seen) and carol (never seen)"},
		{"never seen, never watched", pop3Facts(), []func(*Facts){uses(Use{"alice", member.POP3, today}), absentAfter(1),
			func(f *Facts) { f.Mailbox.Everyone.WatchedSince = time.Time{} }}, false, "waits for bob (never seen) and carol (never seen)"},
		{"last seen is not known", pop3Facts(), []func(*Facts){absentAfter(1), deleted(alice, bob),
			uses(Use{"alice", member.POP3, today}, Use{"bob", member.POP3, today}, Use{Member: "carol", Protocol: member.POP3})},
			false, "waits for carol (pop3)"},
		{"the clock went back", pop3Facts(), []func(*Facts){absentAfter(1), use("bob", member.POP3, -10)}, false, "waits for bob (pop3)"},
	}, EveryoneIsDone)
}

func TestEveryoneIsDoneLearnsMembers(t *testing.T) {
	watched := func(since time.Time) func(*Facts) {
		return func(f *Facts) { f.Mailbox.Everyone.WatchedSince = since }
	}
	runEveryone(t, []everyoneCase{
		{"learned and done", done(pop3Facts()), []func(*Facts){learned}, true, allDone},
		{"learned and not done", pop3Facts(), []func(*Facts){learned}, false, "waits for bob (pop3) and carol (pop3)"},
		{"just watched long enough", done(pop3Facts()), []func(*Facts){learned, watched(daysAgo(30))}, true, allDone},
		{"not watched long enough", done(pop3Facts()), []func(*Facts){learned, watched(daysAgo(30).Add(time.Second))},
			false, "members are learned from use until 2026-03-31 12:00 UTC"},
		{"never watched", done(pop3Facts()), []func(*Facts){learned, watched(time.Time{})},
			false, "members are learned from use, and the mailbox is not watched yet"},
		{"no time to learn is given", done(pop3Facts()), []func(*Facts){learned, watched(daysAgo(29)),
			func(f *Facts) { f.Mailbox.Everyone.LearnFor = 0 }}, false, "members are learned from use until 2026-04-01 12:00 UTC"},
		{"one is known", done(pop3Facts()), []func(*Facts){learned, uses(Use{"alice", member.POP3, today})},
			false, "fewer than two members are known by name"},
		{"one by two protocols is one", done(imapFacts()), []func(*Facts){learned,
			uses(Use{"alice", member.IMAP, today}, Use{"alice", member.IMAP, daysAgo(1)})}, false, "fewer than two members are known by name"},
		{"the anonymous member is not the second", done(pop3Facts()), []func(*Facts){learned,
			uses(Use{"alice", member.POP3, today}, Use{"", member.POP3, daysAgo(40)})}, false, "fewer than two members are known by name"},
		{"several obstacles", done(pop3Facts()), []func(*Facts){learned, watched(daysAgo(1)), uses(Use{"", member.POP3, today})}, false,
			"members are learned from use until 2026-04-29 12:00 UTC; fewer than two members are known by name; " + anonymous},
		{"configured ones need not be learned", done(pop3Facts()), []func(*Facts){watched(today)}, true, allDone},
	}, EveryoneIsDone)
}

func TestEveryoneIsDoneNeedsAKnownCrowd(t *testing.T) {
	runEveryone(t, []everyoneCase{
		{"anonymous today", done(pop3Facts()), []func(*Facts){use("", member.POP3, 0)}, false, anonymous},
		{"anonymous 30 days ago", done(pop3Facts()), []func(*Facts){use("", member.POP3, 30)}, false, anonymous},
		{"anonymous 31 days ago", done(pop3Facts()), []func(*Facts){use("", member.POP3, 31)}, true, allDone},
		{"anonymous in the future", done(pop3Facts()), []func(*Facts){use("", member.POP3, -1)}, false, anonymous},
		{"anonymous, nobody knows when", done(pop3Facts()), []func(*Facts){
			func(f *Facts) {
				f.Mailbox.Everyone.Used = append(f.Mailbox.Everyone.Used, Use{Protocol: member.POP3})
			}}, false, anonymous},
		{"anonymous, learned members", done(pop3Facts()), []func(*Facts){learned, use("", member.POP3, 1)}, false, anonymous},
		{"another uses IMAP", done(pop3Facts()), []func(*Facts){use("bob", member.IMAP, 1)}, false, mixed},
		{"another used IMAP long ago", done(pop3Facts()), []func(*Facts){use("bob", member.IMAP, 400)}, true, allDone},
		{"somebody unknown used IMAP long ago", done(pop3Facts()), []func(*Facts){use("", member.IMAP, 31)}, true, allDone},
		{"the deletion itself is by POP3", done(imapFacts()), []func(*Facts){func(f *Facts) { f.Op = POP3Dele }}, false, mixed},
		{"the deletion itself is by IMAP", done(pop3Facts()), []func(*Facts){func(f *Facts) { f.Op = IMAPMove }}, false, mixed},
	}, EveryoneIsDone)
}

// Where both protocols are in use, what was done by each counts once the two
// names of the message are known to be one message's.
func TestEveryoneIsDoneByBothProtocols(t *testing.T) {
	bobToo := use("bob", member.IMAP, 1)
	joined := func(f *Facts) { f.Message.Joined = true }
	elsewhere := func(f *Facts) { f.Folder = "Archive" }
	bobDeleted := func(f *Facts) {
		f.Message.Deleted = append(f.Message.Deleted, Progress{"bob", member.IMAP})
	}
	onlyIMAP := func(f *Facts) { f.Message.Deleted = []Progress{{"bob", member.IMAP}} }
	runEveryone(t, []everyoneCase{
		{"not joined", done(pop3Facts()), []func(*Facts){bobToo, bobDeleted}, false, mixed},
		{"joined, one lacks a protocol", done(pop3Facts()), []func(*Facts){bobToo, joined}, false, "waits for bob (imap)"},
		{"joined, all done", done(pop3Facts()), []func(*Facts){bobToo, joined, bobDeleted}, true, allDone},
		{"POP3 does not show another folder", done(imapFacts()), []func(*Facts){elsewhere, use("bob", member.POP3, 1)}, true, allDone},
		{"who uses POP3 only has nothing in another folder", pop3Facts(), []func(*Facts){bobToo, elsewhere, onlyIMAP}, true, allDone},
		{"IMAP asks in another folder, too", pop3Facts(), []func(*Facts){bobToo, elsewhere, deleted(alice)}, false, "waits for bob (imap)"},
	}, EveryoneIsDone)
}

func TestEveryoneHasFetched(t *testing.T) {
	fetched := func(list ...Progress) func(*Facts) { return func(f *Facts) { f.Message.Fetched = list } }
	const all = "everyone has fetched it: alice, bob and carol"
	runEveryone(t, []everyoneCase{
		{"all have", pop3Facts(), []func(*Facts){fetched(alice, bob, carol)}, true, all},
		{"one has not", pop3Facts(), nil, false, "waits for carol (not fetched)"},
		{"by whatever protocol", pop3Facts(), []func(*Facts){fetched(alice, bob, Progress{"carol", member.IMAP})}, true, all},
		{"deleted is not fetched", pop3Facts(), []func(*Facts){deleted(alice, bob, carol)}, false, "waits for carol (not fetched)"},
		{"by somebody unknown", pop3Facts(), []func(*Facts){fetched(alice, bob, Progress{"", member.POP3})}, false, "waits for carol (not fetched)"},
		{"never seen", pop3Facts(), []func(*Facts){fetched(alice, bob, carol), uses(Use{"alice", member.POP3, today})},
			false, "waits for bob (never seen) and carol (never seen)"},
		{"absent", pop3Facts(), []func(*Facts){absentAfter(90), uses(Use{"alice", member.POP3, today},
			Use{"bob", member.POP3, today}, Use{"carol", member.POP3, daysAgo(91)})}, true, all},
		{"anonymous", pop3Facts(), []func(*Facts){fetched(alice, bob, carol), use("", member.POP3, 1)}, false, anonymous},
		{"both protocols", pop3Facts(), []func(*Facts){fetched(alice, bob, carol), use("bob", member.IMAP, 1)}, false, mixed},
		{"learned too early", pop3Facts(), []func(*Facts){learned, fetched(alice, bob, carol),
			func(f *Facts) { f.Mailbox.Everyone.WatchedSince = today }}, false, "members are learned from use until 2026-04-30 12:00 UTC"},
	}, EveryoneHasFetched)
}

func TestReasonsNameOnlySome(t *testing.T) {
	f := pop3Facts()
	for i := range 10 {
		f.Mailbox.Everyone.Configured = append(f.Mailbox.Everyone.Configured, member.Name(fmt.Sprintf("m%d", i)))
	}
	_, why := EveryoneIsDone(f)
	want := "waits for bob (pop3), carol (pop3), m0 (never seen), m1 (never seen), m2 (never seen), " +
		"m3 (never seen), m4 (never seen), m5 (never seen) and 4 others"
	if why != want {
		t.Errorf("got  %s\nwant %s", why, want)
	}
}
