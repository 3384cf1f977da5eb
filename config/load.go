package config

import (
	"os"
	"path/filepath"
	"reflect"
	"time"

	"go.yaml.in/yaml/v4"
)

// environment is what a file's meaning depends on besides the file.
type environment struct {
	now    time.Time
	getenv func(string) string
}

// Load reads a file and the files that it names, and checks everything in
// them. On mistakes the *Config is nil and the problems name all of them; a
// file without any has no problems (their number is 0).
func Load(name string) (*Config, Problems) {
	return load(name, environment{time.Now(), os.Getenv})
}

func load(name string, env environment) (*Config, Problems) {
	text, err := readFile(name)
	if err != nil {
		return nil, Problems{{File: name, Text: "this file " + err.Error()}}
	}
	return check(name, string(text), env)
}

// check is load for a text that was read from a file of this name.
func check(name, text string, env environment) (*Config, Problems) {
	dir, err := filepath.Abs(filepath.Dir(name))
	if err != nil {
		return nil, Problems{{File: name, Text: "the folder that it is in is not known: " + err.Error()}}
	}
	src, bad := parse(name, text)
	if bad != nil {
		return nil, Problems{{File: name, Line: bad.line, Column: bad.column, Text: bad.text}}
	}
	c := &checker{env: env, src: src, cfg: &Config{Path: name, Dir: dir}}
	c.decode()
	c.sections()
	if len(c.problems) > 0 {
		return nil, c.problems.sorted()
	}
	c.cfg.Unavailable, c.cfg.Warnings = c.unavailable.sorted(), c.warnings.sorted()
	return c.cfg, nil
}

// decode fills in c.file with all of the tree that fits.
func (c *checker) decode() {
	s := newShape()
	c.blamed = s.blamed
	if c.src.root == nil {
		return
	}
	fit := s.fits(c.src.root, reflect.TypeFor[file](), field{label: "the file"})
	for _, m := range s.mistakes {
		c.report(m.position, m.text)
	}
	if !fit {
		c.src.root = nil
		return
	}
	if err := c.src.root.Load(&c.file, yaml.WithKnownFields()); err != nil {
		m := c.src.syntaxMistake(err)
		c.report(m.position, m.text)
	}
}

// sections checks what the file means. The order matters where one section
// needs another: the names of members know the separator, the ledger its
// folder.
func (c *checker) sections() {
	if c.src.root == nil {
		c.nothing()
		return
	}
	c.folders()
	c.listeners()
	c.certificates()
	c.upstreams()
	c.served()
	c.ledger()
	c.identity()
	c.mailboxes()
	c.policy()
	c.admin()
	c.audit()
	c.limits()
	c.log()
}

// nothing tells what a file has to say at least.
func (c *checker) nothing() {
	if len(c.problems) == 0 {
		c.report(position{1, 1}, "the file says nothing; it needs at least `listeners` (where clients connect), "+
			"`upstreams` (the mail server behind) and, unless all listeners have `tls: none`, `tls` with certificates")
	}
}
