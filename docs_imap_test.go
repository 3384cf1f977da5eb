package mailguard

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"mailguard/config"
	"mailguard/member"
	"mailguard/policy"
)

// tableBehind returns the rows, cell by cell, of the table whose head is given.
func tableBehind(t *testing.T, page, head string) [][]string {
	t.Helper()
	_, rest, ok := strings.Cut(page, head+"\n")
	if !ok {
		t.Fatalf("the page has no table %q", head)
	}
	var rows [][]string
	for line := range strings.Lines(rest) {
		if !strings.HasPrefix(line, "|") {
			break
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	return rows[1:] // behind the line that parts it from its head
}

// between returns what stands between two pieces of a Go file.
func between(t *testing.T, file, begin, end string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), begin)
	inside, _, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no %q", file, begin)
	}
	return inside
}

// The tables of commands in docs/imap.md are those in the code, with the same
// treatment.
func TestIMAPCommandsAreDocumented(t *testing.T) {
	page := pages(t)["docs/imap.md"]
	treatment := make(map[string]string)
	for _, row := range tableBehind(t, page, "| command | treatment | in a guarded folder |") {
		for _, name := range names(row[:1]) {
			treatment[name] = row[1]
		}
	}
	const file = "proxy/imap/commands.go"
	table := between(t, file, "commands = map[string]spec{\n", "\n\t}\n")
	found := regexp.MustCompile(`(?m)^\t\t"([^"]+)":\s+\{\w+, (\w+), `).FindAllStringSubmatch(table, -1)
	if rows := strings.Count(table, "\t\t\""); rows != len(found) || rows < 40 {
		t.Errorf("%s has %d rows, and %d can be read", file, rows, len(found))
	}
	for _, m := range found {
		if treatment[m[1]] != m[2] {
			t.Errorf("%s: the guard's treatment is %q, the documentation says %q", m[1], m[2], treatment[m[1]])
		}
		delete(treatment, m[1])
	}
	for name := range treatment {
		t.Errorf("docs/imap.md has a row for %s, which the guard does not know", name)
	}
	var documented []string
	for _, row := range tableBehind(t, page, "| not offered | why |") {
		documented = append(documented, names(row[:1])...)
	}
	sameNames(t, "not offered", documented, quotedIn(between(t, file, "var unoffered = []string{", "\n}\n")))
}

// quotedIn are the texts in quotes of a list in Go, comments left out.
func quotedIn(list string) []string {
	list = regexp.MustCompile(`//.*`).ReplaceAllString(list, "")
	var all []string
	for _, m := range regexp.MustCompile(`"([^"]+)"`).FindAllStringSubmatch(list, -1) {
		all = append(all, m[1])
	}
	return all
}

// The table of capabilities is that in the code.
func TestIMAPCapabilitiesAreDocumented(t *testing.T) {
	documented := make(map[string]string)
	for _, row := range tableBehind(t, pages(t)["docs/imap.md"], "| capability | in a guarded mailbox | before the login |") {
		for _, name := range names(row[:1]) {
			documented[name] = row[1] + " " + row[2]
		}
	}
	table := between(t, "proxy/imap/capability.go", "passedCapabilities = map[string]announced{\n", "\n}\n")
	found := regexp.MustCompile(`"([^"]+)": \{(true|false), (true|false), (?:true|false)\}`).FindAllStringSubmatch(table, -1)
	if n := strings.Count(table, `": {`); n != len(found) || n < 20 {
		t.Errorf("the code has %d capabilities, and %d can be read", n, len(found))
	}
	said := strings.NewReplacer("true", "yes", "false", "no")
	for _, m := range found {
		if want := said.Replace(m[2] + " " + m[3]); documented[m[1]] != want {
			t.Errorf("%s: the code says %q, the documentation %q", m[1], want, documented[m[1]])
		}
		delete(documented, m[1])
	}
	for name := range documented {
		t.Errorf("docs/imap.md has %s, which is not passed on", name)
	}
}

// Whatever can happen to a command has its line in the list of what it means.
func TestIMAPTreatmentsAreDocumented(t *testing.T) {
	page := pages(t)["docs/imap.md"]
	var documented []string
	for _, row := range tableBehind(t, page, "| treatment | meaning |") {
		documented = append(documented, row[0])
	}
	inCode := find(t, `(?m)^\t(\w+)\s+treatment = `, "proxy/imap/commands.go")
	inCode = slices.DeleteFunc(inCode, func(name string) bool { return name == "notOffered" }) // has a table of its own
	sameNames(t, "treatments", documented, inCode)
}

// The warnings of check that the reference lists are in the code.
func TestWarningsOfCheckAreDocumented(t *testing.T) {
	var source strings.Builder
	for _, file := range []string{"cmd/mailguard/check.go", "proxy/pop3/capability.go", "proxy/imap/traps.go"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(text)
	}
	warnings := names(rowsBehind(t, pages(t)["docs/reference.md"], "| warning | |"))
	if len(warnings) < 8 {
		t.Errorf("only %q are documented", warnings)
	}
	for _, w := range warnings {
		if !strings.Contains(source.String(), w) {
			t.Errorf("%q is documented, and check does not say it", w)
		}
	}
}

// The rules for IMAP in the guide say what the table behind them says.
func TestIMAPRulesInTheGuideDecide(t *testing.T) {
	page := pages(t)["docs/guides/policies.md"]
	file := filepath.Join(t.TempDir(), "mailguard.yaml")
	text := fragmentWith(t, page, "imap.rename_folder")
	if err := os.WriteFile(file, []byte(minimal+text), 0o600); err != nil {
		t.Fatal(err)
	}
	loaded, problems := config.Load(file)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	rows := tableBehind(t, page, "| alice | `op` | `folder_use` | `destination_use` | rule | verdict |")
	ruled := make(map[string]bool)
	for _, row := range rows {
		facts := factsOf(row)
		decided, err := loaded.Policy.For(facts.Mailbox, facts.Member.Protocol).Decide(facts)
		if got, want := decided.Rule+" "+string(decided.Verdict), bare(row[4])+" "+bare(row[5]); got != want || err != nil {
			t.Errorf("%s: %s (%v), want %s", row[0], got, err, want)
		}
		ruled[decided.Rule] = true
	}
	for _, rule := range regexp.MustCompile(`- name: (\S+)`).FindAllStringSubmatch(text, -1) {
		if !ruled[rule[1]] {
			t.Errorf("no row shows what %s does", rule[1])
		}
	}
}

// fragmentWith is the fragment of a configuration that has a piece of text.
func fragmentWith(t *testing.T, page, piece string) string {
	t.Helper()
	for _, b := range blocks(page) {
		if b.kind == "fragment" && strings.Contains(b.text, piece) {
			return b.text
		}
	}
	t.Fatalf("the page has no fragment with %s", piece)
	return ""
}

func bare(cell string) string { return strings.Trim(cell, "`") }

// factsOf are the facts of one row of the guide's table.
func factsOf(row []string) *policy.Facts {
	op, now := policy.Op(bare(row[1])), time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)
	protocol := member.IMAP
	if op == policy.POP3Dele {
		protocol = member.POP3
	}
	facts := &policy.Facts{
		Op: op, Folder: "INBOX", FolderUse: bare(row[2]), DestinationUse: bare(row[3]), Now: now,
		Mailbox: policy.MailboxFacts{
			Name: "support@example.com", Shared: true, QuotaUsed: -1,
			Everyone: policy.Everyone{
				Configured: []member.Name{"alice", "bob"},
				Used:       []policy.Use{{Member: "alice", Protocol: protocol, LastSeen: now}, {Member: "bob", Protocol: protocol, LastSeen: now}},
			},
		},
		Member:  policy.MemberFacts{Name: "alice", Protocol: protocol, Proof: member.ByLogin},
		Message: policy.MessageFacts{FirstSeen: now, Size: 4711, FlagsKnown: protocol == member.IMAP},
	}
	for _, name := range []member.Name{"alice", "bob"} {
		if name != "bob" || !strings.Contains(row[0], "bob has not") {
			facts.Message.Fetched = append(facts.Message.Fetched, policy.Progress{Member: name, Protocol: protocol})
		}
	}
	if strings.Contains(row[0], "`$Done`") {
		facts.Message.Flags = []string{"$Done"}
	}
	return facts
}
