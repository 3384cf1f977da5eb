package policy

import (
	"net/netip"
	"testing"
	"time"

	"mailguard/member"
)

// today is the present of all tests.
var today = time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)

func daysAgo(n int) time.Time { return today.Add(-time.Duration(n) * day) }

// exampleRules are the rules of the example configuration.
func exampleRules() []Rule {
	return []Rule{
		{Name: "junk-may-go", When: `folder_use == "junk" && op == "imap.expunge"`, Then: Allow},
		{Name: "drafts-may-go", When: `folder_use == "drafts" && op == "imap.expunge"`, Then: Allow},
		{Name: "filing-what-everyone-has-dealt-with",
			When: `op == "imap.move" && destination_use == "archive" && everyone_is_done()`, Then: Allow},
		{Name: "nobody-deletes-folders",
			When: `mailbox.shared && op in ["imap.delete_folder", "imap.rename_folder"]`, Then: Refuse,
			Message: "Folders of a shared mailbox are deleted by the administrator."},
		{Name: "shared-mail-stays-until-everyone-is-done", When: `mailbox.shared`, Then: Defer, Anonymous: AnonymousHide,
			Release: &Release{When: `everyone_is_done()`, After: 90 * day, Unless: `"\\Flagged" in message.flags`}},
	}
}

func mustCompile(t testing.TB, rules ...Rule) *Policy {
	t.Helper()
	p, found := Compile(rules)
	if len(found) > 0 {
		t.Fatal(found)
	}
	return p
}

// pop3Facts is a POP3 deletion in a mailbox that alice, bob and carol read by
// POP3, and in which alice alone has deleted the message.
func pop3Facts() *Facts {
	return &Facts{
		Op:     POP3Dele,
		Folder: "INBOX",
		Mailbox: MailboxFacts{
			Name: "support@example.com", Shared: true, QuotaUsed: -1,
			Everyone: Everyone{
				Configured:   []member.Name{"alice", "bob", "carol"},
				Used:         []Use{{"alice", member.POP3, today}, {"bob", member.POP3, daysAgo(1)}, {"carol", member.POP3, daysAgo(2)}},
				WatchedSince: daysAgo(365),
				LearnFor:     30 * day,
			},
		},
		Member: MemberFacts{Name: "alice", Protocol: member.POP3, Address: netip.MustParseAddr("192.0.2.17"), Proof: member.ByLogin},
		Message: MessageFacts{
			FirstSeen: daysAgo(3), Size: 4711, FlagsKnown: true,
			Fetched: []Progress{{"alice", member.POP3}, {"bob", member.POP3}},
			Deleted: []Progress{{"alice", member.POP3}},
		},
		Now: today,
	}
}

// imapFacts is the same by IMAP.
func imapFacts() *Facts {
	f := pop3Facts()
	f.Op = IMAPExpunge
	f.Member.Protocol = member.IMAP
	for _, list := range [][]Progress{f.Message.Fetched, f.Message.Deleted} {
		for i := range list {
			list[i].Protocol = member.IMAP
		}
	}
	for i := range f.Mailbox.Everyone.Used {
		f.Mailbox.Everyone.Used[i].Protocol = member.IMAP
	}
	return f
}

// done lets all three members have deleted the message.
func done(f *Facts) *Facts {
	f.Message.Deleted = nil
	for _, name := range []member.Name{"alice", "bob", "carol"} {
		f.Message.Deleted = append(f.Message.Deleted, Progress{name, f.Member.Protocol})
	}
	return f
}

// changed is a copy to which a change was made.
func changed(f *Facts, change func(*Facts)) *Facts {
	change(f)
	return f
}
