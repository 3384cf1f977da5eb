package servers

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// nobody is the user and the group that everything runs as. The root
// directories have a passwd file of their own, in which it has the server's name.
const nobody = 65534

// root is the root directory of one server.
type root struct{ dir string }

// newRoot makes a root directory with the unpacked programs and the files that
// every program expects.
func newRoot(name string) (root, error) {
	cache, err := cacheDir()
	if err != nil {
		return root{}, err
	}
	dir, err := os.MkdirTemp(cache, name+"-")
	if err != nil {
		return root{}, fmt.Errorf("a directory for %s: %w", name, err)
	}
	r := root{dir}
	if err := r.fill(filepath.Join(cache, "servers")); err != nil {
		return root{}, errors.Join(fmt.Errorf("the directory for %s: %w", name, err), r.remove())
	}
	return r, nil
}

func (r root) fill(unpacked string) error {
	if err := os.Chmod(r.dir, 0o755); err != nil {
		return err
	}
	for _, tree := range []string{"usr", "lib", "lib64"} {
		if err := link(filepath.Join(unpacked, tree), filepath.Join(r.dir, tree)); err != nil {
			return err
		}
	}
	if err := r.mkdir("tmp", "dev", "run"); err != nil {
		return err
	}
	for _, name := range []string{"services", "protocols"} {
		content, err := os.ReadFile(filepath.Join(unpacked, "etc", name))
		if err != nil {
			return err
		}
		if err := r.write("etc/"+name, content); err != nil {
			return err
		}
	}
	return r.writeAll(map[string]string{
		"etc/passwd": "cyrus:x:65534:65534::/:/bin/false\ncourier:x:65534:65534::/:/bin/false\n",
		"etc/group":  "mail:x:65534:\ncourier:x:65534:\n",
		"etc/hosts":  "127.0.0.1 localhost\n",
		// An empty file will do, and needs no device: what is written there is little.
		"dev/null": "",
	})
}

// link makes a tree of links to the files of another.
func link(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(to, strings.TrimPrefix(path, from))
		switch {
		case entry.IsDir():
			return os.Mkdir(target, 0o755)
		case entry.Type() == fs.ModeSymlink:
			points, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(points, target)
		default:
			return os.Link(path, target)
		}
	})
}

// path is where a file of the root directory is for everybody else.
func (r root) path(name string) string { return filepath.Join(r.dir, name) }

// mkdir makes directories that belong to the server, with those above them.
func (r root) mkdir(names ...string) error {
	for _, name := range names {
		made := ""
		for part := range strings.SplitSeq(name, "/") {
			made = filepath.Join(made, part)
			if err := os.Mkdir(r.path(made), 0o755); errors.Is(err, fs.ErrExist) {
				continue
			} else if err != nil {
				return err
			}
			if err := os.Chown(r.path(made), nobody, nobody); err != nil {
				return err
			}
		}
	}
	return nil
}

// write makes a file that belongs to the server and that nobody else reads.
func (r root) write(name string, content []byte) error {
	if err := r.mkdir(filepath.Dir(name)); err != nil {
		return err
	}
	if err := os.WriteFile(r.path(name), content, 0o600); err != nil {
		return err
	}
	return os.Chown(r.path(name), nobody, nobody)
}

func (r root) writeAll(files map[string]string) error {
	for name, content := range files {
		if err := r.write(name, []byte(content)); err != nil {
			return err
		}
	}
	return nil
}

// run runs a program in the root directory to its end and returns what it
// printed.
func (r root) run(input io.Reader, program string, arguments ...string) (string, error) {
	cmd := r.command(program, arguments...)
	cmd.Stdin = input
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", program, err, strings.TrimSpace(string(out)))
	}
	return string(out), nil
}

func (r root) remove() error { return os.RemoveAll(r.dir) }
