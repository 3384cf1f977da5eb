package mailguard

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mailguard/policy"
)

// rowsBehind returns the first column of the table behind a piece of text.
func rowsBehind(t *testing.T, page, text string) []string {
	t.Helper()
	_, rest, ok := strings.Cut(page, text)
	if !ok {
		t.Fatalf("the page does not have %q", text)
	}
	var all []string
	for line := range strings.Lines(rest) {
		cells := strings.Split(line, "|")
		if len(cells) > 2 && strings.Contains(cells[1], "`") {
			all = append(all, cells[1])
		} else if len(all) > 0 {
			break
		}
	}
	return all
}

var inCode = regexp.MustCompile("`([^`]+)`")

// names are what stands in backquotes in some cells.
func names(cells []string) []string {
	var all []string
	for _, m := range inCode.FindAllStringSubmatch(strings.Join(cells, " "), -1) {
		all = append(all, m[1])
	}
	return all
}

func sameNames(t *testing.T, what string, documented, inCode []string) {
	t.Helper()
	for _, n := range documented {
		if !slices.Contains(inCode, n) {
			t.Errorf("%s: %s is documented, and the code does not have it", what, n)
		}
	}
	for _, n := range inCode {
		if !slices.Contains(documented, n) {
			t.Errorf("%s: %s is in the code, and not documented", what, n)
		}
	}
}

// find returns what the first group of an expression matches in Go files.
func find(t *testing.T, expression string, files ...string) []string {
	t.Helper()
	var all []string
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(expression).FindAllStringSubmatch(string(text), -1) {
			if !slices.Contains(all, m[1]) {
				all = append(all, m[1])
			}
		}
	}
	return all
}

// Rules may use what is documented, and nothing else is there.
func TestRuleVariablesAreDocumented(t *testing.T) {
	page := pages(t)["docs/reference.md"]
	variables := names(rowsBehind(t, page, "| variable | type | |"))
	sameNames(t, "variables", variables, find(t, `(?m)^\t\{"([a-z_.]+)", `, "policy/variables.go"))
	functions := names(rowsBehind(t, page, "| function | |"))
	for _, name := range find(t, `(?m)^\t"([a-z_]+)":\s`, "policy/environment.go") {
		if !slices.ContainsFunc(functions, func(f string) bool { return strings.HasPrefix(f, name+"(") }) {
			t.Errorf("the function %s is not documented", name)
		}
	}
	for _, expression := range append(slices.Clone(variables), functions...) {
		rule := policy.Rule{Name: "it-compiles", When: fmt.Sprintf("%s == %[1]s", expression), Then: policy.Allow}
		if _, mistakes := policy.Compile([]policy.Rule{rule}); len(mistakes) > 0 {
			t.Errorf("%s is documented, and rules cannot use it: %v", expression, mistakes[0])
		}
	}
	var builtin []string
	for _, r := range policy.Builtin() {
		builtin = append(builtin, r.Name)
	}
	sameNames(t, "built-in rules", names(rowsBehind(t, page, "| built-in rule | |")), builtin)
}

// ours are the Go files of the program, without its tests.
func ours(t *testing.T) []string {
	t.Helper()
	out, err := exec.Command("find", "account", "cmd", "guard", "ledger", "release", "proxy", "admin", "-name", "*.go").Output()
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(strings.Fields(string(out)), func(name string) bool {
		return strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, "proxy/proxytest/")
	})
}

func TestLogFieldsAreDocumented(t *testing.T) {
	inCode := append(find(t, `\b(?:Str|Int|Int64|Uint32|Dur|Bool|Stringer)\("([a-z_]+)"`, ours(t)...), "error")
	sameNames(t, "log", names(rowsBehind(t, pages(t)["docs/reference.md"], "| field | |")), inCode)
}

// everyLimit is a configuration whose limits are all out of their range.
const everyLimit = minimal + `limits:
  pop3_lock_wait: 30d
  login_time: 30d
  handshake_time: 30d
  idle_time: 30d
  imap_idle_time: 30d
  command_time: 30d
  answer_time: 30d
  upstream_time: 30d
  drain_time: 30d
  connections: 0
`

// The ranges of the limits are what the program says when one is left.
func TestRangesOfLimitsAreDocumented(t *testing.T) {
	out, _ := checkText(t, t.TempDir(), everyLimit)
	page := pages(t)["docs/reference.md"]
	said := regexp.MustCompile("`(\\w+)` is (from \\S+ to [^,\\s]+)").FindAllStringSubmatch(out, -1)
	for _, m := range said {
		if !regexp.MustCompile("(?m)^\\| `limits." + m[1] + "` \\| \\S+ \\| " + m[2] + " \\|$").MatchString(page) {
			t.Errorf("docs/reference.md does not have that %s is %s", m[1], m[2])
		}
	}
	if want := len(rowsBehind(t, page, "| limit | default | range |")); len(said) != want {
		t.Errorf("%d limits are documented, and %d have a range:\n%s", want, len(said), out)
	}
}

// everything has all parts that a configuration can have and this version does
// not.
const everything = `include: conf.d/*.yaml
listeners:
  - {protocol: imap, address: ":993", tls: implicit, proxy_protocol: [10.0.0.0/8]}
tls:
  certificates: [{cert: tls/fullchain.pem, key: tls/privkey.pem}]
  acme: {email: postmaster@example.com, hosts: [mail.example.com]}
  client_ca: tls/fullchain.pem
upstreams:
  - name: main
    domains: ["*"]
    imap: {address: "127.0.0.1:10143", tls: none}
    namespaces: [{prefix: "shared/{user}/", mailbox: "{user}@example.com"}]
    folder_uses: {trash: Papierkorb}
    expunge_without_uidplus: true
ledger: postgres://mailguard@db.internal/mailguard
identity: [login, password, certificate, network, address]
networks: [{cidr: 192.0.2.17/32, member: reception}]
mailboxes: [{match: "support@example.com", shared: true, secret_file: tls/privkey.pem}]
policy: {preset: team-inbox, breaker: {messages: 500, within: 10m}}
admin: {address: "127.0.0.1:9990", token_file: token}
`

// What is documented as not available yet is what `check` calls so.
func TestWhatIsNotAvailableIsDocumented(t *testing.T) {
	out, err := checkText(t, withCertificates(t), everything)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var said []string
	for _, m := range regexp.MustCompile("(?m)^not available yet: [^`]*`([^`]+)`").FindAllStringSubmatch(out, -1) {
		said = append(said, regexp.MustCompile(`\[\d+\]`).ReplaceAllString(m[1], "[]"))
	}
	sameNames(t, "not available", names(rowsBehind(t, pages(t)["docs/reference.md"], "| not available yet | |")), said)
}

// docs/architecture.md says of each package what deps_test.go lets it import.
func TestImportsAreDocumented(t *testing.T) {
	page := pages(t)["docs/architecture.md"]
	documented := names(rowsBehind(t, page, "| folder | responsibility |"))
	var known []string
	for line := range strings.Lines(allowed) {
		name, list, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok {
			continue
		}
		known = append(known, name)
		row := regexp.MustCompile("(?m)^\\| `" + name + "` \\| [^|]* \\| ([^|]*) \\|$").FindStringSubmatch(page)
		if row == nil {
			t.Errorf("docs/architecture.md has no row for %s", name)
			continue
		}
		sameNames(t, name, names(row[1:]), strings.Fields(list))
		if _, err := os.Stat(filepath.FromSlash(name)); err != nil {
			t.Error(err)
		}
	}
	sameNames(t, "folders", documented, known)
}
