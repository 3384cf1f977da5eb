package servers

import (
	"context"
	"errors"
	"path/filepath"
	"strconv"
	"sync"
)

// Courier is one running Courier: its IMAP server, its POP3 server and its
// authentication daemon. Its methods may be called by several goroutines at
// once.
type Courier struct {
	*server
	delivery sync.Mutex
	last     int64 // the microsecond of the last delivery
}

// StartCourier runs Courier and returns when every user can log in. Whatever
// it began is gone again when it returns an error. The context ends the wait,
// not the server; the caller closes it.
func StartCourier(ctx context.Context, options Options) (*Courier, error) {
	s, err := newServer("courier", options)
	if err != nil {
		return nil, err
	}
	c := &Courier{server: s}
	err = c.configure()
	if err == nil {
		err = c.start(ctx, c.programs, c.ready)
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// programs starts what Courier consists of. What shells and couriertcpd's own
// scripts do on a Debian machine is done here.
func (c *Courier) programs() error {
	if err := c.launch(nil, courierAuth+"authdaemond"); err != nil {
		return err
	}
	// imapd waits a second for a gam_server that does not run.
	if err := c.launch([]string{c.gamin()}, hiddenGamServer, "--notimeout"); err != nil {
		return err
	}
	if err := c.listen("pop3", courierLogin+"courierpop3login", courierLogin+"courierpop3d"); err != nil {
		return err
	}
	return c.listen("imap", courierLogin+"imaplogin", courierIMAP)
}

// listen takes connections on a port, has the one program log them in, which
// then becomes the other.
func (c *Courier) listen(port, login, mail string) error {
	return c.launch(append([]string{c.gamin()}, courierSettings...), courierTCP, "-address=127.0.0.1", "-maxprocs=400", "-maxperip=400",
		"-nodnslookup", "-noidentlookup", strconv.Itoa(c.ports[port]), login, mail, "Maildir")
}

// ready looks with a user's login: Courier knows no administrator, and the
// login changes nothing in the mailbox.
func (c *Courier) ready(ctx context.Context) error {
	for _, u := range c.options.Users {
		conn, err := c.dial(ctx, u.Name, u.Password)
		if err != nil {
			return err
		}
		_ = conn.Close()
	}
	return nil
}

// gamin is what programs and gam_server find each other by, a name that all
// programs on the machine share.
func (c *Courier) gamin() string { return "GAM_CLIENT_ID=" + filepath.Base(c.root.dir) }
