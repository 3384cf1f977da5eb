package proxytest

import (
	"net"
	"testing"
)

// Pipe returns the two ends of a connection in memory, which are closed at the
// end of the test. It has no buffer: a write waits for its reader, so whoever
// writes without being read is found out.
func Pipe(tb testing.TB) (client net.Conn, server net.Conn) {
	tb.Helper()
	client, server = net.Pipe()
	tb.Cleanup(func() {
		_ = client.Close()
		_ = server.Close()
	})
	return client, server
}

// Listen plays the scripts on a real socket, the first for the first connection
// and so on, and returns its address. Later connections are closed at once.
func Listen(tb testing.TB, scripts ...Script) (address string) {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		accept(tb, l, scripts)
	}()
	tb.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return l.Addr().String()
}

// accept gives each connection its script, and waits for them at the end.
func accept(tb testing.TB, l net.Listener, scripts []Script) {
	var all []running
	for {
		nc, err := l.Accept()
		if err != nil {
			break
		}
		if len(all) == len(scripts) {
			_ = nc.Close()
			continue
		}
		all = append(all, scripts[len(all)].run(tb, nc))
	}
	for _, r := range all {
		r.end()
	}
}
