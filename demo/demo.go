package demo

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"mailguard/tlsconf"
)

// Options say how the demo runs. Serve and Command are the product: what
// `mailguard serve -c FILE` does, and what any other command prints.
type Options struct {
	Out     io.Writer
	Dir     string // where everything is kept; must exist
	Once    bool   // end after the story
	BuiltIn bool   // use the built-in upstream even where Dovecot is installed
	Serve   func(ctx context.Context, file string, log io.Writer) error
	Command func(ctx context.Context, args ...string) (string, error)
}

// The demo's mailbox. All its members use the one password.
const (
	mailbox  = "support@example.com"
	password = "demo"
)

// demo is a running demo.
type demo struct {
	Options

	upstream mailServer
	file     string // the guard's configuration
	address  string // of the guard
	ca       string // the certificate file that clients have to trust
	roots    *x509.CertPool
}

// Run plays the story and then stays until ctx ends.
func Run(ctx context.Context, o Options) (err error) {
	d := &demo{Options: o}
	if d.upstream, err = startUpstream(ctx, o.BuiltIn); err != nil {
		return fmt.Errorf("start the mail server: %w", err)
	}
	defer func() { err = errors.Join(err, d.upstream.Close()) }()
	if err := d.configure(); err != nil {
		return err
	}
	return d.guarded(ctx, func(ctx context.Context) error {
		if err := d.play(ctx); err != nil {
			return err
		}
		if o.Once {
			return nil
		}
		d.invite()
		<-ctx.Done()
		return nil
	})
}

// guarded runs f while the guard serves.
func (d *demo) guarded(ctx context.Context, f func(context.Context) error) error {
	logPath := filepath.Join(d.Dir, "mailguard.log")
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	serving, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		ended <- d.Serve(serving, d.file, log)
		stop()
	}()
	err = d.waitReady(serving)
	if err == nil {
		err = f(serving)
	}
	stop()
	if serveErr := <-ended; serveErr != nil {
		err = errors.Join(serveErr, err)
	}
	if err != nil {
		err = fmt.Errorf("%w (the server's log is %s)", err, logPath)
	}
	return err
}

const readyTimeout = 20 * time.Second

// waitReady waits until the guard takes connections.
func (d *demo) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	for {
		c, err := connect(ctx, "", d.address, d.roots, nil)
		if err == nil {
			c.close()
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the guard does not answer: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// configure writes the certificate and the configuration: the one file that
// an administrator writes.
func (d *demo) configure() error {
	if err := d.makeCertificate(); err != nil {
		return err
	}
	var err error
	if d.address, err = freeAddress(); err != nil {
		return err
	}
	d.file = filepath.Join(d.Dir, "mailguard.yaml")
	return os.WriteFile(d.file, fmt.Appendf(nil, configuration, d.address, d.upstream.Address(), mailbox), 0o600)
}

const configuration = `listeners:
  - {protocol: pop3, address: "%s", tls: implicit}
tls:
  certificates:
    - {cert: cert.pem, key: key.pem}
upstreams:
  - name: demo
    domains: ["*"]
    pop3: {address: "%s", tls: none}
ledger: "sqlite:ledger.db"
identity: [login]
mailboxes:
  - match: "%s"
    shared: true
    members: [alice, bob, carol]
policy:
  mode: enforce
admin:
  socket: mailguard.sock
log: {level: info, format: text}
`

func (d *demo) makeCertificate() error {
	now := time.Now()
	const valid = 30 * 24 * time.Hour
	cert, key, err := tlsconf.SelfSigned([]string{"localhost", "127.0.0.1"}, now.Add(-time.Hour), now.Add(valid))
	if err != nil {
		return err
	}
	d.ca = filepath.Join(d.Dir, "cert.pem")
	d.roots = x509.NewCertPool()
	d.roots.AppendCertsFromPEM(cert)
	return errors.Join(
		os.WriteFile(d.ca, cert, 0o644), //nolint:gosec // a certificate is public
		os.WriteFile(filepath.Join(d.Dir, "key.pem"), key, 0o600),
	)
}

// freeAddress finds a port that nobody uses.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// invite says how to go on by hand.
func (d *demo) invite() {
	_, port, _ := net.SplitHostPort(d.address)
	fmt.Fprintf(d.Out, `
The guard goes on until you stop it (Ctrl-C). Try it with a real mail client:

    server    localhost, POP3 with TLS on port %s
    login     %s#alice (or #bob, #carol), password %s
    trust     %s

    curl --cacert %[4]s --user '%[2]s#alice:%[3]s' pop3s://localhost:%[1]s/
    mailguard held list -c %[5]s
    mailguard mailboxes -c %[5]s

Without the guard, the mail server itself is at %[6]s (POP3, in clear).
`, port, mailbox, password, d.ca, d.file, d.upstream.Address())
}
