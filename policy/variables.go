package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"mailguard/member"
)

// variable is one name that expressions may use. A dotted name is one
// variable, not a field of a value: so each fact is fetched only when an
// expression reaches it, and one that is not known spoils only the expressions
// that need it.
type variable struct {
	name      string
	typ       *cel.Type
	atOpening bool // known when a mailbox is opened, and the same for the whole session
	value     func(*Facts) ref.Val
}

// variables are all of them, in the order in which the documentation lists
// them.
var variables = []variable{
	{"op", cel.StringType, false, func(f *Facts) ref.Val { return known("op", string(f.Op)) }},
	{"folder", cel.StringType, false, func(f *Facts) ref.Val { return types.String(f.Folder) }},
	{"destination", cel.StringType, false, func(f *Facts) ref.Val { return types.String(f.Destination) }},
	{"folder_use", cel.StringType, false, func(f *Facts) ref.Val { return types.String(f.FolderUse) }},
	{"destination_use", cel.StringType, false, func(f *Facts) ref.Val { return types.String(f.DestinationUse) }},
	{"mailbox.name", cel.StringType, true, func(f *Facts) ref.Val { return types.String(f.Mailbox.Name) }},
	{"mailbox.domain", cel.StringType, true, func(f *Facts) ref.Val { return types.String(f.Mailbox.Name.Domain()) }},
	{"mailbox.shared", cel.BoolType, true, func(f *Facts) ref.Val { return types.Bool(f.Mailbox.Shared) }},
	{"mailbox.members", textList, true, func(f *Facts) ref.Val { return list(f.Mailbox.Everyone.Members()) }},
	{"mailbox.quota_used", cel.IntType, false, func(f *Facts) ref.Val { return types.Int(f.Mailbox.QuotaUsed) }},
	{"member.name", cel.StringType, false, func(f *Facts) ref.Val { return types.String(f.Member.Name) }},
	{"member.anonymous", cel.BoolType, false, func(f *Facts) ref.Val { return types.Bool(f.Member.Name.Anonymous()) }},
	{"member.protocol", cel.StringType, true, func(f *Facts) ref.Val { return known("member.protocol", string(f.Member.Protocol)) }},
	{"member.address", cel.StringType, false, address},
	{"member.client", cel.StringType, false, func(f *Facts) ref.Val { return types.String(f.Member.Client) }},
	{"member.proof", cel.StringType, false, func(f *Facts) ref.Val { return types.String(f.Member.Proof) }},
	{"message.age", cel.DurationType, false, age},
	{"message.size", cel.IntType, false, func(f *Facts) ref.Val { return types.Int(f.Message.Size) }},
	{"message.flags", textList, false, flags},
	{"message.fetched_by", textList, false, func(f *Facts) ref.Val { return list(names(f.Message.Fetched)) }},
	{"message.deleted_by", textList, false, func(f *Facts) ref.Val { return list(names(f.Message.Deleted)) }},
	{"message.held", cel.BoolType, false, func(f *Facts) ref.Val { return types.Bool(f.Message.Held) }},
	{"message.pinned", cel.BoolType, false, func(f *Facts) ref.Val { return types.Bool(f.Message.Pinned) }},
	{"now", cel.TimestampType, false, now},
}

var textList = cel.ListType(cel.StringType)

// variableOf finds a variable by its name.
var variableOf = func() map[string]*variable {
	byName := make(map[string]*variable, len(variables))
	for i := range variables {
		byName[variables[i].name] = &variables[i]
	}
	return byName
}()

// fields are the names behind "object." in the order of the table, or nil if
// there is no such object.
func fields(object string) []string {
	var found []string
	for i := range variables {
		if field, ok := strings.CutPrefix(variables[i].name, object+"."); ok {
			found = append(found, field)
		}
	}
	return found
}

// FactError says that a fact which an expression needs could not be had.
type FactError struct {
	Fact  string // the variable, as rules write it
	Why   string // for people
	Stale bool   // the fact is known, but not freshly enough for a release
}

func (e *FactError) Error() string {
	return fmt.Sprintf("%s is not known: %s", e.Fact, e.Why)
}

// missing is the value of a fact that could not be had. It is made anew each
// time, because an evaluation writes its position into it.
func missing(fact, why string) ref.Val {
	return types.WrapErr(&FactError{Fact: fact, Why: why})
}

// known is the text of a fact that is never empty.
func known(fact, text string) ref.Val {
	if text == "" {
		return missing(fact, "it was not recorded")
	}
	return types.String(text)
}

func address(f *Facts) ref.Val {
	if !f.Member.Address.IsValid() {
		return missing("member.address", "it was not recorded")
	}
	return types.String(f.Member.Address.Unmap().String())
}

func age(f *Facts) ref.Val {
	if f.Message.FirstSeen.IsZero() || f.Now.IsZero() {
		return missing("message.age", "nobody knows since when the message is there")
	}
	return types.Duration{Duration: since(f.Now, f.Message.FirstSeen)}
}

func flags(f *Facts) ref.Val {
	if !f.Message.FlagsKnown {
		return missing("message.flags", "nobody has looked at the message over IMAP yet")
	}
	return list(f.Message.Flags)
}

func now(f *Facts) ref.Val {
	if f.Now.IsZero() {
		return missing("now", "the time was not recorded")
	}
	// UTC, so that now.getHours() does not depend on the machine.
	return types.Timestamp{Time: f.Now.Round(0).UTC()}
}

// since is the time from then to now by the wall clock. What is read back from
// the ledger has no monotonic reading, and must decide the same.
func since(now, then time.Time) time.Duration {
	return now.Round(0).Sub(then.Round(0))
}

// list is a list of texts as expressions see it.
func list(texts []string) ref.Val {
	return types.NewStringList(types.DefaultTypeAdapter, texts)
}

// names are the members who did something, each once. The anonymous member is
// left out: that somebody did it says of nobody that they did.
func names(done []Progress) []string {
	found := make([]string, 0, len(done))
	for _, p := range done {
		if !p.Member.Anonymous() && !slices.Contains(found, string(p.Member)) {
			found = append(found, string(p.Member))
		}
	}
	return found
}

// Members are the names that mailbox.members lists: the configured ones, or
// those learned from use where none are configured.
func (e *Everyone) Members() []string {
	if len(e.Configured) > 0 {
		return texts(e.Configured)
	}
	var learned []string
	for _, use := range e.Used {
		if !use.Member.Anonymous() && !slices.Contains(learned, string(use.Member)) {
			learned = append(learned, string(use.Member))
		}
	}
	return learned
}

func texts(names []member.Name) []string {
	converted := make([]string, len(names))
	for i, name := range names {
		converted[i] = string(name)
	}
	return converted
}
