// Command park measures what a quiet session costs in package proxy alone: its
// client with TLS, its upstream in clear, both in a process of their own. With
// -park=false the sessions wait in two goroutines instead.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"mailguard/proxy"
	"mailguard/tlsconf"
)

func main() {
	sessions := flag.Int("sessions", 2000, "sessions that are measured")
	park := flag.Bool("park", true, "whether quiet sessions are parked")
	peer := flag.String("peer", "", "be the peers of the proxy at this address (for its own use)")
	flag.Parse()
	var err error
	if *peer != "" {
		err = bePeers(*peer, *sessions)
	} else {
		err = measure(*sessions, *park)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "park:", err)
		os.Exit(1)
	}
}

// measure runs the proxy and compares before with after.
func measure(sessions int, park bool) error {
	h := &handler{parks: park}
	s, address, err := serve(h)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	peers := exec.Command(os.Args[0], "-peer", address, "-sessions", fmt.Sprint(sessions))
	peers.Stderr = os.Stderr
	in, err := peers.StdinPipe()
	if err != nil {
		return err
	}
	out, err := peers.StdoutPipe()
	if err != nil {
		return err
	}
	if err := peers.Start(); err != nil {
		return err
	}
	defer func() { _ = in.Close(); _ = peers.Wait() }()
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		return errors.New("the peers do not say where they are")
	}
	h.upstream = proxy.Dialer{Address: lines.Text(), Mode: proxy.TLSNone, Timeout: 5 * time.Second}
	before := take()
	_, _ = io.WriteString(in, "go\n")
	if !lines.Scan() || lines.Text() != "connected" {
		return errors.New("the peers are not connected")
	}
	time.Sleep(3 * time.Second)
	fmt.Printf("%d sessions, %d of them parked, %d goroutines\n", s.Sessions(), s.Parked(), runtime.NumGoroutine())
	after := take()
	per := func(a, b uint64) float64 { return (float64(b) - float64(a)) / float64(sessions) / 1024 }
	fmt.Printf("a session, kB: heap %.1f, stacks %.1f, resident %.1f, after memory is given back %.1f\n",
		per(before.heap, after.heap), per(before.stacks, after.stacks),
		per(before.resident, after.resident), per(before.trimmed, after.trimmed))
	return nil
}

func serve(h proxy.Handler) (*proxy.Server, string, error) {
	certPEM, keyPEM, err := tlsconf.SelfSigned([]string{"localhost"}, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	if err != nil {
		return nil, "", err
	}
	cert, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, "", err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	s := proxy.NewServer(proxy.ServerOptions{
		Listener: l, Implicit: true, Handler: h, Log: zerolog.New(os.Stderr).Level(zerolog.WarnLevel),
		TLS: &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12},
	})
	go func() { _ = s.Serve() }()
	return s, l.Addr().String(), nil
}

// footprint is what the process holds, in bytes.
type footprint struct{ heap, stacks, resident, trimmed uint64 }

func take() footprint {
	var f footprint
	f.resident = resident()
	runtime.GC() // a pool keeps its buffers for one more
	debug.FreeOSMemory()
	f.trimmed = resident()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	f.heap, f.stacks = m.HeapAlloc, m.StackInuse
	return f
}

func resident() uint64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		var kb uint64
		if _, err := fmt.Sscanf(line, "VmRSS: %d kB", &kb); err == nil {
			return kb * 1024
		}
	}
	return 0
}

// handler passes bytes on in both directions.
type handler struct {
	upstream proxy.Dialer
	parks    bool
}

// pair is a session.
type pair struct {
	*handler
	client, upstream *proxy.Conn
}

// quiet is how long nothing must have come before a session is parked.
const quiet = time.Second

func (h *handler) ServeConn(ctx context.Context, c *proxy.Conn) error {
	upstream, err := h.upstream.Dial(ctx)
	if err != nil {
		return err
	}
	if h.parks {
		c.SetTimeouts(quiet, 0)
	}
	p := &pair{handler: h, client: c, upstream: upstream}
	return p.stretch(ctx)
}

func (p *pair) stretch(context.Context) error {
	up := make(chan error, 1)
	go func() { up <- pass(p.client, p.upstream) }()
	err := pass(p.upstream, p.client)
	if !passes(err) {
		_ = p.upstream.Close()
		<-up
		return err
	}
	p.upstream.Pause()
	err = <-up
	p.upstream.Unpause()
	if !passes(err) {
		return err
	}
	return &proxy.Parked{Upstream: p.upstream, Resume: p.stretch}
}

// passes reports whether err is no more than quiet.
func passes(err error) bool {
	var e *proxy.Error
	return errors.Is(err, proxy.ErrPaused) || errors.As(err, &e) && e.Timeout()
}

func pass(to, from *proxy.Conn) error {
	b := proxy.GetBuffer()
	defer proxy.PutBuffer(b)
	for {
		n, err := from.Read(*b)
		if err != nil {
			return err
		}
		if _, err := to.Write((*b)[:n]); err != nil {
			return err
		}
	}
}

// bePeers is the other process: an upstream that echoes, and the clients.
func bePeers(address string, sessions int) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go echo(l)
	fmt.Println(l.Addr())
	in := bufio.NewReader(os.Stdin)
	if _, err := in.ReadString('\n'); err != nil {
		return err
	}
	clients, err := connect(address, sessions)
	if err != nil {
		return err
	}
	fmt.Println("connected")
	_, _ = in.ReadString('\n') // until the other process has measured
	for _, c := range clients {
		_ = c.Close()
	}
	return nil
}

func echo(l net.Listener) {
	for {
		nc, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			_, _ = io.Copy(nc, nc)
			_ = nc.Close()
		}()
	}
}

// connect makes the clients, a few at a time, each of which says something.
func connect(address string, sessions int) ([]net.Conn, error) {
	clients, errs := make([]net.Conn, sessions), make([]error, sessions)
	var all sync.WaitGroup
	room := make(chan struct{}, 16)
	for i := range sessions {
		room <- struct{}{}
		all.Go(func() {
			clients[i], errs[i] = connectOne(address)
			<-room
		})
	}
	all.Wait()
	return clients, errors.Join(errs...)
}

func connectOne(address string) (net.Conn, error) {
	// Only bytes are counted here: who answers does not matter.
	c, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		return nil, err
	}
	const line = "a NOOP\r\n"
	if _, err := io.WriteString(c, line); err != nil {
		return nil, err
	}
	_, err = io.ReadFull(c, make([]byte, len(line)))
	return c, err
}
