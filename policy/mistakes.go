package policy

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
)

// The library's own messages are made for programmers. What follows says the
// same for people, and gives the message as it is where it knows nothing
// better.
var (
	undeclared = regexp.MustCompile(`^undeclared reference to '([^']+)'`)
	noOverload = regexp.MustCompile(`^found no matching overload for '([^']+)' applied to '(.*)'$`)
	mismatch   = regexp.MustCompile(`^expected type '(.*)' but found '(.*)'$`)
	noField    = regexp.MustCompile(`^type '(.*)' does not support field selection$`)
	noToken    = regexp.MustCompile(`(?s)^token recognition error at: '(.*)'$`)
	tooMany    = regexp.MustCompile(`^(?:extraneous|mismatched) input '(.+?)' expecting`)
	notThere   = regexp.MustCompile(`^missing (.+?) at `)
)

// syntaxMistakes gives the first error only: those after it mostly follow from
// it.
func syntaxMistakes(text string, errs []*cel.Error) []mistake {
	e := errs[0]
	found := mistake{e.Location.Line(), e.Location.Column() + 1, syntaxText(strings.TrimPrefix(e.Message, "Syntax error: "))}
	found.line, found.column = max(found.line, 1), max(found.column, 1)
	if len([]rune(text)) > maxExpression {
		found.text = fmt.Sprintf("an expression has at most %d characters", maxExpression)
	}
	return []mistake{found}
}

func syntaxText(message string) string {
	if strings.Contains(message, "recursion") {
		return fmt.Sprintf("brackets and loops are nested deeper than %d levels", maxDepth)
	}
	if m := notThere.FindStringSubmatch(message); m != nil {
		return strings.Trim(m[1], "'") + " is missing"
	}
	if m := noToken.FindStringSubmatch(message); m != nil {
		return tokenText(m[1])
	}
	m := tooMany.FindStringSubmatch(message)
	if m == nil {
		return "this cannot be read: " + message
	}
	switch m[1] {
	case "<EOF>":
		return "the expression ends too early"
	case "and", "AND":
		return `"and" is written &&`
	case "or", "OR":
		return `"or" is written ||`
	}
	return fmt.Sprintf("%s is not expected here", m[1])
}

func tokenText(token string) string {
	switch {
	case strings.HasPrefix(token, "="):
		return "= is written == to compare"
	case strings.ContainsAny(token[:min(1, len(token))], `"'`) && strings.Contains(token, `\`):
		return `a backslash within quotes is written \\`
	case strings.ContainsAny(token[:min(1, len(token))], `"'`):
		return "the quotes are not closed"
	}
	return fmt.Sprintf("%s cannot be read", token)
}

// typeMistakes gives all errors of an expression that could be read.
func typeMistakes(parsed *ast.AST, errs []*cel.Error) []mistake {
	byID := map[int64]ast.Expr{}
	ast.PreOrderVisit(parsed.Expr(), ast.NewExprVisitor(func(e ast.Expr) { byID[e.ID()] = e }))
	var found []mistake
	for _, e := range errs {
		m := mistake{e.Location.Line(), e.Location.Column() + 1, ""}
		expr := byID[e.ExprID]
		if name := undeclared.FindStringSubmatch(e.Message); name != nil {
			m = undeclaredMistake(m, parsed, name[1], expr)
		} else {
			m.text = typeText(e.Message, expr)
		}
		m.line, m.column = max(m.line, 1), max(m.column, 1)
		found = append(found, m)
	}
	return found
}

// undeclaredMistake says what there is instead of a name that there is not.
// The library points to the dot of a field and to the bracket of a call; people
// want to see the name.
func undeclaredMistake(at mistake, parsed *ast.AST, name string, expr ast.Expr) mistake {
	switch {
	case expr != nil && expr.Kind() == ast.CallKind:
		return noSuchCall(at, parsed, name, expr.AsCall())
	case expr != nil && expr.Kind() == ast.SelectKind:
		return noSuchField(at, parsed, name, expr)
	case functions[name] != "":
		at.text = fmt.Sprintf("%s is a function: write %s", name, functions[name])
	case fields(name) != nil:
		at.text = fmt.Sprintf("%s is no value itself: name what of it is meant, %s", name, enumerate(fields(name), "or"))
	default:
		at.text = fmt.Sprintf("there is no %q", name) + meant(name, allNames())
	}
	return at
}

// noSuchCall is about a function or method. The name holds dots if what stands
// before the method does not exist either.
func noSuchCall(at mistake, parsed *ast.AST, name string, call ast.CallExpr) mistake {
	at.column -= len(call.FunctionName())
	object, field, dotted := strings.Cut(name, ".")
	switch {
	case dotted && call.Target() != nil && call.Target().Kind() == ast.SelectKind:
		start := parsed.SourceInfo().GetStartLocation(call.Target().ID())
		return noSuchField(mistake{start.Line(), start.Column() + 1, ""}, parsed, name, call.Target())
	case dotted && slices.Contains(fields(object), field):
		at.text = fmt.Sprintf("%s is no function: write it without brackets", name)
	default:
		at.text = noFunction(call.FunctionName())
	}
	return at
}

// noSuchField is about object.field, where one of both does not exist.
func noSuchField(at mistake, parsed *ast.AST, name string, expr ast.Expr) mistake {
	object, _, _ := strings.Cut(name, ".")
	of := fields(object)
	if of == nil {
		start := parsed.SourceInfo().GetStartLocation(expr.AsSelect().Operand().ID())
		at.line, at.column = start.Line(), start.Column()+1
		at.text = fmt.Sprintf("there is no %q", object) + meant(object, append(allNames(), "mailbox", "member", "message"))
		return at
	}
	field := expr.AsSelect().FieldName()
	at.column++
	has := "it has " + enumerate(of, "and")
	if similar := nearest(field, of); similar != "" {
		has = fmt.Sprintf("did you mean %s.%s? It has %s", object, similar, enumerate(of, "and"))
	}
	at.text = fmt.Sprintf("%s has no field %q: %s", object, field, has)
	return at
}

func noFunction(name string) string {
	if how := functions[name]; how != "" {
		return fmt.Sprintf("%s is written %s", name, how)
	}
	return fmt.Sprintf("there is no function %q", name) + meant(name, slices.Sorted(maps.Keys(functions)))
}

func meant(name string, candidates []string) string {
	if similar := nearest(name, candidates); similar != "" {
		return fmt.Sprintf("; did you mean %s?", similar)
	}
	return ""
}

// allNames are the names that stand alone, functions included.
func allNames() []string {
	var found []string
	for _, v := range variables {
		if !strings.Contains(v.name, ".") {
			found = append(found, v.name)
		}
	}
	return append(found, slices.Sorted(maps.Keys(functions))...)
}

// typeText explains an error of types.
func typeText(message string, expr ast.Expr) string {
	if m := noOverload.FindStringSubmatch(message); m != nil {
		return overloadText(m[1], m[2])
	}
	if m := mismatch.FindStringSubmatch(message); m != nil {
		return fmt.Sprintf("this is %s, where %s is needed", typeName(m[2]), typeName(m[1]))
	}
	if m := noField.FindStringSubmatch(message); m != nil {
		return fmt.Sprintf("%s has no fields", typeName(m[1]))
	}
	of := "this"
	if expr != nil && expr.Kind() == ast.LiteralKind {
		of = fmt.Sprintf("%q", fmt.Sprint(expr.AsLiteral().Value()))
	}
	switch message {
	case "invalid duration argument":
		return of + ` is not a duration: write days(30) or duration("36h")`
	case "invalid timestamp argument":
		return of + ` is not a time: write timestamp("2006-01-02T15:04:05Z")`
	case "invalid matches argument":
		return of + " is not a regular expression"
	}
	if strings.Contains(message, "regex program size") {
		return of + " is too large a regular expression"
	}
	return message
}
