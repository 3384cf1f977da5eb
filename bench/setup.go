package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"mailguard/demo/upstream"
	"mailguard/tlsconf"
)

const (
	shared   = "support@example.com"
	private  = "carla@personal.example.com"
	password = "bench"

	small, smallCount = 50 << 10, 200
	large             = 10 << 20
)

// bench is a set-up: an upstream in this process, a guard in its own.
type bench struct {
	dir      string
	upstream *upstream.Server
	guard    *exec.Cmd
	roots    *x509.CertPool
	ways     []way
}

// start sets everything up.
func start(binary string) (*bench, error) {
	dir, err := os.MkdirTemp("", "mailguard-bench-")
	if err != nil {
		return nil, err
	}
	b := &bench{dir: dir, upstream: upstream.New()}
	if err := b.setUp(binary); err != nil {
		b.stop()
		return nil, err
	}
	return b, nil
}

func (b *bench) setUp(binary string) error {
	for _, user := range []string{shared, private} {
		b.upstream.AddUser(user, password)
		for range smallCount {
			b.upstream.Deliver(user, message(small))
		}
		b.upstream.Deliver(user, message(large))
	}
	cert, err := b.certificate()
	if err != nil {
		return err
	}
	plain, err := b.serve(func(l net.Listener) net.Listener { return l })
	if err != nil {
		return err
	}
	direct, err := b.serve(func(l net.Listener) net.Listener {
		return tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, DynamicRecordSizingDisabled: true})
	})
	if err != nil {
		return err
	}
	guarded, err := b.startGuard(binary, plain)
	b.ways = []way{{"direct", direct, private}, {"guard, unguarded", guarded, private}, {"guard, guarded", guarded, shared + "#alice"}}
	return err
}

// message is a mail of about this many octets.
func message(size int) []byte {
	line := strings.Repeat("bWFpbGd1YXJk", 6) + "\r\n"
	return []byte("Subject: bench\r\nFrom: bench@example.net\r\n\r\n" + strings.Repeat(line, size/len(line)))
}

func (b *bench) certificate() (tls.Certificate, error) {
	now := time.Now()
	certPEM, keyPEM, err := tlsconf.SelfSigned([]string{"localhost", "127.0.0.1"}, now.Add(-time.Hour), now.Add(time.Hour))
	if err != nil {
		return tls.Certificate{}, err
	}
	b.roots = x509.NewCertPool()
	b.roots.AppendCertsFromPEM(certPEM)
	err = errors.Join(
		os.WriteFile(filepath.Join(b.dir, "cert.pem"), certPEM, 0o600),
		os.WriteFile(filepath.Join(b.dir, "key.pem"), keyPEM, 0o600),
	)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(certPEM, keyPEM)
}

func (b *bench) serve(wrap func(net.Listener) net.Listener) (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	go func() { _ = b.upstream.Serve(wrap(l)) }() // it ends with stop
	return l.Addr().String(), nil
}

const configuration = `listeners:
  - {protocol: pop3, address: "%s", tls: implicit}
tls: {certificates: [{cert: cert.pem, key: key.pem}]}
upstreams:
  - {name: bench, domains: ["*"], pop3: {address: "%s", tls: none}}
ledger: "sqlite:ledger.db"
mailboxes:
  - {match: "%s", shared: true}
  - {match: "*@personal.example.com", shared: false}
log: {level: warn, format: text}
`

func (b *bench) startGuard(binary, plain string) (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	address := l.Addr().String()
	l.Close()
	file := filepath.Join(b.dir, "mailguard.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, configuration, address, plain, shared), 0o600); err != nil {
		return "", err
	}
	b.guard = exec.Command(binary, "serve", "-c", file)
	b.guard.Stderr = os.Stderr
	if err := b.guard.Start(); err != nil {
		return "", err
	}
	for range 500 {
		if c, err := net.Dial("tcp", address); err == nil {
			return address, c.Close()
		}
		time.Sleep(10 * time.Millisecond)
	}
	return "", errors.New("the guard does not answer")
}

// stop ends what was started.
func (b *bench) stop() {
	if b.guard != nil && b.guard.Process != nil {
		_ = b.guard.Process.Kill()
		_ = b.guard.Wait()
	}
	_ = b.upstream.Close()
	_ = os.RemoveAll(b.dir)
}
