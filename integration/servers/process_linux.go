package servers

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// command is a program that will run in the root directory as nobody.
func (r root) command(program string, arguments ...string) *exec.Cmd {
	cmd := exec.Command(program, arguments...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin"}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Chroot:     r.dir,
		Credential: &syscall.Credential{Uid: nobody, Gid: nobody},
		Setpgid:    true,
	}
	return cmd
}

// process leads a process group: a server's program and all its children.
type process struct {
	pid    int
	exited chan struct{} // closed when the program itself has ended
}

// launch starts the command on a thread of its own which lives as long as the
// command: the kernel sends Pdeathsig when the thread that started it ends,
// and Go may end any other thread before the program does.
func launch(cmd *exec.Cmd) (*process, error) {
	cmd.SysProcAttr.Pdeathsig = syscall.SIGTERM
	p := &process{exited: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if err != nil {
			started <- fmt.Errorf("start %s: %w", cmd.Path, err)
			return
		}
		p.pid = cmd.Process.Pid
		started <- nil
		_ = cmd.Wait() // how it ended is in its log
		close(p.exited)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// kill ends the whole group at once, and waits until all are gone.
func (p *process) kill() error {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if p.alive() == 0 {
			<-p.exited
			return nil
		}
		if err := syscall.Kill(-p.pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("stop process group %d: %w", p.pid, err)
		}
	}
	return fmt.Errorf("stop process group %d: its processes do not end", p.pid)
}

// alive counts the processes of the group. What has ended and only waits for
// its parent to notice does not count: in a container there may be no parent
// that ever does.
func (p *process) alive() int {
	count := 0
	stats, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is a good one
	for _, file := range stats {
		stat, err := os.ReadFile(file)
		if err != nil {
			continue // it has just ended
		}
		// proc(5): pid (program) state ppid pgrp ...; the name may hold blanks.
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if len(fields) > 2 && fields[0] != "Z" && fields[0] != "X" && fields[2] == strconv.Itoa(p.pid) {
			count++
		}
	}
	return count
}
