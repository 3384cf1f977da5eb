// Package mailguard holds no code: the commands are in cmd, everything else
// in folders of its own. This file holds the folders to who may import whom.
package mailguard

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// allowed says which of our own packages each may import. Dependencies point
// downwards only; a new edge is a decision, to be made here and in
// docs/architecture.md.
const allowed = `
	cmd/mailguard:    account admin config demo demo/dovecot demo/upstream guard ledger member message policy proxy proxy/imap proxy/pop3 release tlsconf
	demo:             demo/dovecot demo/upstream tlsconf
	demo/dovecot:
	demo/upstream:
	account:          member message proxy proxy/credentials
	admin:            ledger member message policy
	config:           guard member policy
	proxy/pop3:       guard member message policy proxy proxy/credentials
	proxy/credentials: member
	proxy/imap:       guard member message policy proxy proxy/credentials proxy/imap/command proxy/imap/view proxy/imap/wire
	proxy/imap/command: proxy/imap/wire
	proxy/imap/view:
	proxy/imap/wire:
	proxy:
	proxy/proxytest:  proxy
	guard:            ledger member message policy
	release:          ledger member message policy
	ledger:           member message policy
	policy:           member
	member:
	message:
	tlsconf:
	integration:
	integration/clients:
	integration/imapconn:
	integration/servers: integration/imapconn
	integration/views:
	integration/thunderbird:
	bench:            demo/dovecot demo/upstream tlsconf
	bench/park:       proxy tlsconf
`

// pure are the packages that do no I/O and have no clock.
var pure = []string{"policy", "member", "message", "proxy/credentials", "proxy/imap/command", "proxy/imap/view", "proxy/imap/wire"}

type goPackage struct {
	ImportPath string
	Imports    []string
}

func TestImports(t *testing.T) {
	want := make(map[string][]string)
	for line := range strings.Lines(allowed) {
		if name, list, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			want[name] = strings.Fields(list)
		}
	}
	for _, p := range listPackages(t) {
		name := strings.TrimPrefix(p.ImportPath, "mailguard/")
		if name == "mailguard" {
			continue
		}
		list, known := want[name]
		if !known {
			t.Errorf("package %s is not in the table of who may import whom", name)
		}
		for _, imported := range p.Imports {
			if ours, ok := strings.CutPrefix(imported, "mailguard/"); ok && !slices.Contains(list, ours) {
				t.Errorf("%s imports %s, which the table does not allow", name, ours)
			}
			if slices.Contains(pure, name) && slices.Contains([]string{"net", "os", "database/sql", "io/fs"}, imported) {
				t.Errorf("%s imports %s: it is to be pure", name, imported)
			}
		}
	}
}

// A pure package takes the time as a value.
func TestPurePackagesHaveNoClock(t *testing.T) {
	for _, name := range pure {
		out, err := exec.Command("grep", "-rnE", `time\.(Now|Since|Until|After|Sleep)\(`, name, "--include=*.go", "--exclude=*_test.go").Output()
		var status *exec.ExitError
		if err != nil && !(errors.As(err, &status) && status.ExitCode() == 1) {
			t.Fatal(err)
		}
		if len(out) > 0 {
			t.Errorf("%s reads the clock:\n%s", name, out)
		}
	}
}

func listPackages(t *testing.T) []goPackage {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []goPackage
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}
