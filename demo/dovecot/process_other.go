//go:build !linux

package dovecot

// process stands in where Dovecot is not run; Installed says so before.
type process struct{ exited chan struct{} }

func startProcess(string, account) (*process, error) { return nil, Installed() }

func (*process) stop() error { return nil }
func (*process) kill() error { return nil }
