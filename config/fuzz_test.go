package config

import (
	"os"
	"path/filepath"
	"testing"
)

// FuzzLoad: no text makes the check panic, and what is said about it lies
// within it. A text without problems is a configuration.
func FuzzLoad(f *testing.F) {
	for _, pattern := range []string{"testdata/*/*.yaml"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(text))
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		cfg, problems := check("fuzz.yaml", text, testEnvironment())
		if (cfg == nil) != (len(problems) > 0) {
			t.Fatalf("configuration %v with problems %v", cfg, problems)
		}
		lines := splitLines(text)
		all := problems
		if cfg != nil {
			all = append(cfg.Unavailable, cfg.Warnings...)
		}
		for _, p := range all {
			if p.Line < 1 || p.Line > len(lines) || p.Column < 1 || p.Column > len(lines[p.Line-1])+1 {
				t.Fatalf("%v is not in the text", p)
			}
		}
	})
}
