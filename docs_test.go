package mailguard

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"mailguard/proxy/proxytest"
)

var update = flag.Bool("update", false, "write the generated part of docs/reference.md")

// binary builds mailguard once.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "mailguard-docs-")
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "mailguard")
	out, err := exec.Command("go", "build", "-o", name, "./cmd/mailguard").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	return name, err
})

func mailguard(t *testing.T, args ...string) (string, error) {
	t.Helper()
	name, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(name, args...).CombinedOutput()
	return string(out), err
}

func TestMain(m *testing.M) {
	status := m.Run()
	if name, err := binary(); err == nil {
		os.RemoveAll(filepath.Dir(name))
	}
	os.Exit(status)
}

// pages are the documents, by name.
func pages(t *testing.T) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/guides/*.md"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			all[name] = string(text)
		}
	}
	return all
}

var block = regexp.MustCompile("(?ms)^```(\\w+)( fragment)?\n(.*?)^```$")

// minimal is what a fragment is completed with.
const minimal = `listeners:
  - {protocol: pop3, address: "127.0.0.1:10995", tls: none}
upstreams:
  - {name: main, domains: ["*"], pop3: {address: "127.0.0.1:10110", tls: none}}
`

// Every configuration in the documentation is one that the program accepts.
func TestConfigurationsInTheDocumentation(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "tls"), 0o700); err != nil {
		t.Fatal(err)
	}
	cert, key, _ := proxytest.WriteCert(t, dir)
	for from, to := range map[string]string{cert: "tls/fullchain.pem", key: "tls/privkey.pem"} {
		if err := os.Rename(from, filepath.Join(dir, to)); err != nil {
			t.Fatal(err)
		}
	}
	check := func(name, text string) {
		file := filepath.Join(dir, "mailguard.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := mailguard(t, "check", "--offline", "-c", file); err != nil {
			t.Errorf("%s: %v\n%s\n%s", name, err, out, text)
		}
	}
	count := 0
	for name, page := range pages(t) {
		for _, m := range block.FindAllStringSubmatch(page, -1) {
			if m[1] != "yaml" {
				continue
			}
			count++
			if m[2] != "" {
				m[3] = minimal + m[3]
			}
			check(name, m[3])
		}
	}
	if count < 4 {
		t.Errorf("only %d configurations found", count)
	}
	example, err := os.ReadFile("docs/examples/mailguard.yaml")
	if err != nil {
		t.Fatal(err)
	}
	check("docs/examples/mailguard.yaml", string(example))
	tested, err := os.ReadFile("config/testdata/example/mailguard.yaml")
	if err != nil || !bytes.Equal(example, tested) {
		t.Errorf("docs/examples/mailguard.yaml is not the example that config tests: %v", err)
	}
}

// What the README shows of the demo is what the demo prints; "..." stands for
// what differs from run to run.
func TestConsoleBlocksAreWhatTheDemoPrints(t *testing.T) {
	out, err := mailguard(t, "demo", "--once", "--built-in")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, page := range pages(t) {
		for _, m := range block.FindAllStringSubmatch(page, -1) {
			if m[1] != "console" {
				continue
			}
			for line := range strings.Lines(m[3]) {
				if line = strings.TrimSpace(line); strings.HasPrefix(line, "$") {
					continue
				}
				words := strings.Fields(regexp.QuoteMeta(line))
				pattern := strings.ReplaceAll(strings.Join(words, `\s+`), `\.\.\.`, `\S+`)
				if !regexp.MustCompile(pattern).MatchString(out) {
					t.Errorf("%s shows a line that the demo does not print: %s", name, line)
				}
			}
		}
	}
}

func TestLinksLeadSomewhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]+)\)`)
	for name, page := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(page, -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(name), m[1])); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestMakeTargetsExist(t *testing.T) {
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	called := regexp.MustCompile(`(?m)^    make (\w+)`)
	for name, page := range pages(t) {
		for _, m := range called.FindAllStringSubmatch(page, -1) {
			if !regexp.MustCompile(`(?m)^` + m[1] + `:`).Match(makefile) {
				t.Errorf("%s: the Makefile has no target %s", name, m[1])
			}
		}
	}
}

// docs/failures.md names the test that shows each of its promises.
func TestNamedTestsExist(t *testing.T) {
	sources, err := exec.Command("sh", "-c", "cat $(find . -name '*_test.go')").Output()
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(pages(t)["docs/failures.md"], -1)
	if len(named) < 10 {
		t.Errorf("only %d tests are named", len(named))
	}
	for _, m := range named {
		if !strings.Contains(string(sources), "func "+m[1]+"(") {
			t.Errorf("docs/failures.md names %s, which does not exist", m[1])
		}
	}
}

// The table of POP3 commands in the documentation is the table in the code.
func TestPOP3CommandsAreDocumented(t *testing.T) {
	source, err := os.ReadFile("proxy/pop3/commands.go")
	if err != nil {
		t.Fatal(err)
	}
	page := pages(t)["docs/pop3.md"]
	var inCode []string
	for _, m := range regexp.MustCompile(`(?m)^\t\t"([A-Z0-9]+)":`).FindAllStringSubmatch(string(source), -1) {
		inCode = append(inCode, m[1])
		if !regexp.MustCompile("(?m)^\\| [^|]*`" + m[1] + "`").MatchString(page) {
			t.Errorf("docs/pop3.md has no row for %s", m[1])
		}
	}
	for _, m := range regexp.MustCompile("(?m)^\\| ((?:`[A-Z0-9]+`(?:, )?)+) \\|").FindAllStringSubmatch(page, -1) {
		for _, verb := range regexp.MustCompile("[A-Z0-9]+").FindAllString(m[1], -1) {
			if !slices.Contains(inCode, verb) {
				t.Errorf("docs/pop3.md has a row for %s, which the guard does not know", verb)
			}
		}
	}
}

// Every command and every flag of the command line is in the reference.
func TestCommandLineIsDocumented(t *testing.T) {
	page := pages(t)["docs/reference.md"]
	for _, command := range []string{"serve", "check", "demo", "held list", "held show", "mailboxes", "version"} {
		help, err := mailguard(t, append(strings.Fields(command), "--help")...)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(page, "`"+command) {
			t.Errorf("docs/reference.md does not have %s", command)
		}
		for _, flag := range regexp.MustCompile(`--[a-z-]+`).FindAllString(help, -1) {
			if flag != "--help" && !strings.Contains(page, flag) {
				t.Errorf("docs/reference.md does not have %s of %s", flag, command)
			}
		}
	}
}

const begin, end = "<!-- generated from config/file.go: go test . -update -->\n", "<!-- end -->\n"

// The table of configuration keys is generated from the types that are read.
func TestConfigurationKeysAreDocumented(t *testing.T) {
	const name = "docs/reference.md"
	page := pages(t)[name]
	before, rest, ok := strings.Cut(page, begin)
	old, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the generated table", name)
	}
	table := "\n| key | values | |\n|---|---|---|\n" + strings.Join(keys(t), "") + "\n"
	if table == old {
		return
	}
	if !*update {
		t.Fatalf("the table of keys in %s is not current: go test . -update", name)
	}
	if err := os.WriteFile(name, []byte(before+begin+table+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// keys are the rows of the table, from the fields and their comments.
func keys(t *testing.T) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), "config/file.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	structs := make(map[string]*ast.StructType)
	ast.Inspect(parsed, func(n ast.Node) bool {
		if spec, ok := n.(*ast.TypeSpec); ok {
			if s, ok := spec.Type.(*ast.StructType); ok {
				structs[spec.Name.Name] = s
			}
		}
		return true
	})
	var rows []string
	var walk func(prefix, typeName string)
	walk = func(prefix, typeName string) {
		for _, f := range structs[typeName].Fields.List {
			if f.Tag == nil {
				continue
			}
			tag := reflect.StructTag(strings.Trim(f.Tag.Value, "`"))
			key := prefix + tag.Get("yaml")
			inner, kind := describe(f.Type)
			if words := tag.Get("words"); words != "" {
				kind = strings.ReplaceAll(words, ",", ", ")
			}
			comment := strings.Join(strings.Fields(f.Doc.Text()), " ")
			rows = append(rows, fmt.Sprintf("| `%s` | %s | %s |\n", key, kind, strings.ReplaceAll(comment, "|", "\\|")))
			if structs[inner] != nil {
				suffix := "."
				if strings.HasPrefix(kind, "list") {
					suffix = "[]."
				}
				walk(key+suffix, inner)
			}
		}
	}
	walk("", "file")
	return rows
}

// describe names a field's type for people, and the struct within it.
func describe(e ast.Expr) (inner, kind string) {
	switch x := e.(type) {
	case *ast.StarExpr:
		return describe(x.X)
	case *ast.ArrayType:
		inner, _ = describe(x.Elt)
		return inner, "list"
	case *ast.MapType:
		return "", "map"
	case *ast.Ident:
		plain := map[string]string{"string": "text", "bool": "true, false", "int": "number", "duration": "duration", "size": "size"}
		if kind, ok := plain[x.Name]; ok {
			return x.Name, kind
		}
		return x.Name, ""
	}
	return "", ""
}
