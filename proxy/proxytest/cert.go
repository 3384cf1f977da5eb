package proxytest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// Time in a testing/synctest bubble begins in the year 2000.
var (
	validFrom  = time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)
	validUntil = time.Date(2199, 1, 1, 0, 0, 0, 0, time.UTC)
)

// issued is the test CA and the one certificate that it issued.
type issued struct {
	certDER, keyDER, caDER []byte
}

// issue works once for a test binary.
var issue = sync.OnceValues(func() (issued, error) {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return issued{}, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return issued{}, err
	}
	var out issued
	if out.caDER, err = x509.CreateCertificate(rand.Reader, caTemplate(), caTemplate(), caKey.Public(), caKey); err != nil {
		return issued{}, err
	}
	if out.certDER, err = x509.CreateCertificate(rand.Reader, serverTemplate(), caTemplate(), key.Public(), caKey); err != nil {
		return issued{}, err
	}
	out.keyDER, err = x509.MarshalPKCS8PrivateKey(key)
	return out, err
})

func caTemplate() *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "mailguard test CA"},
		NotBefore:    validFrom, NotAfter: validUntil,
		KeyUsage:              x509.KeyUsageCertSign,
		BasicConstraintsValid: true, IsCA: true,
	}
}

func serverTemplate() *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(2),
		Subject:      pkix.Name{CommonName: "localhost"},
		NotBefore:    validFrom, NotAfter: validUntil,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
}

// Cert returns a certificate for localhost, 127.0.0.1 and ::1, and a pool with
// the CA that issued it. It is the same one throughout a test binary.
func Cert(tb testing.TB) (tls.Certificate, *x509.CertPool) {
	tb.Helper()
	certPEM, keyPEM, caPEM := encoded(tb)
	cert, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		tb.Fatalf("the test certificate: %v", err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(caPEM)
	return cert, pool
}

// WriteCert writes the certificate of [Cert], its key and its CA into dir.
func WriteCert(tb testing.TB, dir string) (certFile, keyFile, caFile string) {
	tb.Helper()
	certPEM, keyPEM, caPEM := encoded(tb)
	write := func(name string, data []byte) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, data, 0o600); err != nil {
			tb.Fatal(err)
		}
		return file
	}
	return write("cert.pem", certPEM), write("key.pem", keyPEM), write("ca.pem", caPEM)
}

func encoded(tb testing.TB) (certPEM, keyPEM, caPEM []byte) {
	tb.Helper()
	c, err := issue()
	if err != nil {
		tb.Fatalf("the test certificate: %v", err)
	}
	encode := func(kind string, der []byte) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	}
	return encode("CERTIFICATE", c.certDER), encode("PRIVATE KEY", c.keyDER), encode("CERTIFICATE", c.caDER)
}
