package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

const configuration = `listeners:
  - {protocol: pop3, address: "%s", tls: implicit}
  - {protocol: imap, address: "%s", tls: implicit}
tls: {certificates: [{cert: cert.pem, key: key.pem}]}
upstreams:
  - {name: bench, domains: ["*"], pop3: {address: "%s", tls: none}, imap: {address: "%s", tls: none}}
ledger: "sqlite:ledger.db"
mailboxes:
  - {match: "*@personal.example.com", shared: false}
  - {match: "*@observed.example.com", shared: true, mode: observe}
  - {match: "*@example.com", shared: true}
log: {level: warn, format: text}
`

// prepareGuard writes the guard's configuration and says where it will be.
func (b *bench) prepareGuard(binary string, upstream endpoints) (front endpoints, err error) {
	b.binary = binary
	if front.pop3, err = freeAddress(); err != nil {
		return front, err
	}
	if front.imap, err = freeAddress(); err != nil {
		return front, err
	}
	text := fmt.Appendf(nil, configuration, front.pop3, front.imap, upstream.pop3, upstream.imap)
	return front, os.WriteFile(b.configuration(), text, 0o600)
}

func (b *bench) configuration() string { return filepath.Join(b.dir, "mailguard.yaml") }

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func (b *bench) startGuard() error {
	b.guard = exec.Command(b.binary, "serve", "-c", b.configuration())
	b.guard.Stderr = os.Stderr
	if err := b.guard.Start(); err != nil {
		return err
	}
	for range 500 {
		c, err := net.Dial("tcp", b.ways[unguarded].imap)
		if err == nil {
			return c.Close()
		}
		time.Sleep(10 * time.Millisecond)
	}
	return errors.New("the guard does not answer")
}

func (b *bench) stopGuard() {
	if b.guard != nil && b.guard.Process != nil {
		_ = b.guard.Process.Kill()
		_ = b.guard.Wait()
	}
	b.guard = nil
}

// restart gives a fresh process.
func (b *bench) restart() error {
	b.stopGuard()
	return b.startGuard()
}

// stop ends what was started.
func (b *bench) stop() error {
	b.stopGuard()
	var err error
	if b.dovecot != nil {
		err = b.dovecot.Close()
	}
	return errors.Join(err, b.upstream.Close(), os.RemoveAll(b.dir))
}
