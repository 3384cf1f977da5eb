package policy

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestCompileReportsMistakesInExpressions(t *testing.T) {
	tests := []struct {
		name, when   string
		line, column int
		text         string
	}{
		{"unknown field", `op == "pop3.dele" && message.foo == 1`, 1, 30, `message has no field "foo": it has age, size, flags, fetched_by, deleted_by, held and pinned`},
		{"misspelt field", `message.flgs.size() > 0`, 1, 9, `message has no field "flgs": did you mean message.flags? It has age, size, flags, fetched_by, deleted_by, held and pinned`},
		{"misspelt object", `mesage.flags.size() > 0`, 1, 1, `there is no "mesage"; did you mean message?`},
		{"object alone", `message == true`, 1, 1, `message is no value itself: name what of it is meant, age, size, flags, fetched_by, deleted_by, held or pinned`},
		{"misspelt variable", `folder_us == "junk"`, 1, 1, `there is no "folder_us"; did you mean folder_use?`},
		{"unknown variable", `mailbox.shared && weather`, 1, 19, `there is no "weather"`},
		{"second line", "mailbox.shared &&\n  bar", 2, 3, `there is no "bar"`},
		{"characters, not octets", `folder == "ü" && bar`, 1, 18, `there is no "bar"`},
		{"function without brackets", `everyone_is_done`, 1, 1, `everyone_is_done is a function: write everyone_is_done()`},
		{"function with argument", `everyone_is_done(1)`, 1, 1, `everyone_is_done is written everyone_is_done()`},
		{"misspelt function", `true && everyone_is_don()`, 1, 9, `there is no function "everyone_is_don"; did you mean everyone_is_done?`},
		{"unknown method", `op.foo()`, 1, 4, `there is no function "foo"`},
		{"field of a field", `message.foo.bar == 1`, 1, 9, `message has no field "foo": it has age, size, flags, fetched_by, deleted_by, held and pinned`},
		{"macro on a misspelt field", `message.flgs.exists(f, f == "a")`, 1, 9, `message has no field "flgs": did you mean message.flags? It has age, size, flags, fetched_by, deleted_by, held and pinned`},
		{"field called", `message.size() > 0`, 1, 9, `message.size is no function: write it without brackets`},
		{"field of a text", `op.foo == "x"`, 1, 3, `a text has no fields`},
		{"wrong type", `op == 1`, 1, 4, `== cannot compare a text with a number`},
		{"age against text", `message.age < "30d"`, 1, 13, `< cannot compare a duration with a text; a duration is written days(30) or duration("36h")`},
		{"in a text", `message.flags in "x"`, 1, 15, `in needs a list behind it, of what stands before it: this is a list of texts in a text`},
		{"text as condition", `op && true`, 1, 1, `this is a text, where true or false is needed`},
		{"not of a text", `!op`, 1, 1, `! does not work on a text`},
		{"days of a text", `message.age > days("30")`, 1, 19, `days is written days(30), not with a text`},
		{"function of other types", `op.startsWith(1)`, 1, 14, `startsWith does not take a text and a number`},
		{"not a condition", `1 + 2`, 1, 1, `a condition is true or false, but this is a number`},
		{"a list is no condition", `message.flags`, 1, 1, `a condition is true or false, but this is a list of texts`},
		{"duration literal", `message.age > duration("30d")`, 1, 24, `"30d" is not a duration: write days(30) or duration("36h")`},
		{"timestamp literal", `now > timestamp("tomorrow")`, 1, 17, `"tomorrow" is not a time: write timestamp("2006-01-02T15:04:05Z")`},
		{"regular expression", `folder.matches("(")`, 1, 16, `"(" is not a regular expression`},
		{"mixed list", `op in ["pop3.dele", 1]`, 1, 21, `this is a number, where a text is needed`},
		{"ends early", `op ==`, 1, 6, `the expression ends too early`},
		{"single equals sign", `op = "pop3.dele"`, 1, 4, `= is written == to compare`},
		{"backslash", `"\Flagged" in message.flags`, 1, 1, `a backslash within quotes is written \\`},
		{"open quotes", `op == 'x`, 1, 7, `the quotes are not closed`},
		{"and in words", `mailbox.shared and true`, 1, 16, `"and" is written &&`},
		{"or in words", `mailbox.shared or true`, 1, 16, `"or" is written ||`},
		{"bracket missing", `(op == "x"`, 1, 11, `) is missing`},
		{"bracket too many", `op == "pop3.dele")`, 1, 18, `) is not expected here`},
		{"strange character", `op == #`, 1, 7, `# cannot be read`},
		{"misspelt op", `op == "pop3.del"`, 1, 7, `op is never "pop3.del": did you mean "pop3.dele"?`},
		{"misspelt op before", `"imap.expung" != op`, 1, 1, `op is never "imap.expung": did you mean "imap.expunge"?`},
		{"misspelt op in a list", `op in ["imap.move", "imap.remove_everything"]`, 1, 21, `op is never "imap.remove_everything": it is "pop3.dele", "imap.expunge", "imap.move", "imap.replace", "imap.delete_folder" or "imap.rename_folder"`},
		{"protocol", `member.protocol == "POP3"`, 1, 20, `member.protocol is never "POP3": did you mean "pop3"?`},
		{"proof", `member.proof in ["passwort"]`, 1, 18, `member.proof is never "passwort": did you mean "password"?`},
		{"special use", `folder_use == "\\Trash"`, 1, 15, `folder_use is never "\\Trash": did you mean "trash"?`},
		{"flag without backslash", `"Flagged" in message.flags`, 1, 1, `message.flags is never "Flagged": did you mean "\\Flagged"?`},
		{"flag in lower case", `"\\flagged" in message.flags`, 1, 1, `message.flags is never "\\flagged": did you mean "\\Flagged"?`},
		{"address for a network", `in_network(member.address, "192.0.2.17")`, 1, 28, `"192.0.2.17" is an address, not a network: write "192.0.2.17/32"`},
		{"no network", `in_network(member.address, "office")`, 1, 28, `"office" is not a network: it is written like "192.0.2.0/24" or "2001:db8::/32"`},
		{"too many days", `message.age > days(200000)`, 1, 20, `days takes a number from 0 to 106751`},
		{"negative days", `message.age > days(-1)`, 1, 20, `days takes a number from 0 to 106751`},
		{"nested too deep", strings.Repeat("(", 60) + "true" + strings.Repeat(")", 60), 1, 1, `brackets and loops are nested deeper than 50 levels`},
		{"regular expression too large", `folder.matches("` + strings.Repeat("a{900}", 12) + `")`, 1, 16, `"` + strings.Repeat("a{900}", 12) + `" is too large a regular expression`},
		{"too long", `"` + strings.Repeat("x", maxExpression) + `" == op`, 1, 1, `an expression has at most 10000 characters`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p, found := Compile([]Rule{{Name: "r", When: test.when, Then: Allow}})
			if p != nil || len(found) != 1 {
				t.Fatalf("policy %v, mistakes %v", p, found)
			}
			got := *found[0]
			want := RuleError{0, "when", test.line, test.column, test.text}
			if got != want {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

func TestCompileAcceptsWhatOnlyLooksWrong(t *testing.T) {
	for _, when := range []string{
		`folder_use == "important"`, // servers may have other uses than RFC 6154
		`folder_use == ""`,
		`"$Forwarded" in message.flags`,
		`"project-x" in message.flags`,
		`op.startsWith("pop3.")`,
		`member.proof == ""`,
		`folder.matches("^Projects/")`,
		`message.fetched_by.exists(message, message == member.name)`,
		`message.age > duration("36h") && now > timestamp("2026-01-01T00:00:00Z")`,
		`in_network(member.address, "2001:db8::/32") || in_network(member.address, "10.0.0.0/8")`,
	} {
		if _, found := Compile([]Rule{{Name: "r", When: when, Then: Allow}}); len(found) > 0 {
			t.Errorf("%s: %v", when, found)
		}
	}
}

func TestCompileReportsMistakesInRules(t *testing.T) {
	tests := []struct {
		name string
		rule Rule
		want string // field:line:column: text
	}{
		{"no name", Rule{When: "true", Then: Allow}, "name:0:0: the rule needs a name: held messages and the audit record refer to it"},
		{"blank name", Rule{Name: " ", When: "true", Then: Allow}, "name:0:0: the rule needs a name: held messages and the audit record refer to it"},
		{"name taken", Rule{Name: "first", When: "true", Then: Allow}, `name:1:1: "first" is the name of rule 1 too: held messages refer to a rule by its name`},
		{"name of a built-in", Rule{Name: BuiltinShared, When: "true", Then: Allow}, `name:1:1: "` + BuiltinShared + `" is the name of a built-in rule`},
		{"no when", Rule{Name: "r", Then: Allow}, "when:0:0: the rule needs a condition: when, for example mailbox.shared, or true if it always holds"},
		{"no then", Rule{Name: "r", When: "true"}, "then:0:0: then is allow, refuse or defer"},
		{"then unknown", Rule{Name: "r", When: "true", Then: "quarantine"}, `then:1:1: then cannot be "quarantine": then is allow, refuse or defer`},
		{"then misspelt", Rule{Name: "r", When: "true", Then: "Allow"}, `then:1:1: then cannot be "Allow": did you mean allow?`},
		{"anonymous unknown", Rule{Name: "r", When: "true", Then: Defer, Anonymous: "ignore"}, `anonymous:1:1: anonymous cannot be "ignore": anonymous is hide, refuse or accept`},
		{"anonymous without defer", Rule{Name: "r", When: "true", Then: Allow, Anonymous: AnonymousHide}, "anonymous:1:1: anonymous goes with then: defer only"},
		{"release without defer", Rule{Name: "r", When: "true", Then: Refuse, Release: &Release{When: "true"}}, "release:0:0: release goes with then: defer only: nothing else is held"},
		{"release without condition", Rule{Name: "r", When: "true", Then: Defer, Release: &Release{}}, "release:0:0: release names no condition: it needs when or after; leave release out to keep messages until an administrator decides"},
		{"release with unless only", Rule{Name: "r", When: "true", Then: Defer, Release: &Release{Unless: "message.pinned"}}, "release:0:0: release names no condition: it needs when or after; leave release out to keep messages until an administrator decides"},
		{"negative after", Rule{Name: "r", When: "true", Then: Defer, Release: &Release{After: -time.Hour}}, "release.after:1:1: after is a time since the first deletion, and cannot be negative"},
		{"release.when", Rule{Name: "r", When: "true", Then: Defer, Release: &Release{When: "everyone_is_done"}}, "release.when:1:1: everyone_is_done is a function: write everyone_is_done()"},
		{"release.unless", Rule{Name: "r", When: "true", Then: Defer, Release: &Release{After: 1, Unless: "message.pind"}}, `release.unless:1:9: message has no field "pind": did you mean message.pinned? It has age, size, flags, fetched_by, deleted_by, held and pinned`},
		{"message without refuse", Rule{Name: "r", When: "true", Then: Defer, Message: "No."}, "message:1:1: nobody would read the message: it goes with then: refuse, or with anonymous: refuse"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, found := Compile([]Rule{{Name: "first", When: "true", Then: Allow}, test.rule})
			if len(found) != 1 {
				t.Fatalf("mistakes: %v", found)
			}
			got := fmt.Sprintf("%s:%d:%d: %s", found[0].Field, found[0].Line, found[0].Column, found[0].Text)
			if got != test.want || found[0].Rule != 1 {
				t.Errorf("rule %d\ngot  %s\nwant %s", found[0].Rule, got, test.want)
			}
		})
	}
}

func TestCompileReportsAllMistakesAtOnce(t *testing.T) {
	_, found := Compile([]Rule{
		{When: `foo && bar && op == "x"`, Then: "no"},
		{Name: "b", When: `op ==`, Then: Defer, Release: &Release{When: "1", After: -1, Unless: "2"}},
	})
	var got []string
	for _, e := range found {
		got = append(got, fmt.Sprintf("%d %s %d:%d", e.Rule, e.Field, e.Line, e.Column))
	}
	want := "0 name 0:0, 0 when 1:1, 0 when 1:8, 0 then 1:1, " +
		"1 when 1:6, 1 release.after 1:1, 1 release.when 1:1, 1 release.unless 1:1"
	if strings.Join(got, ", ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, ", "), want)
	}
}

func TestCompileAllowsAMessageForAnAnonymousRefusal(t *testing.T) {
	_, found := Compile([]Rule{{Name: "r", When: "true", Then: Defer, Anonymous: AnonymousRefuse, Message: "Log in by name."}})
	if len(found) > 0 {
		t.Error(found)
	}
}

func TestNearest(t *testing.T) {
	words := []string{"alpha", "beta", `\Gamma`, ""}
	for text, want := range map[string]string{
		"alpha": "alpha", "alpa": "alpha", "Beta": "beta", "gamma": `\Gamma`, "gama": `\Gamma`,
		"omega": "", "": "", "x": "", "bt": "",
	} {
		if got := nearest(text, words); got != want {
			t.Errorf("nearest(%q) = %q, want %q", text, got, want)
		}
	}
}

// Whatever is written in a rule, it compiles or is a mistake with a place in
// it.
func FuzzCompile(f *testing.F) {
	for _, rule := range append(exampleRules(), Builtin()...) {
		f.Add(rule.When)
	}
	f.Add("message.foo.bar\n&& op in ['x'")
	f.Add(`[[1]].map(x, {"a": x})`)
	f.Fuzz(func(t *testing.T, text string) {
		_, mistakes := compile(text)
		for _, m := range mistakes {
			if m.line < 1 || m.column < 1 || m.text == "" {
				t.Errorf("%q: %+v", text, m)
			}
		}
	})
}
