package policy

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"mailguard/member"
)

// Less knowledge never gives allow, and never makes a message due: what is not
// known can only keep it.

var (
	someMember   = rapid.SampledFrom([]member.Name{"", "alice", "bob", "carol", "dave"})
	someProtocol = rapid.SampledFrom([]member.Protocol{member.POP3, member.IMAP})
	someTime     = rapid.Custom(func(t *rapid.T) time.Time {
		return today.Add(-time.Duration(rapid.IntRange(-1, 120).Draw(t, "days")) * day)
	})
	someProgress = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Progress {
		return Progress{someMember.Draw(t, "member"), someProtocol.Draw(t, "protocol")}
	}), 0, 8)
	someMembers = rapid.SliceOfNDistinct(rapid.SampledFrom([]member.Name{"alice", "bob", "carol"}), 0, 3, rapid.ID[member.Name])
	someFlags   = rapid.SliceOfN(rapid.SampledFrom([]string{`\Seen`, `\Flagged`, `\Answered`}), 0, 2)
)

// someUses are of one protocol in most cases: nothing is released from a
// mailbox of both, which would hide the rest. In half of the cases everybody is
// among them.
func someUses(t *rapid.T, protocol member.Protocol) []Use {
	used := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Use {
		u := Use{someMember.Draw(t, "user"), protocol, someTime.Draw(t, "seen")}
		if rapid.IntRange(0, 19).Draw(t, "other") == 0 {
			u.Protocol = someProtocol.Draw(t, "by")
		}
		return u
	}), 0, 4).Draw(t, "used")
	if rapid.Bool().Draw(t, "all use it") {
		used = nil
		for _, name := range []member.Name{"alice", "bob", "carol"} {
			used = append(used, Use{name, protocol, someTime.Draw(t, "seen")})
		}
	}
	return used
}

func someFacts(t *rapid.T) *Facts {
	protocol := someProtocol.Draw(t, "protocol")
	ops := map[member.Protocol][]Op{
		member.POP3: {POP3Dele},
		member.IMAP: {IMAPExpunge, IMAPMove, IMAPReplace, IMAPDeleteFolder, IMAPRenameFolder},
	}
	use := rapid.SampledFrom([]string{"", "junk", "drafts", "archive"})
	return &Facts{
		Op: rapid.SampledFrom(ops[protocol]).Draw(t, "op"), Folder: "INBOX",
		FolderUse: use.Draw(t, "folder_use"), DestinationUse: use.Draw(t, "destination_use"),
		Mailbox: MailboxFacts{Name: "support@example.com", Shared: rapid.IntRange(0, 4).Draw(t, "unshared") > 0, QuotaUsed: -1,
			Everyone: Everyone{
				Configured: someMembers.Draw(t, "configured"), Leaving: someMembers.Draw(t, "leaving"), Used: someUses(t, protocol),
				WatchedSince: someTime.Draw(t, "watched"), LearnFor: 30 * day,
				AbsentAfter: time.Duration(rapid.SampledFrom([]int{0, 0, 45, 90}).Draw(t, "absent")) * day,
			}},
		Member: MemberFacts{Name: someMember.Draw(t, "name"), Protocol: protocol},
		Message: MessageFacts{
			FirstSeen: someTime.Draw(t, "first"), Size: rapid.Int64Range(0, 100).Draw(t, "size"),
			Flags: someFlags.Draw(t, "flags"), FlagsKnown: rapid.IntRange(0, 4).Draw(t, "unknown") > 0,
			Fetched:   manyProgress(t, "fetched", protocol),
			Deleted:   manyProgress(t, "deleted", protocol),
			LeftAlone: manyProgress(t, "left", protocol),
			Pinned:    rapid.IntRange(0, 9).Draw(t, "pinned") == 0,
		},
		Now: today,
	}
}

// manyProgress is everybody's in half of the cases, so that something is due.
func manyProgress(t *rapid.T, label string, protocol member.Protocol) []Progress {
	if rapid.Bool().Draw(t, label+" by some") {
		return someProgress.Draw(t, label)
	}
	return []Progress{{"alice", protocol}, {"bob", protocol}, {"carol", protocol}, {"dave", protocol}}
}

// less takes knowledge away.
func less(t *rapid.T, f *Facts) *Facts {
	l := *f
	l.Message.Fetched = some(t, "fetched less", f.Message.Fetched)
	l.Message.Deleted = some(t, "deleted less", f.Message.Deleted)
	l.Message.LeftAlone = some(t, "left less", f.Message.LeftAlone)
	if rapid.Bool().Draw(t, "flags unknown") {
		l.Message.Flags, l.Message.FlagsKnown = nil, false
	}
	if rapid.Bool().Draw(t, "absence unknown") {
		l.Mailbox.Everyone.AbsentAfter = 0
	}
	if rapid.Bool().Draw(t, "never watched") {
		l.Mailbox.Everyone.WatchedSince = time.Time{}
	}
	if rapid.Bool().Draw(t, "time unknown") {
		l.Now = time.Time{}
	}
	return &l
}

func some(t *rapid.T, label string, list []Progress) []Progress {
	var kept []Progress
	for _, p := range list {
		if rapid.Bool().Draw(t, label) {
			kept = append(kept, p)
		}
	}
	return kept
}

func policies(t testing.TB) map[string]*Policy {
	return map[string]*Policy{exampleShared: mustCompile(t, exampleRules()...), BuiltinShared: mustCompile(t)}
}

func TestLessKnowledgeNeverAllows(t *testing.T) {
	for name, p := range policies(t) {
		t.Run(name, func(t *testing.T) {
			allowed := 0
			rapid.Check(t, func(t *rapid.T) {
				f := someFacts(t)
				chosen := p.For(f.Mailbox, f.Member.Protocol)
				full, err := chosen.Decide(f)
				if err == nil && full.Verdict == Allow {
					allowed++
					return
				}
				if got, err := chosen.Decide(less(t, f)); err == nil && got.Verdict == Allow {
					t.Fatalf("%+v became %+v", full, got)
				}
			})
			if allowed == 0 {
				t.Error("nothing was ever allowed: the test says nothing")
			}
		})
	}
}

func TestLessKnowledgeIsNeverDue(t *testing.T) {
	for name, p := range policies(t) {
		t.Run(name, func(t *testing.T) {
			due := 0
			rapid.Check(t, func(t *rapid.T) {
				h := HeldFacts{Facts: someFacts(t), FirstDeleted: someTime.Draw(t, "deleted"), FlagsFresh: rapid.IntRange(0, 4).Draw(t, "not fresh") > 0}
				if rapid.IntRange(0, 4).Draw(t, "unless seen") == 0 {
					h.UnlessSeen = someTime.Draw(t, "unless")
				}
				full, err := p.Releasable(name, h)
				if full.Due && err != nil {
					t.Fatalf("due with an error: %v", err)
				}
				if full.Due {
					due++
					return
				}
				h.Facts = less(t, h.Facts)
				h.FlagsFresh = h.FlagsFresh && rapid.Bool().Draw(t, "still fresh")
				if rapid.Bool().Draw(t, "first deletion unknown") {
					h.FirstDeleted = time.Time{}
				}
				if got, _ := p.Releasable(name, h); got.Due {
					t.Fatalf("%+v became %+v", full, got)
				}
			})
			if due == 0 {
				t.Error("nothing was ever due: the test says nothing")
			}
		})
	}
}

// More people never make everyone done.
func TestMorePeopleAreNeverDoneSooner(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := someFacts(t)
		for _, ask := range []func(*Facts) (bool, string){EveryoneIsDone, EveryoneHasFetched} {
			if done, _ := ask(f); done || len(f.Mailbox.Everyone.Configured) == 0 {
				continue
			}
			more := *f
			more.Mailbox.Everyone.Configured = append([]member.Name{"erika"}, f.Mailbox.Everyone.Configured...)
			if done, why := ask(&more); done {
				t.Fatal(why)
			}
		}
	})
}

// The choice of rules is only a short cut: it never changes a verdict.
func TestForChangesNoVerdict(t *testing.T) {
	for name, p := range policies(t) {
		t.Run(name, func(t *testing.T) {
			var every Chosen
			for _, r := range p.rules {
				every.rules = append(every.rules, chosenRule{r, false})
			}
			rapid.Check(t, func(t *rapid.T) {
				f := someFacts(t)
				want, err1 := every.Decide(f)
				got, err2 := p.For(f.Mailbox, f.Member.Protocol).Decide(f)
				if got != want || (err1 == nil) != (err2 == nil) {
					t.Fatalf("got %+v, %v; want %+v, %v", got, err2, want, err1)
				}
			})
		})
	}
}

func TestJSONChangesNoDecision(t *testing.T) {
	p := mustCompile(t, exampleRules()...)
	rapid.Check(t, func(t *rapid.T) {
		f := someFacts(t)
		again := throughJSON(t, f)
		want, _ := p.For(f.Mailbox, f.Member.Protocol).Decide(f)
		got, _ := p.For(again.Mailbox, again.Member.Protocol).Decide(again)
		if got != want {
			t.Fatalf("got %+v, want %+v", got, want)
		}
		h := HeldFacts{Facts: f, FirstDeleted: daysAgo(80), FlagsFresh: true}
		before, _ := p.Releasable(exampleShared, h)
		h.Facts = again
		if after, _ := p.Releasable(exampleShared, h); after != before {
			t.Fatalf("got %+v, want %+v", after, before)
		}
	})
}
