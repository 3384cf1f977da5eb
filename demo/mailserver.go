package demo

import (
	"context"
	"net"

	"mailguard/demo/dovecot"
	"mailguard/demo/upstream"
)

// mailServer is the mail server behind the guard.
type mailServer interface {
	Name() string
	Address() string // of POP3, in clear
	Deliver(user string, message []byte) error
	Close() error
}

// startUpstream starts a real Dovecot where it is installed, and otherwise
// the mail server that is built in.
func startUpstream(ctx context.Context, builtIn bool) (mailServer, error) {
	if builtIn || dovecot.Installed() != nil {
		return startBuiltIn()
	}
	s, err := dovecot.Start(ctx, dovecot.Options{Users: []dovecot.User{{Name: mailbox, Password: password}}})
	if err != nil {
		return nil, err
	}
	return realDovecot{s}, nil
}

type realDovecot struct{ *dovecot.Server }

func (realDovecot) Name() string      { return "a real Dovecot" }
func (d realDovecot) Address() string { return d.POP3() }

// builtIn is the embedded POP3 server, which keeps its mail in memory.
type builtIn struct {
	*upstream.Server

	listener net.Listener
}

func startBuiltIn() (mailServer, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := upstream.New()
	s.AddUser(mailbox, password)
	go func() { _ = s.Serve(l) }() // it ends with Close
	return builtIn{Server: s, listener: l}, nil
}

func (builtIn) Name() string      { return "built in (Dovecot is not installed)" }
func (b builtIn) Address() string { return b.listener.Addr().String() }

func (b builtIn) Deliver(user string, message []byte) error {
	b.Server.Deliver(user, message)
	return nil
}
