package config

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
)

// certificates checks what clients are shown.
func (c *checker) certificates() {
	top := path{"tls", "certificates"}
	for i, one := range c.file.TLS.Certificates {
		c.cfg.Certificates = append(c.cfg.Certificates, c.certificate(top.of(i), one))
	}
	if acme := c.file.TLS.ACME; acme != nil {
		c.laterKey(path{"tls", "acme"})
		c.acme(path{"tls", "acme"}, acme)
	}
	if c.file.TLS.ClientCA != "" {
		c.laterKey(path{"tls", "client_ca"})
		c.authorities(path{"tls", "client_ca"}, c.file.TLS.ClientCA)
	}
	if len(c.file.TLS.Certificates) == 0 && c.file.TLS.ACME == nil {
		c.certificatesNeeded()
	}
}

// certificatesNeeded reports the first listener that cannot do without.
func (c *checker) certificatesNeeded() {
	if !c.trusted(nil) || !c.trusted(path{"tls"}) || !c.trusted(path{"tls", "certificates"}) {
		return
	}
	for i, l := range c.file.Listeners {
		if l.TLS == string(TLSStart) || l.TLS == string(TLSImplicit) {
			c.wrong(path{"listeners", i, "tls"}, "`tls: %s` needs a certificate; name one in `tls:`, "+
				"as in `certificates: [{cert: tls/fullchain.pem, key: tls/privkey.pem}]`", l.TLS)
			return
		}
	}
}

func (c *checker) acme(p path, keys *acmeKeys) {
	if !strings.Contains(keys.Email, "@") {
		c.missing(p, "`email` is a mail address: whom the authority writes to when a certificate runs out")
	}
	if len(keys.Hosts) == 0 {
		c.missing(p, "`hosts` is missing: the names that certificates are fetched for")
	}
	for i, host := range keys.Hosts {
		if !isDomain(host) {
			c.wrong(p.of("hosts", i), "`hosts` are names of hosts in lower case, such as mail.example.com, not %s", quote(host))
		}
	}
}

// certificate reads one certificate and its key, and checks that they belong
// together.
func (c *checker) certificate(p path, keys certificateKeys) Certificate {
	if keys.Cert == "" {
		c.missing(p, "`cert` is missing: the file with the certificate and its chain (PEM)")
	}
	if keys.Key == "" {
		c.missing(p, "`key` is missing: the file with the certificate's private key (PEM)")
	}
	found := Certificate{absolute(c.cfg.Dir, keys.Cert), absolute(c.cfg.Dir, keys.Key)}
	chain, chainOK := c.chain(p.of("cert"), keys.Cert)
	key, keyOK := c.key(p.of("key"), keys.Key)
	if !chainOK || !keyOK {
		return found
	}
	if _, err := tls.X509KeyPair(chain, key); err != nil {
		c.wrong(p.of("key"), "the key does not belong to the certificate that `cert` names (%s)", strings.TrimPrefix(err.Error(), "tls: "))
	}
	return found
}

// chain reads a certificate with what follows it.
func (c *checker) chain(p path, name string) ([]byte, bool) {
	if name == "" {
		return nil, false
	}
	text, err := readFile(absolute(c.cfg.Dir, name))
	if err != nil {
		c.wrong(p, "the file that `cert` names %s", err)
		return nil, false
	}
	all, err := parseCertificates(text)
	if err != nil {
		c.wrong(p, "the file that `cert` names %s", err)
		return nil, false
	}
	switch first := all[0]; {
	case c.env.now.After(first.NotAfter):
		c.warn(p, "the certificate expired on %s", first.NotAfter.UTC().Format("2 January 2006"))
	case c.env.now.Before(first.NotBefore):
		c.warn(p, "the certificate is not valid before %s", first.NotBefore.UTC().Format("2 January 2006"))
	}
	return text, true
}

// parseCertificates returns all certificates of a PEM text, at least one. Its
// errors continue a sentence.
func parseCertificates(text []byte) ([]*x509.Certificate, error) {
	var all []*x509.Certificate
	var other string
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			other = block.Type
			continue
		}
		one, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, errors.New("has a certificate that cannot be read: " + strings.TrimPrefix(err.Error(), "x509: "))
		}
		all = append(all, one)
	}
	switch {
	case len(all) > 0:
		return all, nil
	case strings.HasSuffix(other, "PRIVATE KEY"):
		return nil, errors.New("has a private key and no certificate; are the two files mistaken for each other?")
	}
	return nil, errors.New("has no certificate; it begins with -----BEGIN CERTIFICATE-----")
}

// key reads a private key.
func (c *checker) key(p path, name string) ([]byte, bool) {
	if name == "" {
		return nil, false
	}
	f, err := open(absolute(c.cfg.Dir, name))
	if err != nil {
		c.wrong(p, "the file that `key` names %s", err)
		return nil, false
	}
	defer f.Close()
	c.openToOthers(p, f)
	text, err := readOpened(f)
	if err == nil {
		err = checkKey(text)
	}
	if err != nil {
		c.wrong(p, "the file that `key` names %s", err)
		return nil, false
	}
	return text, true
}

// checkKey looks for a private key in PEM text. Its errors continue a sentence.
func checkKey(text []byte) error {
	certificate := false
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		switch {
		case block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "":
			return errors.New("has a key with a passphrase, which nobody can type in here; `openssl pkey` takes it away")
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			return nil
		case block.Type == "CERTIFICATE":
			certificate = true
		}
	}
	switch {
	case certificate:
		return errors.New("has a certificate and no private key; are the two files mistaken for each other?")
	case bytes.Contains(text, []byte("PRIVATE KEY-----")):
		return errors.New("has a private key that is damaged")
	}
	return errors.New("has no private key; it begins with -----BEGIN PRIVATE KEY-----")
}

// authorities checks a file with the certificates of authorities.
func (c *checker) authorities(p path, name string) string {
	full := absolute(c.cfg.Dir, name)
	text, err := readFile(full)
	if err == nil {
		_, err = parseCertificates(text)
	}
	if err != nil {
		c.wrong(p, "the file that `%s` names %s", p[len(p)-1], err)
	}
	return full
}
