package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// namedFiles returns a folder with the files that the tests' configurations
// name.
func namedFiles(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	tls := func(name string) string { return filepath.Join(dir, "tls", name) }
	cert, key := newCertificate(t, today.AddDate(0, -1, 0), today.AddDate(0, 1, 0))
	_, otherKey := newCertificate(t, today.AddDate(0, -1, 0), today.AddDate(0, 1, 0))
	expired, expiredKey := newCertificate(t, today.AddDate(0, -2, 0), today.AddDate(0, -1, 0))
	future, futureKey := newCertificate(t, today.AddDate(0, 1, 0), today.AddDate(0, 2, 0))
	for name, text := range map[string]string{
		"good.pem": cert, "good.key": key, "other.key": otherKey,
		"expired.pem": expired, "expired.key": expiredKey,
		"future.pem": future, "future.key": futureKey,
		"text.pem":       "this is not PEM\n",
		"damaged.pem":    pemText("CERTIFICATE", []byte("no certificate")),
		"damaged.key":    key[:len(key)-20],
		"passphrase.key": pemText("ENCRYPTED PRIVATE KEY", []byte("sealed")),
		"large.pem":      strings.Repeat("x", largestFile+1),
	} {
		writeFile(t, tls(name), text, 0o600)
	}
	writeFile(t, tls("open.key"), key, 0o604)
	writeFile(t, filepath.Join(dir, "secrets", "open"), "hunter2\n", 0o604)
	return dir
}

// newCertificate returns a certificate that signs itself, and its key, as PEM.
func newCertificate(t *testing.T, from, until time.Time) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "mail.example.com"},
		NotBefore:    from,
		NotAfter:     until,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pemText("CERTIFICATE", der), pemText("PRIVATE KEY", keyDER)
}

func pemText(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func writeFile(t *testing.T, name, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, mode); err != nil { // whatever the umask is
		t.Fatal(err)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, to, string(text), 0o644)
}
