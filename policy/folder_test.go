package policy

import (
	"errors"
	"testing"
	"time"

	"mailguard/member"
)

// A whole folder has no facts of a message: a rule that needs one decides
// nothing, and neither do those behind it.
func TestAFolderIsNoMessage(t *testing.T) {
	for _, c := range []struct {
		when string
		want Verdict // "": it cannot be decided
	}{
		{`folder_use == "trash"`, Allow},
		{`message.size < 1000`, ""},
		{`message.age < days(30)`, ""},
		{`!("bob" in message.fetched_by)`, ""},
		{`size(message.deleted_by) == 0`, ""},
		{`!message.held && !message.pinned`, ""},
		{`!(r"\Flagged" in message.flags)`, ""},
		{`everyone_is_done()`, ""},
		{`!everyone_has_fetched()`, ""},
		{`op == "imap.expunge" && message.size < 1000`, Refuse}, // it says of what it is
		{`message.size < 1000 && op == "imap.expunge"`, Refuse},
	} {
		p, mistakes := Compile([]Rule{{Name: "r", When: c.when, Then: Allow}, {Name: "rest", When: "true", Then: Refuse}})
		if len(mistakes) > 0 {
			t.Fatal(mistakes[0])
		}
		for _, op := range []Op{IMAPDeleteFolder, IMAPRenameFolder} {
			f := &Facts{
				Op: op, Folder: "Trash", FolderUse: "trash", Now: time.Now(), Mailbox: MailboxFacts{Shared: true},
				Member: MemberFacts{Name: "alice", Protocol: member.IMAP}, Message: MessageFacts{FirstSeen: time.Now(), FlagsKnown: true},
			}
			d, err := p.For(f.Mailbox, member.IMAP).Decide(f)
			var missing *FactError
			if d.Verdict != c.want || errors.As(err, &missing) != (c.want == "") {
				t.Errorf("%s, %s: %q, %v; want %q", op, c.when, d.Verdict, err, c.want)
			}
		}
	}
}
