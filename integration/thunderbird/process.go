package thunderbird

import (
	"os/exec"
	"runtime"
)

// process is a program that does not outlive this one.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has ended
	err   error         // how; to be read when ended is closed
}

// launch starts the command on a thread of its own which lives as long as the
// command: where the kernel ends a program with its parent, the parent is the
// thread, and Go may end any other thread before.
func launch(cmd *exec.Cmd) (*process, error) {
	endWithParent(cmd)
	p := &process{cmd: cmd, ended: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.ended)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// kill ends the program at once, if it has not ended, and waits for it.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // an error says that it has ended
	<-p.ended
}
