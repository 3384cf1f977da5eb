package proxy_test

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mailguard/proxy"
	"mailguard/proxy/proxytest"
)

func TestDialModes(t *testing.T) {
	for mode, script := range map[proxy.TLSMode]proxytest.Script{
		proxy.TLSNone:     {"< +OK hi", "eof"},
		proxy.TLSStart:    {"< +OK hi", "eof"},
		proxy.TLSImplicit: {"starttls", "< +OK hi", "eof"},
	} {
		t.Run(string(mode), func(t *testing.T) {
			d := proxy.Dialer{Address: proxytest.Listen(t, script), Mode: mode, TLS: clientConfig(t), Timeout: 5 * time.Second}
			c, err := d.Dial(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = c.Close() }()
			talk(t, c, "", "+OK hi")
			if _, ok := c.TLS(); ok != (mode == proxy.TLSImplicit) {
				t.Errorf("TLS: %v", ok)
			}
		})
	}
}

func TestDialUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	d := proxy.Dialer{Address: path, Mode: proxy.TLSNone}
	c, err := d.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
}

// Whatever is not said plainly must not end in clear text.
func TestDialRefusesUnclearModes(t *testing.T) {
	for _, d := range []proxy.Dialer{
		{Address: "127.0.0.1:1"},
		{Address: "127.0.0.1:1", Mode: "tls"},
		{Address: "127.0.0.1:1", Mode: proxy.TLSImplicit},
	} {
		_, err := d.Dial(t.Context())
		wantError(t, err, proxy.Upstream, proxy.OpDial)
		if err != nil && strings.Contains(err.Error(), "refused") {
			t.Errorf("mode %q: dialed all the same", d.Mode)
		}
	}
}

func TestDialWrongName(t *testing.T) {
	addr := listenOnly(t, func(nc net.Conn) { _ = proxytest.Script{"starttls"}.Play(t, nc) })
	cfg := clientConfig(t)
	cfg.ServerName = "mail.example.org"
	d := proxy.Dialer{Address: addr, Mode: proxy.TLSImplicit, TLS: cfg, Timeout: 5 * time.Second}
	_, err := d.Dial(t.Context())
	wantError(t, err, proxy.Upstream, proxy.OpHandshake)
	var name x509.HostnameError
	if !errors.As(err, &name) {
		t.Errorf("got %v, want a wrong name", err)
	}
}

// An upstream that accepts and then says nothing.
func TestDialSilentUpstream(t *testing.T) {
	addr := listenOnly(t, func(nc net.Conn) { _, _ = nc.Read(make([]byte, 1<<16)); _, _ = nc.Read(make([]byte, 1)) })
	d := proxy.Dialer{Address: addr, Mode: proxy.TLSImplicit, TLS: clientConfig(t), Timeout: 50 * time.Millisecond}
	_, err := d.Dial(t.Context())
	wantError(t, err, proxy.Upstream, proxy.OpHandshake)
	var e *proxy.Error
	if errors.As(err, &e) && !e.Timeout() {
		t.Errorf("got %v, want a timeout", err)
	}
}

func TestDialCanceled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d := proxy.Dialer{Address: "127.0.0.1:1", Mode: proxy.TLSNone}
	_, err := d.Dial(ctx)
	wantError(t, err, proxy.Upstream, proxy.OpDial)
}

// The context of dialing does not end the connection.
func TestDialContextIsForDialing(t *testing.T) {
	addr := proxytest.Listen(t, proxytest.Script{"starttls", "> NOOP", "< +OK", "eof"})
	ctx, cancel := context.WithCancel(t.Context())
	d := proxy.Dialer{Address: addr, Mode: proxy.TLSImplicit, TLS: clientConfig(t), Timeout: 5 * time.Second}
	c, err := d.Dial(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	cancel()
	talk(t, c, "NOOP", "+OK")
}

// listenOnly serves one connection on a real socket.
func listenOnly(t *testing.T, serve func(nc net.Conn)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		nc, err := l.Accept()
		if err != nil {
			return
		}
		serve(nc)
		_ = nc.Close()
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return l.Addr().String()
}
