package policy

import (
	"errors"
	"fmt"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/interpreter"
)

// expression is one compiled condition. It is immutable and may be evaluated
// by any number of goroutines.
type expression struct {
	text    string
	program cel.Program
	asks    map[string]bool // the variables that it names
}

// mistake is one mistake in an expression, with its place in the text.
type mistake struct {
	line, column int // from 1
	text         string
}

// compile checks an expression and makes it ready; all its mistakes at once.
func compile(text string) (*expression, []mistake) {
	env, err := environment()
	if err != nil {
		return nil, []mistake{{1, 1, fmt.Sprintf("the rule language is not available: %v", err)}}
	}
	parsed, issues := env.Parse(text)
	if issues.Err() != nil {
		return nil, syntaxMistakes(text, issues.Errors())
	}
	checked, issues := env.Check(parsed)
	if issues.Err() != nil {
		return nil, typeMistakes(parsed.NativeRep(), issues.Errors())
	}
	if found := literalMistakes(checked.NativeRep()); len(found) > 0 {
		return nil, found
	}
	if checked.OutputType() != cel.BoolType {
		return nil, []mistake{{1, 1, fmt.Sprintf("a condition is true or false, but this is %s", typeName(checked.OutputType().String()))}}
	}
	program, err := env.Program(checked, programOptions(checked.NativeRep())...)
	if err != nil {
		return nil, []mistake{{1, 1, err.Error()}}
	}
	return &expression{text: text, program: program, asks: named(checked.NativeRep())}, nil
}

// named are the variables of an expression.
func named(checked *ast.AST) map[string]bool {
	names := make(map[string]bool)
	for _, reference := range checked.ReferenceMap() {
		if variableOf[reference.Name] != nil {
			names[reference.Name] = true
		}
	}
	return names
}

// programOptions bound what an evaluation may take. The bound is a number of
// steps and not a time: the same facts must give the same verdict on a busy
// machine. Without a loop (all, exists, map, ...) an evaluation takes no more
// steps than the expression has characters, and counting them costs more than
// they do.
func programOptions(checked *ast.AST) []cel.ProgramOption {
	options := []cel.ProgramOption{cel.EvalOptions(cel.OptOptimize)}
	if hasLoop(checked) {
		options = append(options, cel.CostLimit(maxCost))
	}
	return options
}

func hasLoop(checked *ast.AST) bool {
	found := false
	ast.PreOrderVisit(checked.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		found = found || e.Kind() == ast.ComprehensionKind
	}))
	return found
}

// holds evaluates the condition. An error means that a fact was missing, or
// that the expression could not be worked out.
func (e *expression) holds(a *activation) (bool, error) {
	value, _, err := e.program.Eval(a)
	if err != nil {
		return false, readable(err)
	}
	holds, ok := value.(types.Bool)
	if !ok {
		return false, fmt.Errorf("the expression gave neither true nor false but %s", value.Type().TypeName())
	}
	return bool(holds), nil
}

// The answers to whether a condition can hold, of what is known beforehand.
type chance int

const (
	never chance = iota
	perhaps
	always
)

// chance evaluates the condition with only a part of the facts. An error means
// nothing yet: it is met again when the deletion comes.
func (e *expression) chance(a *activation) chance {
	value, _, err := e.program.Eval(a)
	if err != nil {
		return perhaps
	}
	switch value {
	case types.True:
		return always
	case types.False:
		return never
	}
	return perhaps
}

// readable takes the library's wrapping off an error.
func readable(err error) error {
	var missing *FactError
	if errors.As(err, &missing) {
		return missing
	}
	var cancelled interpreter.EvalCancelledError
	if errors.As(err, &cancelled) && cancelled.Cause == interpreter.CostLimitExceeded {
		return fmt.Errorf("the expression takes more than %d steps", maxCost)
	}
	return err
}
