//go:build linux

package servers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestDeathOfTheCaller runs this test binary again as a program that starts a
// server and is then killed: the server must not stay behind.
func TestDeathOfTheCaller(t *testing.T) {
	need(t)
	if name := os.Getenv("MAILGUARD_SERVERS_CHILD"); name != "" {
		dieWith(t, starters[name])
	}
	for name := range starters {
		t.Run(name, func(t *testing.T) {
			note := filepath.Join(t.TempDir(), "started")
			child := exec.Command(os.Args[0], "-test.run=^TestDeathOfTheCaller$")
			child.Env = append(os.Environ(), "MAILGUARD_SERVERS_CHILD="+name, "MAILGUARD_SERVERS_STARTED="+note)
			output, _ := child.CombinedOutput()
			started, err := os.ReadFile(note)
			if err != nil {
				t.Fatalf("%v\n%s", err, output)
			}
			dir, numbers, _ := strings.Cut(string(started), "\n")
			defer func() { _ = os.RemoveAll(dir) }()
			for number := range strings.FieldsSeq(numbers) {
				expectEnd(t, number)
			}
		})
	}
}

// dieWith starts a server, notes its directory and process groups, and ends
// this program without a word.
func dieWith(t *testing.T, start func(context.Context, Options) (running, error)) {
	s, err := start(context.Background(), Options{Users: []User{support}})
	if err != nil {
		t.Fatal(err)
	}
	note := []byte(serverOf(s).root.dir + "\n")
	for _, group := range groupsOf(s) {
		note = fmt.Appendf(note, "%d ", group.pid)
	}
	_ = os.WriteFile(os.Getenv("MAILGUARD_SERVERS_STARTED"), note, 0o600)
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
}

func expectEnd(t *testing.T, number string) {
	t.Helper()
	group, err := strconv.Atoi(number)
	if err != nil || group < 2 {
		t.Fatalf("process group %q", number)
	}
	for range 100 {
		if (&process{pid: group}).alive() == 0 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	_ = syscall.Kill(-group, syscall.SIGKILL)
	t.Errorf("process group %d outlived its caller", group)
}
