package upstream

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
)

// BenchmarkFetch is what a client can get out of the server over loopback.
func BenchmarkFetch(b *testing.B) {
	for _, size := range []int{50 << 10, 10 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s := New()
			s.AddUser(user, "secret")
			s.Deliver(user, append([]byte("Subject: big\r\n\r\n"), bytes.Repeat([]byte("0123456789012345678901234567890123456789012345678901234567890123456789012345\r\n"), size/78)...))
			benchmark(b, s, "UID FETCH 1 (BODY.PEEK[])")
		})
	}
}

// BenchmarkFlags is the first synchronisation of a big folder.
func BenchmarkFlags(b *testing.B) {
	s := New()
	s.AddUser(user, "secret")
	for range 20000 {
		s.Deliver(user, letter(1))
	}
	benchmark(b, s, "UID FETCH 1:* (FLAGS)")
}

func BenchmarkNOOP(b *testing.B) {
	s := New()
	s.AddUser(user, "secret")
	benchmark(b, s, "NOOP")
}

// benchmark runs one command again and again.
func benchmark(b *testing.B, s *Server, command string) {
	c := logIn(b, serveIMAP(b, s), user)
	c.do("SELECT INBOX")
	c.r = bufio.NewReaderSize(c.conn, 64<<10)
	octets := 0
	for b.Loop() {
		if _, err := io.WriteString(c.conn, "x "+command+"\r\n"); err != nil {
			b.Fatal(err)
		}
		octets = 0
		for {
			line, err := c.r.ReadSlice('\n')
			if err != nil {
				b.Fatal(err)
			}
			octets += len(line)
			if bytes.HasPrefix(line, []byte("x ")) {
				if !strings.HasPrefix(string(line), "x OK") {
					b.Fatalf("%s", line)
				}
				break
			}
			if i := bytes.LastIndexByte(line, '{'); i >= 0 && bytes.HasSuffix(line, []byte("}\r\n")) {
				n := 0
				_, _ = fmt.Sscanf(string(line[i:]), "{%d}", &n)
				if _, err := c.r.Discard(n); err != nil {
					b.Fatal(err)
				}
				octets += n
			}
		}
	}
	b.SetBytes(int64(octets))
}
