//go:build !linux

package servers

import "os/exec"

// process stands in where the servers are not run; Installed says so before.
type process struct{ exited chan struct{} }

func (root) command(program string, arguments ...string) *exec.Cmd {
	return exec.Command(program, arguments...)
}

func launch(*exec.Cmd) (*process, error) { return nil, Installed() }

func (*process) kill() error { return nil }
