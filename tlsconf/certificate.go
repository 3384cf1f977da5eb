package tlsconf

import (
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"
)

// Certificate names the files of a certificate and its key.
type Certificate struct {
	CertFile string // PEM: the certificate first, then the chain
	KeyFile  string // PEM, not encrypted
}

// Load reads a certificate and its key. The error says what to do. A certificate
// out of its time is loaded all the same: see [Warning].
func Load(c Certificate) (tls.Certificate, error) {
	cert, err := read("certificate", c.CertFile)
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := read("key", c.KeyFile)
	if err != nil {
		return tls.Certificate{}, err
	}
	if err := wantPEM("certificate", c.CertFile, cert, isCertificate); err != nil {
		return tls.Certificate{}, err
	}
	if err := wantPEM("key", c.KeyFile, key, isKey); err != nil {
		return tls.Certificate{}, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return tls.Certificate{}, pairError(c, err)
	}
	return pair, nil
}

// Warning says what is wrong with the time of a certificate at now, or soon; ""
// if nothing is. It is no reason not to start: the clients decide, and mail that
// some of them fetch is better than none.
func Warning(cert tls.Certificate, now time.Time) string {
	leaf := cert.Leaf
	if leaf == nil {
		return ""
	}
	name := leaf.Subject.CommonName
	if len(leaf.DNSNames) > 0 {
		name = leaf.DNSNames[0]
	}
	switch day := time.DateOnly; {
	case now.Before(leaf.NotBefore):
		return fmt.Sprintf("the certificate for %s is valid only from %s on", name, leaf.NotBefore.Format(day))
	case now.After(leaf.NotAfter):
		return fmt.Sprintf("the certificate for %s expired on %s: clients will refuse it", name, leaf.NotAfter.Format(day))
	case now.Add(expiresSoon).After(leaf.NotAfter):
		return fmt.Sprintf("the certificate for %s expires on %s", name, leaf.NotAfter.Format(day))
	}
	return ""
}

// expiresSoon is late enough not to nag about certificates that renew
// themselves a month ahead, and leaves a week to act.
const expiresSoon = 7 * 24 * time.Hour

// read reads a file, with errors for people.
func read(what, file string) ([]byte, error) {
	if file == "" {
		return nil, fmt.Errorf("%s: no file is configured", what)
	}
	data, err := os.ReadFile(file)
	switch {
	case err == nil:
		return data, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s %s does not exist: %w", what, file, err)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%s %s may not be read by user id %d: %w", what, file, os.Geteuid(), err)
	}
	return nil, fmt.Errorf("%s %s cannot be read: %w", what, file, err)
}

func isCertificate(kind string) bool { return kind == "CERTIFICATE" }
func isKey(kind string) bool         { return strings.HasSuffix(kind, "PRIVATE KEY") }

// wantPEM says what a file is where it is not what it should be.
func wantPEM(what, file string, data []byte, wanted func(kind string) bool) error {
	found := ""
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "" {
			return fmt.Errorf("%s %s is locked with a passphrase: store it without", what, file)
		}
		if wanted(block.Type) {
			return nil
		}
		found = block.Type
	}
	if found != "" {
		return fmt.Errorf("%s %s holds something else (%s): are the files mixed up?", what, file, strings.ToLower(found))
	}
	return fmt.Errorf("%s %s is not in PEM form (text that begins with -----BEGIN)", what, file)
}

// pairError makes crypto/tls's error one for people. It has no type for "the key
// is another certificate's", only the text; a test notices if that changes.
func pairError(c Certificate, err error) error {
	if strings.Contains(err.Error(), "does not match") {
		return fmt.Errorf("key %s does not belong to certificate %s (its first one must be the server's own): %w", c.KeyFile, c.CertFile, err)
	}
	return fmt.Errorf("certificate %s with key %s cannot be used: %w", c.CertFile, c.KeyFile, err)
}
