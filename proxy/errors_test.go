package proxy_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"mailguard/proxy"
)

func TestIsDisconnect(t *testing.T) {
	on := func(op string, err error) error { return &proxy.Error{Side: proxy.Client, Op: op, Err: err} }
	op := func(err error) error { return &net.OpError{Op: "read", Net: "tcp", Err: err} }
	for name, test := range map[string]struct {
		err  error
		want bool
	}{
		"nil":                   {nil, false},
		"end of the stream":     {on(proxy.OpRead, io.EOF), true},
		"end in a TLS record":   {on(proxy.OpRead, io.ErrUnexpectedEOF), true},
		"reset":                 {on(proxy.OpRead, op(os.NewSyscallError("read", syscall.ECONNRESET))), true},
		"broken pipe":           {on(proxy.OpWrite, op(os.NewSyscallError("write", syscall.EPIPE))), true},
		"closed by us":          {on(proxy.OpRead, op(net.ErrClosed)), true},
		"timeout":               {on(proxy.OpRead, op(os.ErrDeadlineExceeded)), true},
		"handshake took long":   {on(proxy.OpHandshake, context.DeadlineExceeded), true},
		"interrupted":           {on(proxy.OpRead, proxy.ErrInterrupted), true},
		"wrapped":               {fmt.Errorf("reading a command: %w", on(proxy.OpRead, io.EOF)), true},
		"injection":             {on(proxy.OpHandshake, proxy.ErrPlaintextBehindSTARTTLS), false},
		"no TLS":                {on(proxy.OpHandshake, tls.RecordHeaderError{Msg: "not TLS"}), false},
		"dialing took long":     {on(proxy.OpDial, context.DeadlineExceeded), false},
		"nobody listens":        {on(proxy.OpDial, syscall.ECONNREFUSED), false},
		"somebody else's end":   {io.EOF, false},
		"somebody else's limit": {context.DeadlineExceeded, false},
	} {
		if got := proxy.IsDisconnect(test.err); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

func TestErrorText(t *testing.T) {
	err := &proxy.Error{Side: proxy.Upstream, Op: proxy.OpDial, Err: errors.New("no route")}
	if got := err.Error(); got != "upstream dial: no route" {
		t.Errorf("got %q", got)
	}
	if err.Timeout() {
		t.Error("this is no timeout")
	}
}
