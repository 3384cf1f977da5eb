package tlsconf_test

import (
	"bytes"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mailguard/tlsconf"
)

func TestLoadErrors(t *testing.T) {
	dir := t.TempDir()
	good, other := selfSigned(t, dir, "a.example.org"), selfSigned(t, dir, "b.example.org")
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		writeFile(t, path, []byte(content))
		return path
	}
	none := filepath.Join(dir, "none.pem")
	text := file("text", "hello")
	der := file("der", string(derOf(t, good.CertFile)))
	broken := file("broken", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
	locked := file("locked", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n")
	oldLocked := file("oldlocked", "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n")
	for name, test := range map[string]struct{ cert, key, want string }{
		"no certificate configured": {"", good.KeyFile, "certificate: no file is configured"},
		"no key configured":         {good.CertFile, "", "key: no file is configured"},
		"no certificate":            {none, good.KeyFile, "certificate " + none + " does not exist"},
		"no key":                    {good.CertFile, none, "key " + none + " does not exist"},
		"a folder":                  {dir, good.KeyFile, "cannot be read"},
		"text":                      {text, good.KeyFile, "not in PEM form"},
		"DER":                       {der, good.KeyFile, "not in PEM form"},
		"broken":                    {broken, good.KeyFile, "cannot be used"},
		"mixed up":                  {good.KeyFile, good.CertFile, "holds something else (private key)"},
		"key is a certificate":      {good.CertFile, good.CertFile, "holds something else (certificate)"},
		"passphrase":                {good.CertFile, locked, "passphrase"},
		"old passphrase":            {good.CertFile, oldLocked, "passphrase"},
		"another's key":             {good.CertFile, other.KeyFile, "does not belong to"},
	} {
		_, err := tlsconf.Load(tlsconf.Certificate{CertFile: test.cert, KeyFile: test.key})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", name, err, test.want)
		}
	}
}

func TestLoadUnreadable(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may read everything")
	}
	c := selfSigned(t, t.TempDir(), "a.example.org")
	if err := os.Chmod(c.KeyFile, 0); err != nil {
		t.Fatal(err)
	}
	_, err := tlsconf.Load(c)
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "may not be read by user id") {
		t.Errorf("got %v", err)
	}
}

// Certificate and key may share a file, as some tools write them.
func TestLoadOneFile(t *testing.T) {
	dir := t.TempDir()
	c := selfSigned(t, dir, "a.example.org")
	var both bytes.Buffer
	for _, name := range []string{c.KeyFile, c.CertFile} {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		both.Write(data)
	}
	file := filepath.Join(dir, "both.pem")
	writeFile(t, file, both.Bytes())
	if _, err := tlsconf.Load(tlsconf.Certificate{CertFile: file, KeyFile: file}); err != nil {
		t.Error(err)
	}
}

func TestServerErrors(t *testing.T) {
	c := selfSigned(t, t.TempDir(), "a.example.org")
	missing := tlsconf.Certificate{CertFile: "/none", KeyFile: "/none"}
	if _, err := tlsconf.Server(nil, "pop3"); err == nil {
		t.Error("no certificate, no error")
	}
	if _, err := tlsconf.Server([]tlsconf.Certificate{c}, ""); err == nil {
		t.Error("no protocol, no error")
	}
	if _, err := tlsconf.Server([]tlsconf.Certificate{c, missing}, "pop3"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing second certificate gave %v", err)
	}
}

func TestWarning(t *testing.T) {
	from := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	until := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	certPEM, keyPEM, err := tlsconf.SelfSigned([]string{"mail.example.org"}, from, until)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		t.Fatal(err)
	}
	day := 24 * time.Hour
	for _, test := range []struct {
		now  time.Time
		want string
	}{
		{from.Add(-day), "the certificate for mail.example.org is valid only from 2026-03-01 on"},
		{from, ""},
		{until.Add(-8 * day), ""},
		{until.Add(-6 * day), "the certificate for mail.example.org expires on 2026-06-01"},
		{until.Add(day), "the certificate for mail.example.org expired on 2026-06-01: clients will refuse it"},
	} {
		if got := tlsconf.Warning(cert, test.now); got != test.want {
			t.Errorf("%v: %q, want %q", test.now, got, test.want)
		}
	}
	if got := tlsconf.Warning(tls.Certificate{}, from); got != "" {
		t.Errorf("an empty certificate: %q", got)
	}
}

// derOf returns the first certificate of a file without PEM around it.
func derOf(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	return block.Bytes
}
