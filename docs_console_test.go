package mailguard

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The documentation speaks of the place where a configuration usually is.
const usualConfig = "/etc/mailguard/mailguard.yaml"

// heldGuide changes what it shows: it has a demo of its own.
const heldGuide = "docs/guides/held.md"

// What the documentation shows of the command line is what the program prints,
// asked while the demo runs.
func TestConsoleBlocks(t *testing.T) {
	demo := startHeldDemo(t)
	count := 0
	for name, page := range pages(t) {
		if name != heldGuide {
			count += checkConsole(t, demo, name, page)
		}
	}
	if count < 4 {
		t.Errorf("only %d console blocks found", count)
	}
}

// The guide's commands, one after the other.
func TestHeldGuide(t *testing.T) {
	if n := checkConsole(t, startHeldDemo(t), heldGuide, pages(t)[heldGuide]); n < 5 {
		t.Errorf("only %d console blocks found", n)
	}
}

// startHeldDemo starts a demo in which three messages are held.
func startHeldDemo(t *testing.T) *demo {
	t.Helper()
	demo := startDemo(t)
	demo.delete("alice", 1, 2, 3)
	demo.delete("bob", 1)
	return demo
}

// checkConsole runs the console blocks of a page, and returns how many there
// are.
func checkConsole(t *testing.T, demo *demo, name, page string) (count int) {
	t.Helper()
	dir := withCertificates(t)
	above := ""
	for _, b := range blocks(page) {
		switch {
		case b.language == "yaml":
			above = b.text
		case b.language == "console":
			count++
			file := demo.config
			if b.kind == "above" {
				file = filepath.Join(dir, "mailguard.yaml")
				if err := os.WriteFile(file, []byte(above), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for _, call := range callsOf(b.text) {
				call.check(t, name, demo, file)
			}
		}
	}
	return count
}

// call is one command of a console block, with what it prints.
type call struct {
	command, shown string
	status         string // of `echo $?` behind it, "" if that is not asked
}

func callsOf(text string) []call {
	var all []call
	for line := range strings.Lines(text) {
		command, isCommand := strings.CutPrefix(line, "$ ")
		last := len(all) - 1
		switch {
		case isCommand && command == "echo $?\n":
			all[last].status = "?"
		case isCommand:
			all = append(all, call{command: strings.TrimSpace(command)})
		case all[last].status == "?":
			all[last].status = strings.TrimSpace(line)
		default:
			all[last].shown += line
		}
	}
	return all
}

func (c call) check(t *testing.T, page string, demo *demo, file string) {
	t.Helper()
	out, status := demo.out, 0
	if c.command != "make demo" {
		words := strings.Fields(c.command)
		if words[0] != "mailguard" {
			t.Fatalf("%s: %q is not run by this test", page, c.command)
		}
		name, err := binary()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(name, append(words[1:], "-c", file)...)
		text, _ := cmd.CombinedOutput() // its status says whether it worked
		out, status = strings.ReplaceAll(string(text), file, usualConfig), cmd.ProcessState.ExitCode()
	}
	if !like(c.shown).MatchString(out) {
		t.Errorf("%s: %s prints\n%s\nand not\n%s", page, c.command, out, c.shown)
	}
	if c.status == "" && status != 0 || c.status != "" && c.status != fmt.Sprint(status) {
		t.Errorf("%s: %s ended with status %d", page, c.command, status)
	}
}

// like matches a text in which "..." stands for what may differ: alone in a
// line for any lines, else for anything within the line. How wide columns are
// does not matter.
func like(shown string) *regexp.Regexp {
	pattern := `(?m)\A`
	for line := range strings.Lines(shown) {
		if line == "...\n" {
			pattern += `(?:.*\n)*?`
			continue
		}
		line = regexp.MustCompile(`(\S) +`).ReplaceAllString(strings.TrimRight(line, "\n"), "$1 ")
		line = strings.ReplaceAll(regexp.QuoteMeta(line), `\.\.\.`, `\S.*?`)
		pattern += strings.ReplaceAll(line, " ", " +") + " *\n"
	}
	return regexp.MustCompile(pattern + `\z`)
}

// demo is a running demo, after its story.
type demo struct {
	t       *testing.T
	out     string // the story
	config  string
	address string
	ca      string
}

var (
	demoPort   = regexp.MustCompile(`TLS on port (\d+)`)
	demoConfig = regexp.MustCompile(`-c (\S+/)mailguard\.yaml`)
)

func startDemo(t *testing.T) *demo {
	t.Helper()
	name, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(name, "demo", "--built-in")
	cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	d := &demo{t: t}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the demo ended: %v", err)
		}
	})
	for !strings.Contains(d.out, "Without the guard, the mail server itself") {
		line, err := lines.ReadString('\n')
		if d.out += line; err != nil {
			t.Fatalf("the demo ended: %v\n%s", err, d.out)
		}
	}
	port, dir := demoPort.FindStringSubmatch(d.out), demoConfig.FindStringSubmatch(d.out)
	if port == nil || dir == nil {
		t.Fatalf("the demo does not say how to connect:\n%s", d.out)
	}
	d.address, d.config, d.ca = net.JoinHostPort("localhost", port[1]), dir[1]+"mailguard.yaml", dir[1]+"cert.pem"
	return d
}

// delete is a member's session that fetches some messages and deletes them.
func (d *demo) delete(member string, numbers ...int) {
	d.t.Helper()
	pem, err := os.ReadFile(d.ca)
	if err != nil {
		d.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	ctx, cancel := context.WithTimeout(d.t.Context(), 10*time.Second)
	defer cancel()
	dialer := tls.Dialer{Config: &tls.Config{RootCAs: roots, ServerName: "localhost"}}
	conn, err := dialer.DialContext(ctx, "tcp", d.address)
	if err != nil {
		d.t.Fatal(err)
	}
	defer conn.Close()
	r := bufio.NewReader(conn)
	say := func(end, format string, args ...any) {
		d.t.Helper()
		if format != "" {
			fmt.Fprintf(conn, format+"\r\n", args...)
		}
		for line := ""; !strings.HasPrefix(line, end); {
			if line, err = r.ReadString('\n'); err != nil || strings.HasPrefix(line, "-ERR") {
				d.t.Fatalf("%s: %q: %q, %v", member, fmt.Sprintf(format, args...), line, err)
			}
		}
	}
	say("+OK", "")
	say("+OK", "USER support@example.com#%s", member)
	say("+OK", "PASS demo")
	for _, n := range numbers {
		say(".\r", "RETR %d", n)
		say("+OK", "DELE %d", n)
	}
	say("+OK", "QUIT")
}
