package main

import (
	"bytes"
	"context"
	"path/filepath"
	"time"

	"mailguard/demo/dovecot"
)

// viewsUsers have the big folder.
var viewsUsers = []string{relayed, observed, complete, viewed}

// startDovecot starts a Dovecot in place of the server in memory. The
// certificate has been written.
func (b *bench) startDovecot() (direct, behind endpoints, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	o := dovecot.Options{NoSync: true, TLS: &dovecot.Files{Cert: filepath.Join(b.dir, "cert.pem"), Key: filepath.Join(b.dir, "key.pem")}}
	for _, user := range viewsUsers {
		o.Users = append(o.Users, dovecot.User{Name: user, Password: password})
	}
	if b.dovecot, err = dovecot.Start(ctx, o); err != nil {
		return direct, behind, err
	}
	return endpoints{b.dovecot.POP3S(), b.dovecot.IMAPS()}, endpoints{b.dovecot.POP3(), b.dovecot.IMAP()}, nil
}

// fillDovecot delivers the big folder to everybody who has it.
func (b *bench) fillDovecot() error {
	for _, user := range viewsUsers {
		for i := 1; i <= viewCount; i++ {
			mail, _ := viewsMail(i)
			if err := b.dovecot.Deliver(user, bytes.ReplaceAll(mail, []byte("\r\n"), []byte("\n"))); err != nil {
				return err
			}
		}
		if err := b.seeDovecot(user); err != nil {
			return err
		}
	}
	return nil
}

// seeDovecot has most of a big folder seen, by a client of Dovecot's own.
func (b *bench) seeDovecot(user string) error {
	w := b.ways[0]
	w.user = user
	c, err := b.openViews(w)
	if err != nil {
		return err
	}
	var seen []int
	for i := 1; i <= viewCount; i++ {
		if _, flags := viewsMail(i); len(flags) > 0 {
			seen = append(seen, i)
		}
	}
	if err := c.inChunks(seen, "UID STORE ", ` +FLAGS.SILENT (\Seen)`); err != nil {
		return err
	}
	return c.quit()
}
