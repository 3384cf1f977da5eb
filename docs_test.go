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

// fenced matches a block: its language, the word behind it, its text.
var fenced = regexp.MustCompile("(?ms)^```(\\w+)(?: (\\w+))?\n(.*?)^```$")

// block is a fenced block of a page.
type block struct{ language, kind, text string }

func blocks(page string) []block {
	var all []block
	for _, m := range fenced.FindAllStringSubmatch(page, -1) {
		all = append(all, block{m[1], m[2], m[3]})
	}
	return all
}

// minimal is what a fragment is completed with.
const minimal = `listeners:
  - {protocol: pop3, address: "127.0.0.1:10995", tls: none}
upstreams:
  - {name: main, domains: ["*"], pop3: {address: "127.0.0.1:10110", tls: none}}
`

// withCertificates returns a folder with the certificate and the secret that the
// configurations in the documentation name.
func withCertificates(t *testing.T) string {
	t.Helper()
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
	if err := os.Mkdir(filepath.Join(dir, "secrets"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "secrets", "master"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// checkText runs `mailguard check` on a configuration.
func checkText(t *testing.T, dir, text string) (string, error) {
	t.Helper()
	file := filepath.Join(dir, "mailguard.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return mailguard(t, "check", "--offline", "-c", file)
}

// Every configuration in the documentation is one that the program accepts.
func TestConfigurationsInTheDocumentation(t *testing.T) {
	dir := withCertificates(t)
	check := func(name, text string) {
		t.Helper()
		if out, err := checkText(t, dir, text); err != nil || !strings.HasSuffix(out, ": no mistakes\n") {
			t.Errorf("%s: %v\n%s\n%s", name, err, out, text)
		}
	}
	count := 0
	for name, page := range pages(t) {
		for _, b := range blocks(page) {
			if b.language != "yaml" || b.kind == "mistakes" {
				continue
			}
			count++
			if b.kind == "fragment" {
				b.text = minimal + b.text
			}
			check(name, b.text)
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

func TestLinksLeadSomewhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]*)(#[^)]*)?\)`)
	for name, page := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(page, -1) {
			target := name
			if m[1] != "" {
				target = filepath.Join(filepath.Dir(name), m[1])
			}
			text, err := os.ReadFile(target)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			} else if m[2] != "" && !slices.Contains(anchors(string(text)), m[2]) {
				t.Errorf("%s: %s has no heading %s", name, target, m[2])
			}
		}
	}
}

// anchors are the names by which a page's headings can be linked.
func anchors(page string) []string {
	var all []string
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(page, -1) {
		plain := regexp.MustCompile(`[^a-z0-9 -]`).ReplaceAllString(strings.ToLower(m[1]), "")
		all = append(all, "#"+strings.ReplaceAll(plain, " ", "-"))
	}
	return all
}

func TestMakeTargetsExist(t *testing.T) {
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	called := regexp.MustCompile("(?m)(?:^    |^\\$ |`)make ([a-z]+)")
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
	count := 0
	for name, page := range pages(t) {
		for _, m := range regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(page, -1) {
			count++
			if !strings.Contains(string(sources), "func "+m[1]+"(") {
				t.Errorf("%s names %s, which does not exist", name, m[1])
			}
		}
	}
	if count < 10 {
		t.Errorf("only %d tests are named", count)
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

// Every command and every flag of the command line is in the row of the
// reference that begins with it.
func TestCommandLineIsDocumented(t *testing.T) {
	page := pages(t)["docs/reference.md"]
	for _, command := range commandsOf(t) {
		row := regexp.MustCompile("(?m)^\\| `" + command + "[` ].*$").FindString(page)
		if row == "" {
			t.Errorf("docs/reference.md has no row for %s", command)
		}
		help, err := mailguard(t, append(strings.Fields(command), "--help")...)
		if err != nil {
			t.Fatal(err)
		}
		own, _, _ := strings.Cut(help, "Global Flags:")
		_, own, _ = strings.Cut(own, "\nFlags:")
		for _, flag := range regexp.MustCompile(`--[a-z-]+`).FindAllString(own, -1) {
			if flag != "--help" && !strings.Contains(row, flag) {
				t.Errorf("docs/reference.md does not have %s of %s", flag, command)
			}
		}
	}
}

// commandsOf are all commands that do something, as the program lists them.
func commandsOf(t *testing.T, parents ...string) []string {
	t.Helper()
	help, err := mailguard(t, append(parents, "--help")...)
	if err != nil {
		t.Fatal(err)
	}
	_, list, nested := strings.Cut(help, "Available Commands:\n")
	if !nested || slices.Equal(parents, []string{"completion"}) {
		return []string{strings.Join(parents, " ")}
	}
	list, _, _ = strings.Cut(list, "\n\n")
	var all []string
	for line := range strings.Lines(list) {
		if name := strings.Fields(line)[0]; name != "help" {
			all = append(all, commandsOf(t, append(slices.Clone(parents), name)...)...)
		}
	}
	return all
}

// A command that a page names is one that there is.
func TestNamedCommandsExist(t *testing.T) {
	known := commandsOf(t)
	named := regexp.MustCompile("(?m)(?:`|^    |^\\$ )mailguard ([a-z]+(?: (?:list|show|approve|restore|purge))?)")
	for name, page := range pages(t) {
		for _, m := range named.FindAllStringSubmatch(page, -1) {
			if m[1] != "held" && !slices.Contains(known, m[1]) {
				t.Errorf("%s: mailguard has no command %s", name, m[1])
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
		plain := map[string]string{"string": "text", "bool": "true, false", "int": "number", "duration": "duration", "size": "size", "headerList": "names"}
		if kind, ok := plain[x.Name]; ok {
			return x.Name, kind
		}
		return x.Name, ""
	}
	return "", ""
}
