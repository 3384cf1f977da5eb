package config

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// With -update the tests write the .want files anew: read the difference
// before you keep it.
var update = flag.Bool("update", false, "write the .want files anew")

// today is the day on which the tests load: certificates run out.
var today = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func testEnvironment() environment {
	return environment{now: today, getenv: func(string) string { return "" }}
}

// TestBad loads testdata/bad: one mistake a file, and in the .want file beside
// it what is said about it.
func TestBad(t *testing.T) {
	eachFile(t, "testdata/bad", func(t *testing.T, name string) string {
		cfg, problems := load(name, testEnvironment())
		if cfg != nil {
			t.Error("a configuration was returned")
		}
		if len(problems) == 0 {
			t.Error("no problem was found")
		}
		return list(name, "", problems)
	})
}

// TestGood loads testdata/good: files without mistakes, and in the .want files
// what is noted about them.
func TestGood(t *testing.T) {
	eachFile(t, "testdata/good", func(t *testing.T, name string) string {
		cfg, problems := load(name, testEnvironment())
		if len(problems) > 0 {
			t.Fatalf("problems:\n%v", problems)
		}
		return list(name, "unavailable ", cfg.Unavailable) + list(name, "warning ", cfg.Warnings)
	})
}

// eachFile runs every file of a folder, in a folder with the files that they
// name, and compares what the run returns with the .want file.
func eachFile(t *testing.T, folder string, run func(t *testing.T, name string) string) {
	folder, err := filepath.Abs(folder)
	if err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no files in %s: %v", folder, err)
	}
	named := namedFiles(t)
	t.Chdir(named)
	for _, name := range names {
		base := filepath.Base(name)
		t.Run(strings.TrimSuffix(base, ".yaml"), func(t *testing.T) {
			copyFile(t, name, filepath.Join(named, base))
			compareWant(t, strings.TrimSuffix(name, ".yaml")+".want", run(t, base))
		})
	}
}

func compareWant(t *testing.T, name, got string) {
	t.Helper()
	if strings.Contains(got, "hunter2") {
		t.Errorf("a secret is shown:\n%s", got)
	}
	if *update {
		writeFile(t, name, got, 0o644)
		return
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("want -, got +\n%s", diff)
	}
}

// list returns problems as the .want files have them.
func list(name, label string, problems []Problem) string {
	var b strings.Builder
	for _, p := range problems {
		fmt.Fprintln(&b, label+strings.TrimPrefix(p.String(), name+":"))
	}
	return b.String()
}

func TestLoadWithoutFile(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("folder", 0o755); err != nil {
		t.Fatal(err)
	}
	writeFile(t, "large.yaml", strings.Repeat("# comment\n", largestFile/10+1), 0o644)
	for name, want := range map[string]string{
		"none.yaml":  "none.yaml: this file does not exist",
		"folder":     "folder: this file is not a file",
		"large.yaml": "large.yaml: this file is larger than 16 MiB",
	} {
		cfg, problems := Load(name)
		if got := problems.Error(); cfg != nil || got != want {
			t.Errorf("Load(%q) = %v, %q, want %q", name, cfg, got, want)
		}
	}
}

func TestProblemsAreSorted(t *testing.T) {
	p := Problems{{"f", 2, 1, "c"}, {"f", 1, 9, "b"}, {"f", 1, 10, "a"}, {"f", 1, 9, "b"}, {"f", 1, 9, "a"}}
	want := "f:1:9: a\nf:1:9: b\nf:1:10: a\nf:2:1: c"
	if got := p.sorted().Error(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
