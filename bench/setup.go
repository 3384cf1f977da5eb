package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"mailguard/demo/dovecot"
	"mailguard/demo/upstream"
	"mailguard/tlsconf"
)

const (
	shared   = "support@example.com"
	private  = "carla@personal.example.com"
	password = "bench"

	sharedCollector  = "archive@example.com"
	privateCollector = "archive@personal.example.com"

	small, smallCount = 50 << 10, 200
	large             = 10 << 20
	tiny, manyCount   = 200, 20_000
)

// bench is a set-up: an upstream in this process, a guard in its own.
type bench struct {
	dir      string
	upstream *upstream.Server
	binary   string
	dovecot  *dovecot.Server // in place of upstream; nil: none
	guard    *exec.Cmd       // nil while it does not run
	roots    *x509.CertPool
	ways     []way
}

// start sets everything up.
func start(binary string, withDovecot bool) (*bench, error) {
	dir, err := os.MkdirTemp("", "mailguard-bench-")
	if err != nil {
		return nil, err
	}
	b := &bench{dir: dir, upstream: upstream.New()}
	if err := b.setUp(binary, withDovecot); err != nil {
		_ = b.stop()
		return nil, err
	}
	return b, nil
}

func (b *bench) setUp(binary string, withDovecot bool) error {
	cert, err := b.certificate()
	if err != nil {
		return err
	}
	var direct, behind endpoints
	if withDovecot {
		direct, behind, err = b.startDovecot()
	} else {
		direct, behind, err = b.startUpstream(cert)
	}
	if err != nil {
		return err
	}
	front, err := b.prepareGuard(binary, behind)
	if err != nil {
		return err
	}
	b.ways = []way{
		{"direct", direct.pop3, direct.imap, private, privateCollector},
		{"guard, unguarded", front.pop3, front.imap, private, privateCollector},
		{"guard, guarded", front.pop3, front.imap, shared + "#alice", sharedCollector + "#alice"},
	}
	return b.startGuard()
}

// startUpstream serves the mail in memory, with TLS and, for the guard, without.
func (b *bench) startUpstream(cert tls.Certificate) (direct, behind endpoints, err error) {
	b.fill()
	plain := func(l net.Listener) net.Listener { return l }
	encrypted := func(l net.Listener) net.Listener {
		return tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, DynamicRecordSizingDisabled: true})
	}
	if direct, err = b.serve(encrypted); err != nil {
		return direct, behind, err
	}
	behind, err = b.serve(plain)
	return direct, behind, err
}

// The ways that lead through the guard.
const (
	unguarded = 1
	guarded   = 2
)

// fill delivers the mail.
func (b *bench) fill() {
	smallMail, largeMail, tinyMail := message(small), message(large), message(tiny)
	for _, user := range []string{shared, private} {
		b.upstream.AddUser(user, password)
		for range smallCount {
			b.upstream.Deliver(user, smallMail)
		}
		b.upstream.Deliver(user, largeMail)
	}
	for _, user := range []string{sharedCollector, privateCollector} {
		b.upstream.AddUser(user, password)
		for range manyCount {
			b.upstream.Deliver(user, tinyMail)
		}
	}
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

// endpoints are the addresses of one server.
type endpoints struct{ pop3, imap string }

func (b *bench) serve(wrap func(net.Listener) net.Listener) (e endpoints, err error) {
	for _, p := range []struct {
		address *string
		serve   func(net.Listener) error
	}{{&e.pop3, b.upstream.Serve}, {&e.imap, b.upstream.ServeIMAP}} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return e, err
		}
		*p.address = l.Addr().String()
		go func() { _ = p.serve(wrap(l)) }() // it ends with stop
	}
	return e, nil
}
