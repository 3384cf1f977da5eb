package integration

import (
	"net"
	"testing"

	"mailguard/demo/upstream"
)

// serveUpstream serves the in-memory server until the test ends.
func serveUpstream(t testing.TB, s *upstream.Server) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		_ = s.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}
