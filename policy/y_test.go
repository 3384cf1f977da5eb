package policy
import "cel.dev/cel-go/common/ast"
type celast = ast.Expr
