package policy

import (
	"math"
	"net/netip"
	"sync"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

const (
	// maxExpression is the longest expression, in characters. The longest that
	// anybody has written has three hundred.
	maxExpression = 10_000
	// maxDepth is how deep brackets and loops may be nested. Checking types
	// takes the cube of it: seconds for CEL's own limit of 250.
	maxDepth = 50
	// maxCost is how many steps one evaluation may take: ten milliseconds. All
	// members against all who have fetched it is the square of the members, so
	// that this is enough for three hundred of them.
	maxCost = 100_000
	// maxRegexProgram bounds what a regular expression may grow to: "(a{99}){99}"
	// is short to write.
	maxRegexProgram = 10_000
	// maxDays is the longest duration, 292 years.
	maxDays = math.MaxInt64 / int64(day)

	day = 24 * time.Hour
)

// functions are the names of the functions that are ours, with the way to
// write them.
var functions = map[string]string{
	"everyone_is_done":     "everyone_is_done()",
	"everyone_has_fetched": "everyone_has_fetched()",
	"days":                 "days(30)",
	"in_network":           `in_network(member.address, "192.0.2.0/24")`,
}

// environment is what expressions may use. It takes milliseconds to build and
// never changes.
var environment = sync.OnceValues(func() (*cel.Env, error) {
	options := []cel.EnvOption{
		cel.Variable(doneVariable, cel.BoolType),
		cel.Variable(fetchedVariable, cel.BoolType),
		cel.Macros(
			cel.GlobalMacro("everyone_is_done", 0, rewriteTo(doneVariable)),
			cel.GlobalMacro("everyone_has_fetched", 0, rewriteTo(fetchedVariable)),
		),
		cel.Function("days", cel.Overload("days_int", []*cel.Type{cel.IntType}, cel.DurationType,
			cel.UnaryBinding(days))),
		cel.Function("in_network", cel.Overload("in_network_string_string",
			[]*cel.Type{cel.StringType, cel.StringType}, cel.BoolType, cel.BinaryBinding(inNetwork))),
		cel.ParserExpressionSizeLimit(maxExpression),
		cel.ParserRecursionLimit(maxDepth),
		cel.RegexProgramSizeLimit(maxRegexProgram),
		cel.ASTValidators(
			cel.ValidateDurationLiterals(),
			cel.ValidateTimestampLiterals(),
			cel.ValidateRegexLiterals(),
			cel.ValidateHomogeneousAggregateLiterals(),
		),
	}
	for _, v := range variables {
		options = append(options, cel.Variable(v.name, v.typ))
	}
	return cel.NewEnv(options...)
})

// rewriteTo makes a call without arguments a variable: a function of its own
// would not see the facts.
func rewriteTo(name string) cel.MacroFactory {
	return func(helper cel.MacroExprFactory, _ ast.Expr, _ []ast.Expr) (ast.Expr, *cel.Error) {
		return helper.NewIdent(name), nil
	}
}

// days is the function of that name: CEL's own durations end at hours.
func days(value ref.Val) ref.Val {
	n, ok := value.(types.Int)
	if !ok {
		return types.MaybeNoSuchOverloadErr(value)
	}
	if n < 0 || int64(n) > maxDays {
		return types.NewErr("days(%d): a number from 0 to %d is needed", int64(n), maxDays)
	}
	return types.Duration{Duration: time.Duration(n) * day}
}

// inNetwork is the function in_network(address, cidr).
func inNetwork(left, right ref.Val) ref.Val {
	address, ok := left.(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(left)
	}
	cidr, ok := right.(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(right)
	}
	parsed, err := netip.ParseAddr(string(address))
	if err != nil {
		return types.NewErr("in_network: %q is not an address", string(address))
	}
	network, err := netip.ParsePrefix(string(cidr))
	if err != nil {
		return types.NewErr("in_network: %s", notANetwork(string(cidr)))
	}
	// A zone ("fe80::1%eth0") never is in a prefix, so it is left out.
	return types.Bool(network.Contains(parsed.Unmap().WithZone("")))
}
