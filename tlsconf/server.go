package tlsconf

import (
	"crypto/tls"
	"errors"
)

// Server returns the configuration of a listener. crypto/tls chooses among the
// certificates by the name that the client asks for; the first is for clients
// that name none, or another.
//
// alpn is the listener's protocol, "pop3" or "imap". A client that offers no
// protocol is welcome, one that offers only others is refused: a browser made to
// talk to a mail server does just that (RFC 7301, 3.2). A configuration given by
// GetConfigForClient does not inherit this; make it here, too.
func Server(certs []Certificate, alpn string) (*tls.Config, error) {
	if len(certs) == 0 {
		return nil, errors.New("TLS needs a certificate: none is configured")
	}
	if alpn == "" {
		return nil, errors.New("TLS needs the name of the protocol that is served")
	}
	cfg := &tls.Config{
		MinVersion:   tls.VersionTLS12,
		CipherSuites: suites(),
		NextProtos:   []string{alpn},
		// Small first records help browsers over slow lines; here they cost packets.
		DynamicRecordSizingDisabled: true,
	}
	for _, c := range certs {
		cert, err := Load(c)
		if err != nil {
			return nil, err
		}
		cfg.Certificates = append(cfg.Certificates, cert)
	}
	return cfg, nil
}

// suites are those of TLS 1.2 that have forward secrecy and authenticated
// encryption (RFC 9325, 4.2). All of TLS 1.3's have.
func suites() []uint16 {
	return []uint16{
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
		tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
		tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
		tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	}
}
