package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"mailguard/member"
)

// unshared is the same mailbox, which nobody shares.
func unshared(f *Facts) { f.Mailbox.Shared = false }

func in(use string) func(*Facts) { return func(f *Facts) { f.FolderUse = use } }

func by(op Op) func(*Facts) { return func(f *Facts) { f.Op = op } }

func toArchive(f *Facts) { f.Op, f.Destination, f.DestinationUse = IMAPMove, "Archive/2026", "archive" }

func TestDecide(t *testing.T) {
	const deferring = "shared-mail-stays-until-everyone-is-done"
	tests := []struct {
		name    string
		rules   []Rule
		facts   *Facts
		change  []func(*Facts)
		verdict Verdict
		rule    string
	}{
		{"example: junk", exampleRules(), imapFacts(), []func(*Facts){in("junk")}, Allow, "junk-may-go"},
		{"example: junk over POP3", exampleRules(), pop3Facts(), []func(*Facts){in("junk")}, Defer, deferring},
		{"example: junk moved", exampleRules(), imapFacts(), []func(*Facts){in("junk"), by(IMAPMove)}, Defer, deferring},
		{"example: drafts", exampleRules(), imapFacts(), []func(*Facts){in("drafts")}, Allow, "drafts-may-go"},
		{"example: drafts replaced", exampleRules(), imapFacts(), []func(*Facts){in("drafts"), by(IMAPReplace)}, Defer, deferring},
		{"example: filed by the last", exampleRules(), done(imapFacts()), []func(*Facts){toArchive}, Allow, "filing-what-everyone-has-dealt-with"},
		{"example: filed by the first", exampleRules(), imapFacts(), []func(*Facts){toArchive}, Defer, deferring},
		{"example: moved elsewhere", exampleRules(), done(imapFacts()), []func(*Facts){by(IMAPMove)}, Defer, deferring},
		{"example: folder deleted", exampleRules(), imapFacts(), []func(*Facts){by(IMAPDeleteFolder)}, Refuse, "nobody-deletes-folders"},
		{"example: folder renamed", exampleRules(), imapFacts(), []func(*Facts){by(IMAPRenameFolder)}, Refuse, "nobody-deletes-folders"},
		{"example: deleted over POP3", exampleRules(), pop3Facts(), nil, Defer, deferring},
		{"example: deleted over IMAP", exampleRules(), imapFacts(), nil, Defer, deferring},
		{"example: unshared", exampleRules(), pop3Facts(), []func(*Facts){unshared}, Allow, BuiltinOthers},
		{"example: unshared folder", exampleRules(), imapFacts(), []func(*Facts){unshared, by(IMAPDeleteFolder)}, Allow, BuiltinOthers},
		{"built-in: draft", nil, imapFacts(), []func(*Facts){in("drafts")}, Allow, BuiltinDrafts},
		{"built-in: draft moved", nil, imapFacts(), []func(*Facts){in("drafts"), by(IMAPMove)}, Defer, BuiltinShared},
		{"built-in: shared", nil, pop3Facts(), nil, Defer, BuiltinShared},
		{"built-in: shared, all done", nil, done(pop3Facts()), nil, Defer, BuiltinShared},
		{"built-in: unshared", nil, pop3Facts(), []func(*Facts){unshared}, Allow, BuiltinOthers},
		{"built-in: unshared draft", nil, imapFacts(), []func(*Facts){unshared, in("drafts")}, Allow, BuiltinOthers},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, change := range test.change {
				change(test.facts)
			}
			chosen := mustCompile(t, test.rules...).For(test.facts.Mailbox, test.facts.Member.Protocol)
			got, err := chosen.Decide(test.facts)
			if err != nil || got.Verdict != test.verdict || got.Rule != test.rule {
				t.Errorf("got %+v, %v; want %s by %s", got, err, test.verdict, test.rule)
			}
		})
	}
}

func TestDecisionTellsWhatTheRuleSays(t *testing.T) {
	p := mustCompile(t,
		Rule{Name: "folders", When: `op == "imap.delete_folder"`, Then: Refuse, Message: "Ask Erika."},
		Rule{Name: "by name", When: `op == "imap.move"`, Then: Defer, Anonymous: AnonymousRefuse, Message: "Log in by name."},
		Rule{Name: "all", When: `mailbox.shared`, Then: Defer})
	for op, want := range map[Op]Decision{
		IMAPDeleteFolder: {Refuse, "folders", "Ask Erika.", ""},
		IMAPMove:         {Defer, "by name", "Log in by name.", AnonymousRefuse},
		IMAPExpunge:      {Defer, "all", "", AnonymousHide},
	} {
		f := changed(imapFacts(), by(op))
		if got, err := p.For(f.Mailbox, member.IMAP).Decide(f); err != nil || got != want {
			t.Errorf("%s: got %+v, %v; want %+v", op, got, err, want)
		}
	}
}

// Every variable and function has the value that the reference says.
func TestVariables(t *testing.T) {
	f := pop3Facts()
	f.Destination, f.DestinationUse, f.FolderUse = "Archive/2026", "archive", "trash"
	f.Member.Client, f.Member.Address = "Thunderbird", netip.MustParseAddr("::ffff:192.0.2.17")
	f.Message.Flags, f.Message.Held = []string{`\Seen`}, true
	f.Message.Fetched = append(f.Message.Fetched, Progress{"bob", member.IMAP}, Progress{"", member.POP3})
	f.Now = f.Now.In(time.FixedZone("", 5*3600))
	for _, when := range []string{
		`op == "pop3.dele" && folder == "INBOX" && destination == "Archive/2026"`,
		`folder_use == "trash" && destination_use == "archive"`,
		`mailbox.name == "support@example.com" && mailbox.domain == "example.com"`,
		`mailbox.shared && mailbox.members == ["alice", "bob", "carol"] && mailbox.quota_used == -1`,
		`member.name == "alice" && !member.anonymous && member.protocol == "pop3"`,
		`member.address == "192.0.2.17" && member.client == "Thunderbird" && member.proof == "login"`,
		`message.age == days(3) && message.age == duration("72h") && message.size == 4711`,
		`message.flags == ["\\Seen"] && "\\Seen" in message.flags && !("\\Flagged" in message.flags)`,
		`message.fetched_by == ["alice", "bob"] && message.deleted_by == ["alice"]`,
		`message.held && !message.pinned`,
		`now == timestamp("2026-03-31T12:00:00Z") && now.getHours() == 12 && now - days(1) < now`,
		`in_network(member.address, "192.0.2.0/24") && !in_network(member.address, "2001:db8::/32")`,
		`in_network("2001:db8::1%eth0", "2001:db8::/32")`,
		`!everyone_is_done() && !everyone_has_fetched()`,
		`mailbox.members.all(m, m in message.fetched_by || m == "carol")`,
		`folder.matches("^IN") && folder.startsWith("IN") && folder.size() == 5`,
		`days(message.size) > days(1) && days(0) == duration("0s")`,
	} {
		got, err := evaluate(t, when, f)
		if err != nil || !got {
			t.Errorf("%s: %v, %v", when, got, err)
		}
	}
}

func evaluate(t *testing.T, when string, f *Facts) (bool, error) {
	t.Helper()
	e, mistakes := compile(when)
	if len(mistakes) > 0 {
		t.Fatalf("%s: %v", when, mistakes)
	}
	return e.holds(&activation{facts: f})
}

func TestMembersAreLearnedFromUse(t *testing.T) {
	e := Everyone{Used: []Use{{"bob", member.POP3, today}, {"", member.POP3, today}, {"bob", member.IMAP, today}, {"alice", member.POP3, today}}}
	if got := fmt.Sprint(e.Members()); got != "[bob alice]" {
		t.Error(got)
	}
}

func TestDecideFailsOnWhatIsNotKnown(t *testing.T) {
	tests := []struct {
		when   string
		change func(*Facts)
		want   string
	}{
		{`"\\Seen" in message.flags`, func(f *Facts) { f.Message.FlagsKnown = false },
			"message.flags is not known: nobody has looked at the message over IMAP yet"},
		{`message.age > days(1)`, func(f *Facts) { f.Message.FirstSeen = time.Time{} },
			"message.age is not known: nobody knows since when the message is there"},
		{`now > timestamp("2026-01-01T00:00:00Z")`, func(f *Facts) { f.Now = time.Time{} }, "now is not known: the time was not recorded"},
		{`everyone_is_done()`, func(f *Facts) { f.Now = time.Time{} }, "now is not known: the time was not recorded"},
		{`in_network(member.address, "192.0.2.0/24")`, func(f *Facts) { f.Member.Address = netip.Addr{} },
			"member.address is not known: it was not recorded"},
		{`op != "imap.move"`, func(f *Facts) { f.Op = "" }, "op is not known: it was not recorded"},
	}
	for _, test := range tests {
		p := mustCompile(t, Rule{Name: "r", When: test.when, Then: Allow})
		f := pop3Facts()
		chosen := p.For(f.Mailbox, f.Member.Protocol)
		test.change(f)
		_, err := chosen.Decide(f)
		var missing *FactError
		if err == nil || err.Error() != `rule "r": `+test.want || !errors.As(err, &missing) {
			t.Errorf("%s: %v", test.when, err)
		}
	}
}

func TestDecideFailsOnWhatCannotBeEvaluated(t *testing.T) {
	for when, want := range map[string]string{
		`mailbox.members[7] == "x"`:             "index out of bounds",
		`1 / message.size == 1`:                 "division by zero",
		`in_network(member.name, "10.0.0.0/8")`: `in_network: "alice" is not an address`,
		`in_network("10.0.0.1", folder)`:        `in_network: "INBOX" is not a network`,
		`days(-message.size - 1) == days(0)`:    "days(-1): a number from 0 to 106751 is needed",
	} {
		f := pop3Facts()
		f.Message.Size = 0
		got, err := mustCompile(t, Rule{Name: "r", When: when, Then: Allow}).For(f.Mailbox, member.POP3).Decide(f)
		if err == nil || !strings.Contains(err.Error(), want) || got != (Decision{}) {
			t.Errorf("%s: %+v, %v", when, got, err)
		}
	}
}

func TestDecideNeedsNoFactThatDoesNotMatter(t *testing.T) {
	f := changed(pop3Facts(), func(f *Facts) { f.Message.FlagsKnown = false })
	for _, when := range []string{`message.size > 0 || "x" in message.flags`, `"x" in message.flags || message.size > 0`} {
		if got, err := evaluate(t, when, f); err != nil || !got {
			t.Errorf("%s: %v, %v", when, got, err)
		}
	}
}

func TestDecideWithoutFacts(t *testing.T) {
	if _, err := mustCompile(t).For(pop3Facts().Mailbox, member.POP3).Decide(nil); err == nil {
		t.Error("there is a verdict")
	}
	if _, err := (&Chosen{}).Decide(pop3Facts()); err == nil {
		t.Error("there is a verdict without rules")
	}
}

// No rule can run long: a hosting provider's customers write them.
func TestDecideStopsWhatTakesTooLong(t *testing.T) {
	f := pop3Facts()
	for i := range 2000 {
		f.Mailbox.Everyone.Configured = append(f.Mailbox.Everyone.Configured, member.Name(fmt.Sprint("m", i)))
	}
	when := `mailbox.members.all(a, mailbox.members.all(b, !mailbox.members.exists(c, a + b + c == "")))`
	p := mustCompile(t, Rule{Name: "r", When: when, Then: Allow})
	start := time.Now()
	if chosen := p.For(f.Mailbox, member.POP3); chosen.OnlyAllows() {
		t.Error("a rule that cannot be evaluated counts as one that always holds")
	}
	_, err := p.For(f.Mailbox, member.POP3).Decide(f)
	if err == nil || err.Error() != `rule "r": the expression takes more than 100000 steps` {
		t.Error(err)
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
}

// Three hundred members, each of them compared with all who have fetched it,
// is no abuse.
func TestDecideHasStepsForALargeMailbox(t *testing.T) {
	f := pop3Facts()
	f.Message.Fetched = nil
	for i := range 300 {
		name := member.Name(fmt.Sprint("m", i))
		f.Mailbox.Everyone.Configured = append(f.Mailbox.Everyone.Configured, name)
		f.Message.Fetched = append(f.Message.Fetched, Progress{name, member.POP3})
	}
	if _, err := evaluate(t, `mailbox.members.all(m, m in message.fetched_by || m.size() > 3)`, f); err != nil {
		t.Error(err)
	}
}

func TestForLeavesOutWhatCannotHold(t *testing.T) {
	rules := func(whens ...string) []Rule {
		var found []Rule
		for i, when := range whens {
			found = append(found, Rule{Name: fmt.Sprint("r", i), When: when, Then: Refuse})
		}
		return found
	}
	end := " " + BuiltinDrafts + " " + BuiltinShared
	tests := []struct {
		name  string
		rules []Rule
		want  string
	}{
		{"none", nil, end},
		{"another mailbox", rules(`mailbox.name == "sales@example.com"`), end},
		{"this mailbox", rules(`mailbox.domain == "example.com" && op == "imap.move"`), " r0" + end},
		{"another protocol", rules(`member.protocol == "imap" && message.size > 5`), end},
		{"known to be false last", rules(`message.size > 5 && !mailbox.shared`), end},
		{"always", rules(`mailbox.shared`, `message.size > 5`), " r0"},
		{"always, behind what may be", rules(`message.size > 5`, `mailbox.shared || message.held`, `true`), " r0 r1"},
		{"configured members", rules(`"dave" in mailbox.members`, `mailbox.members.size() == 3`), " r1"},
		{"quota may change", rules(`mailbox.quota_used > 90`), " r0" + end},
		{"everyone may change", rules(`everyone_is_done()`, `!everyone_has_fetched()`), " r0 r1" + end},
		{"who it is may change", rules(`member.name == "bob"`, `member.anonymous`), " r0 r1" + end},
		{"time may change", rules(`now < timestamp("2001-01-01T00:00:00Z")`), " r0" + end},
		{"what cannot be evaluated", rules(`mailbox.members[7] == "x"`), " r0" + end},
		{"what cannot be evaluated, of another mailbox", rules(`mailbox.name == "x" && mailbox.members[7] == "x"`), end},
		{"a choice", rules(`mailbox.shared ? message.size > 5 : true`, `mailbox.shared ? false : message.held`), " r0" + end},
		{"a loop over what is not known", rules(`message.flags.exists(f, f == "x")`, `mailbox.members.exists(m, m == member.name)`), " r0 r1" + end},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			chosen := mustCompile(t, test.rules...).For(pop3Facts().Mailbox, member.POP3)
			got := ""
			for _, r := range chosen.rules {
				got += " " + r.Name
			}
			if got != test.want {
				t.Errorf("got %s\nwant%s", got, test.want)
			}
		})
	}
}

func TestForDoesNotTrustLearnedMembers(t *testing.T) {
	f := changed(pop3Facts(), learned)
	p := mustCompile(t, Rule{Name: "r", When: `"dave" in mailbox.members`, Then: Refuse})
	chosen := p.For(f.Mailbox, member.POP3)
	use("dave", member.POP3, 0)(f)
	if got, err := chosen.Decide(f); err != nil || got.Rule != "r" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestOnlyAllows(t *testing.T) {
	tests := []struct {
		name   string
		rules  []Rule
		shared bool
		want   bool
	}{
		{"example, shared", exampleRules(), true, false},
		{"example, unshared", exampleRules(), false, true},
		{"no rules, shared", nil, true, false},
		{"no rules, unshared", nil, false, true},
		{"a rule for all", []Rule{{Name: "r", When: `op == "pop3.dele"`, Then: Defer}}, false, false},
		{"all is allowed", []Rule{{Name: "r", When: `true`, Then: Allow}}, true, true},
		{"all is allowed here", []Rule{{Name: "r", When: `mailbox.name == "support@example.com"`, Then: Allow}}, true, true},
	}
	for _, test := range tests {
		f := pop3Facts()
		f.Mailbox.Shared = test.shared
		for _, protocol := range []member.Protocol{member.POP3, member.IMAP} {
			if got := mustCompile(t, test.rules...).For(f.Mailbox, protocol).OnlyAllows(); got != test.want {
				t.Errorf("%s, %s: %v", test.name, protocol, got)
			}
		}
	}
	if (&Chosen{}).OnlyAllows() {
		t.Error("without any rule nothing is known to be allowed")
	}
}

// One choice of rules serves all sessions of a mailbox at the same time; the
// race detector looks on.
func TestDecideIsSafeForManyAtOnce(t *testing.T) {
	p := mustCompile(t, exampleRules()...)
	f := changed(done(imapFacts()), toArchive)
	chosen := p.For(f.Mailbox, member.IMAP)
	var sessions sync.WaitGroup
	for range 8 {
		sessions.Go(func() {
			for range 50 {
				if got, err := chosen.Decide(f); err != nil || got.Verdict != Allow {
					t.Errorf("%+v, %v", got, err)
				}
				if got, err := p.Releasable(exampleShared, HeldFacts{Facts: f, FirstDeleted: daysAgo(1), FlagsFresh: true}); err != nil || !got.Due {
					t.Errorf("%+v, %v", got, err)
				}
			}
		})
	}
	sessions.Wait()
}

func TestFactsSurviveJSON(t *testing.T) {
	p := mustCompile(t, exampleRules()...)
	for _, f := range []*Facts{pop3Facts(), imapFacts(), done(imapFacts()), changed(done(imapFacts()), toArchive)} {
		// A time of this machine's clock has more in it than its text.
		f.Now = time.Now()
		for i := range f.Mailbox.Everyone.Used {
			f.Mailbox.Everyone.Used[i].LastSeen = f.Now.Add(-recently)
		}
		again := throughJSON(t, f)
		want, err1 := p.For(f.Mailbox, f.Member.Protocol).Decide(f)
		got, err2 := p.For(again.Mailbox, again.Member.Protocol).Decide(again)
		if got != want || err1 != nil || err2 != nil {
			t.Errorf("got %+v, %v; want %+v, %v", got, err2, want, err1)
		}
	}
}

func throughJSON(t interface{ Fatal(...any) }, f *Facts) *Facts {
	text, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	again := &Facts{}
	if err := json.Unmarshal(text, again); err != nil {
		t.Fatal(err)
	}
	return again
}

func BenchmarkDecide(b *testing.B) {
	p := mustCompile(b, exampleRules()...)
	for name, f := range map[string]*Facts{
		"pop3.dele": pop3Facts(), "imap.expunge": imapFacts(), "filing": changed(done(imapFacts()), toArchive),
		"unshared": changed(pop3Facts(), unshared),
	} {
		chosen := p.For(f.Mailbox, f.Member.Protocol)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := chosen.Decide(f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkFor(b *testing.B) {
	p := mustCompile(b, exampleRules()...)
	mailbox := pop3Facts().Mailbox
	for b.Loop() {
		p.For(mailbox, member.POP3)
	}
}

func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		mustCompile(b, exampleRules()...)
	}
}
