package policy

import (
	"fmt"
	"net/netip"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"mailguard/member"
)

// spelling is what a variable can be: a rule that compares it with anything
// else never matches, and nobody would notice.
type spelling struct {
	words  []string
	closed bool // nothing else can come; otherwise only what looks like one of the words is a mistake
}

var ops = []string{string(POP3Dele), string(IMAPExpunge), string(IMAPMove), string(IMAPReplace),
	string(IMAPDeleteFolder), string(IMAPRenameFolder)}

// specialUses are the special uses of RFC 6154, 2, in lower case and without the
// backslash. Servers may have others.
var specialUses = []string{"all", "archive", "drafts", "flagged", "junk", "sent", "trash"}

var spellings = map[string]spelling{
	"op":              {ops, true},
	"folder_use":      {append([]string{""}, specialUses...), false},
	"destination_use": {append([]string{""}, specialUses...), false},
	"member.protocol": {[]string{string(member.POP3), string(member.IMAP)}, true},
	"member.proof": {[]string{string(member.ByNobody), string(member.ByLogin), string(member.ByPassword),
		string(member.ByCertificate), string(member.ByNetwork), string(member.ByAddress)}, true},
	// The system flags, spelt as in RFC 9051, 2.3.2. Keywords are open.
	"message.flags": {[]string{`\Seen`, `\Answered`, `\Flagged`, `\Deleted`, `\Draft`, `\Recent`}, false},
}

// literalMistakes finds constants that can never be right.
func literalMistakes(checked *ast.AST) []mistake {
	l := literals{checked: checked}
	ast.PreOrderVisit(checked.Expr(), ast.NewExprVisitor(l.visit))
	return l.found
}

type literals struct {
	checked *ast.AST
	found   []mistake
}

func (l *literals) visit(e ast.Expr) {
	if e.Kind() != ast.CallKind {
		return
	}
	args := e.AsCall().Args()
	switch name := e.AsCall().FunctionName(); {
	case (name == operators.Equals || name == operators.NotEquals) && len(args) == 2:
		l.compared(args[0], args[1])
		l.compared(args[1], args[0])
	case name == operators.In && len(args) == 2:
		l.compared(args[1], args[0]) // "x" in message.flags
		if args[1].Kind() == ast.ListKind {
			for _, element := range args[1].AsList().Elements() {
				l.compared(args[0], element)
			}
		}
	case name == "in_network" && len(args) == 2:
		l.network(args[1])
	case name == "days" && len(args) == 1:
		l.days(args[0])
	}
}

// compared checks a constant that a variable is compared with.
func (l *literals) compared(with, constant ast.Expr) {
	text, ok := literal[types.String](constant)
	if !ok || with.Kind() != ast.IdentKind {
		return
	}
	known, ok := spellings[with.AsIdent()]
	if !ok {
		return
	}
	if complaint := known.check(with.AsIdent(), string(text)); complaint != "" {
		l.add(constant, complaint)
	}
}

// check says what is wrong with a constant, or nothing.
func (s spelling) check(variable, text string) string {
	for _, word := range s.words {
		if text == word {
			return ""
		}
	}
	similar := nearest(text, s.words)
	switch {
	case similar != "":
		return fmt.Sprintf("%s is never %s: did you mean %s?", variable, quote(text), quote(similar))
	case s.closed:
		return fmt.Sprintf("%s is never %s: it is %s", variable, quote(text), oneOf(s.words))
	}
	return ""
}

func (l *literals) network(constant ast.Expr) {
	text, ok := literal[types.String](constant)
	if !ok {
		return
	}
	if _, err := netip.ParsePrefix(string(text)); err != nil {
		l.add(constant, notANetwork(string(text)))
	}
}

// notANetwork says how a network is written, for one that could not be read.
func notANetwork(text string) string {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		return fmt.Sprintf("%q is an address, not a network: write %q", text, netip.PrefixFrom(addr, addr.BitLen()).String())
	}
	return fmt.Sprintf(`%q is not a network: it is written like "192.0.2.0/24" or "2001:db8::/32"`, text)
}

func (l *literals) days(constant ast.Expr) {
	n, ok := literal[types.Int](constant)
	if ok && (n < 0 || int64(n) > maxDays) {
		l.add(constant, fmt.Sprintf("days takes a number from 0 to %d", maxDays))
	}
}

func (l *literals) add(at ast.Expr, text string) {
	start := l.checked.SourceInfo().GetStartLocation(at.ID())
	l.found = append(l.found, mistake{start.Line(), start.Column() + 1, text})
}

func literal[T any](e ast.Expr) (T, bool) {
	var none T
	if e.Kind() != ast.LiteralKind {
		return none, false
	}
	value, ok := e.AsLiteral().(T)
	return value, ok
}

// quote writes a text as a rule writes it.
func quote(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

// oneOf lists texts as a sentence does: "a", "b" or "c".
func oneOf(words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = quote(word)
	}
	return enumerate(quoted, "or")
}
