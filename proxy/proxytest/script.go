package proxytest

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// Script is what an upstream says and expects, one step an element:
//
//	"< +OK hi"   send this line, with CRLF behind it
//	"<- +OK"     send just these bytes; \r, \n and \\ mean what they mean in Go
//	"> USER a"   expect exactly this line, with CRLF behind it
//	"starttls"   shake hands as a TLS server, with the certificate of Cert
//	"eof"        expect that the peer closes and has sent nothing more
//	"close"      close the connection
//
// The connection stays open after the last step unless that closed it.
type Script []string

// Play runs the script over nc. The error names the step at which the peer
// differed.
func (s Script) Play(tb testing.TB, nc net.Conn) error {
	p := &player{tb: tb, nc: nc, r: bufio.NewReader(nc)}
	for i, step := range s {
		if err := p.play(step); err != nil {
			return fmt.Errorf("script, step %d of %d (%s): %w", i+1, len(s), step, err)
		}
	}
	return nil
}

// Start runs the script in a goroutine of its own and fails the test where the
// peer differs; nc is closed then. The function that it returns waits for the
// end of the script. So does the end of the test, for a moment: a script that
// does not come to its end fails the test.
func (s Script) Start(tb testing.TB, nc net.Conn) (wait func()) {
	tb.Helper()
	r := s.run(tb, nc)
	tb.Cleanup(r.end)
	return func() { <-r.done }
}

// running is a script that runs in its goroutine.
type running struct {
	nc   net.Conn
	done chan struct{}
}

func (s Script) run(tb testing.TB, nc net.Conn) running {
	r := running{nc: nc, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		if err := s.Play(tb, nc); err != nil {
			tb.Error(err)
			_ = nc.Close()
		}
	}()
	return r
}

// lastSteps is how long a script may take for its last steps after the test has
// ended; what the peer sent last may still be under way.
const lastSteps = 2 * time.Second

// end waits for the script, at most for a moment.
func (r running) end() {
	t := time.NewTimer(lastSteps)
	defer t.Stop()
	select {
	case <-r.done:
	case <-t.C:
	}
	_ = r.nc.Close()
	<-r.done
}

// player is a script in progress.
type player struct {
	tb testing.TB
	nc net.Conn
	r  *bufio.Reader
}

func (p *player) play(step string) error {
	verb, text, _ := strings.Cut(step, " ")
	switch verb {
	case "<":
		return p.send(text + "\r\n")
	case "<-":
		return p.send(strings.NewReplacer(`\\`, `\`, `\r`, "\r", `\n`, "\n").Replace(text))
	case ">":
		return p.expect(text)
	case "starttls":
		return p.startTLS()
	case "eof":
		return p.expectEOF()
	case "close":
		return p.nc.Close()
	}
	return errors.New("no such step")
}

func (p *player) send(text string) error {
	_, err := io.WriteString(p.nc, text)
	return err
}

func (p *player) expect(want string) error {
	got, err := p.r.ReadString('\n')
	if err != nil {
		return fmt.Errorf("the peer sent %q and then: %w", got, err)
	}
	if got != want+"\r\n" {
		return fmt.Errorf("the peer sent %q", got)
	}
	return nil
}

func (p *player) startTLS() error {
	if n := p.r.Buffered(); n > 0 {
		return fmt.Errorf("the peer sent %d bytes in clear where TLS begins", n)
	}
	cert, _ := Cert(p.tb)
	t := tls.Server(p.nc, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12})
	if err := t.Handshake(); err != nil {
		return err
	}
	p.nc, p.r = t, bufio.NewReader(t)
	return nil
}

func (p *player) expectEOF() error {
	got, err := p.r.ReadString('\n')
	if got != "" {
		return fmt.Errorf("the peer sent %q", got)
	}
	if !errors.Is(err, io.EOF) {
		return fmt.Errorf("the peer did not close: %w", err)
	}
	return nil
}
