package policy
import ("testing";"fmt";"cel.dev/cel-go/cel")
func TestX(t *testing.T){
 env,err:=cel.NewEnv(cel.Variable("op",cel.StringType),cel.Variable("message.flags",cel.ListType(cel.StringType)),cel.Variable("message.age",cel.DurationType),cel.Variable("@done",cel.BoolType),
 cel.Macros(cel.GlobalMacro("everyone_is_done",0,func(eh cel.MacroExprFactory,_ celast,args []celast)(celast,*cel.Error){return eh.NewIdent("@done"),nil})),
 cel.ASTValidators(cel.ValidateDurationLiterals(),cel.ValidateRegexLiterals(),cel.ValidateTimestampLiterals(),cel.ValidateHomogeneousAggregateLiterals()),
 )
 if err!=nil{t.Fatal(err)}
 for _,s:=range []string{`message.foo == 1`,`op == 1`,`message.age < "30d"`,`op ==`,`1+2`,`mesage.flags.size()>0`,`message.flags.foo`,`op == "a" &&
   bar`,`everyone_is_done`,`everyone_is_done(1)`,`everyone_is_done()`,`message.age > duration("30d")`,`op.matches("(")`,`"\Flagged" in message.flags`,`message`,`foo(1)`,`op.foo()`,`op = "x"`,`op == 'x`,`has(message.flags)`,`message.flags in "x"`,`[1,"a"].size()>0`,`message.foo.bar`,`!op`,`op && true`,`"a" in op`,`message.flags.exists(message, message.foo == 1)`,`["x"].exists(message, message.flags == "a")`, `everyone_is_done() and true`,`"ü" == op && bar`,`op.size() > 3 ? true : 1`, `cel.bind(x,1,x)==1`,`1 == 1 1`,`(op == "x"`,`op == "x")`,``}{
  a,iss:=env.Compile(s)
  if iss.Err()!=nil { for _,e:=range iss.Errors(){ fmt.Printf("%q: %d:%d id=%d %s\n",s,e.Location.Line(),e.Location.Column(),e.ExprID,e.Message)}; continue}
  fmt.Printf("%q: OK %v\n",s,a.OutputType())
 }
}
