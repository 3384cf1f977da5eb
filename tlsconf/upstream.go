package tlsconf

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
)

// upstreamSessions is how many upstream names a configuration remembers a
// session of, to resume it. It has one name; its addresses share it.
const upstreamSessions = 8

// Upstream returns the configuration for connections to the server of that name.
// Its certificate is always verified, against the CAs in caFile or, without one,
// against the system's. There is no way to turn that off: a self-signed upstream
// is trusted by naming its certificate as caFile.
func Upstream(serverName string, caFile string) (*tls.Config, error) {
	if serverName == "" {
		return nil, errors.New("TLS to the upstream needs the name in its certificate")
	}
	cfg := &tls.Config{
		ServerName:                  serverName,
		MinVersion:                  tls.VersionTLS12,
		ClientSessionCache:          tls.NewLRUClientSessionCache(upstreamSessions),
		DynamicRecordSizingDisabled: true,
	}
	if caFile == "" {
		return cfg, nil
	}
	var err error
	cfg.RootCAs, err = loadCAs(caFile)
	return cfg, err
}

func loadCAs(file string) (*x509.CertPool, error) {
	data, err := read("CA file", file)
	if err != nil {
		return nil, err
	}
	if err := wantPEM("CA file", file, data, isCertificate); err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("CA file %s: none of its certificates can be read", file)
	}
	return pool, nil
}
