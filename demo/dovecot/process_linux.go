package dovecot

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

// Sessions end within milliseconds of being asked to. After patience whatever
// is left is killed.
const patience = 5 * time.Second

// process is Dovecot's master and, by its process group, all its children.
type process struct {
	pid    int
	exited chan struct{} // closed when the master has ended
}

// startProcess runs the master in the foreground as the account. What it
// prints goes to its log file.
func startProcess(dir string, as account) (*process, error) {
	log, err := os.OpenFile(filepath.Join(dir, "dovecot.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("log of Dovecot: %w", err)
	}
	defer func() { _ = log.Close() }()
	if err := as.own(log.Name()); err != nil {
		return nil, fmt.Errorf("log of Dovecot: %w", err)
	}
	cmd := exec.Command(binary, "-F", "-c", filepath.Join(dir, "dovecot.conf"))
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if os.Getuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(as.uid), Gid: uint32(as.gid)}
	}
	return launch(cmd)
}

// launch starts the command on a thread of its own which lives as long as the
// command: the kernel sends Pdeathsig when the thread that started it ends,
// and Go may end any other thread before the program does.
func launch(cmd *exec.Cmd) (*process, error) {
	p := &process{exited: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if err != nil {
			started <- fmt.Errorf("start Dovecot: %w", err)
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

// stop asks Dovecot to end, and kills what is left of it. The master and its
// log process then sleep for a second or two before they go; nobody has to
// wait for these two.
func (p *process) stop() error {
	select {
	case <-p.exited:
		return p.kill()
	default:
	}
	_ = syscall.Kill(p.pid, syscall.SIGTERM)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline) && p.alive() > 2; {
		time.Sleep(5 * time.Millisecond)
	}
	return p.kill()
}

// kill ends the master and its children, and waits until all are gone.
func (p *process) kill() error {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if p.alive() == 0 {
			<-p.exited
			return nil
		}
		if err := syscall.Kill(-p.pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("stop Dovecot's processes (group %d): %w", p.pid, err)
		}
	}
	return fmt.Errorf("stop Dovecot's processes (group %d): they do not end", p.pid)
}

// alive counts the processes of the master's group. What has ended and only
// waits for its parent to notice does not count: in a container there may be
// no parent that ever does, and to kill(2) such a process still exists.
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
