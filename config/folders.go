package config

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// largestFile is the most that is read of any file, in octets: a configuration
// with 200,000 mailboxes. A path to something that never ends must not fill the
// memory.
const largestFile = 16 << 20

// folders finds out where mailguard's own files are.
func (c *checker) folders() {
	c.cfg.State = c.cfg.Dir
	switch fromSystem := filepath.SplitList(c.env.getenv("STATE_DIRECTORY")); {
	case c.file.State != "":
		c.cfg.State = absolute(c.cfg.Dir, c.file.State)
		if at, err := os.Stat(c.cfg.State); err == nil && !at.IsDir() {
			c.wrong(path{"state"}, "`state` is a folder; this is a file")
		}
	case len(fromSystem) > 0 && filepath.IsAbs(fromSystem[0]):
		c.cfg.State = filepath.Clean(fromSystem[0])
	}
	if c.file.Include != "" {
		c.laterKey(path{"include"})
		if _, err := filepath.Match(c.file.Include, ""); err != nil {
			c.wrong(path{"include"}, "`include` is a pattern of file names such as conf.d/*.yaml; a `[` in it is not closed")
		}
	}
}

// absolute returns the path as it is seen from a folder.
func absolute(dir, name string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(dir, name)
}

// secretFile checks that a file with a secret is there and for this user
// alone. Its content is not read, and its name is not shown: it may be the
// secret itself, written into the wrong place.
func (c *checker) secretFile(p path, name string) string {
	if name == "" {
		return ""
	}
	full := absolute(c.cfg.Dir, name)
	f, err := open(full)
	if err != nil {
		c.wrong(p, "the file that `%s` names %s", p[len(p)-1], err)
		return full
	}
	defer f.Close()
	c.openToOthers(p, f)
	return full
}

// openToOthers warns of a file with a secret that every user may read.
func (c *checker) openToOthers(p path, f *os.File) {
	if at, err := f.Stat(); err == nil && at.Mode().Perm()&0o004 != 0 {
		c.warn(p, "every user of this machine may read the file that `%s` names; `chmod o= FILE` ends that", p[len(p)-1])
	}
}

// open opens a regular file. Its errors continue a sentence and do not show
// the name.
func open(name string) (*os.File, error) {
	at, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, spoken(err)
	case !at.Mode().IsRegular(): // opening a pipe would wait for ever
		return nil, errors.New("is not a file")
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, spoken(err)
	}
	return f, nil
}

// spoken returns a file error as the end of a sentence.
func spoken(err error) error {
	var inPath *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("does not exist")
	case errors.Is(err, fs.ErrPermission):
		return errors.New("may not be read by this user")
	case errors.As(err, &inPath):
		return errors.New("cannot be read: " + inPath.Err.Error())
	}
	return errors.New("cannot be read")
}

// readFile reads a whole file. Its errors continue a sentence.
func readFile(name string) ([]byte, error) {
	f, err := open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readOpened(f)
}

func readOpened(f *os.File) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(f, largestFile+1))
	switch {
	case err != nil:
		return nil, spoken(err)
	case len(text) > largestFile:
		return nil, errors.New("is larger than 16 MiB")
	}
	return text, nil
}

// hasControl reports whether a text has characters that no name has.
func hasControl(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f })
}
