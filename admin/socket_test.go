package admin

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"strings"
	"testing"
)

// stale leaves a socket behind as a server does that was killed.
func stale(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestListen(t *testing.T) {
	for _, c := range []struct {
		name   string
		before func(t *testing.T, path string)
	}{
		{"nothing there", func(*testing.T, string) {}},
		{"a stale socket", stale},
		{"a stale socket that was open to all", func(t *testing.T, path string) {
			t.Helper()
			stale(t, path)
			if err := os.Chmod(path, 0o777); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := socketPath(t)
			c.before(t, path)
			l, err := Listen(path)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			info, err := os.Stat(path)
			if err != nil || info.Mode() != fs.ModeSocket|0o600 {
				t.Errorf("%v, %v", info.Mode(), err)
			}
			again, err := Listen(path)
			if err == nil {
				again.Close()
			}
			if err == nil || !strings.Contains(err.Error(), "another server") {
				t.Errorf("a second server: %v", err)
			}
			if c, err := net.Dial("unix", path); err != nil {
				t.Errorf("the first no longer answers: %v", err)
			} else {
				c.Close()
			}
		})
	}
}

// The mask is the process's: what is made later has its usual rights.
func TestListenLeavesTheMask(t *testing.T) {
	path := socketPath(t)
	mode := func(name string) fs.FileMode {
		if err := os.WriteFile(name, nil, 0o666); err != nil { //nolint:gosec // the rights are what is looked at
			t.Fatal(err)
		}
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode()
	}
	before := mode(path + ".before")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if after := mode(path + ".after"); after != before {
		t.Errorf("rights of new files: %v, before: %v", after, before)
	}
}

// A mistyped path must not cost somebody a file.
func TestListenKeepsOtherFiles(t *testing.T) {
	path := socketPath(t)
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := Listen(path)
	if err == nil {
		l.Close()
		t.Error("a file that is no socket was replaced by one")
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "precious" {
		t.Errorf("the file: %q, %v", text, err)
	}
}

func TestNoServer(t *testing.T) {
	for name, before := range map[string]func(t *testing.T, path string){
		"nothing there": func(*testing.T, string) {}, "a stale socket": stale,
	} {
		t.Run(name, func(t *testing.T) {
			path := socketPath(t)
			before(t, path)
			if _, err := NewClient(path).Mailboxes(t.Context()); !errors.Is(err, ErrNoServer) || !strings.Contains(err.Error(), path) {
				t.Errorf("error %v", err)
			}
		})
	}
}
