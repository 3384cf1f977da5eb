package dovecot

import (
	"fmt"
	"strings"
)

// User is somebody who may log in. Dovecot compares names in lower case.
type User struct{ Name, Password string }

// Files names a certificate (with its chain) and its key, both PEM.
type Files struct{ Cert, Key string }

// Options say what kind of Dovecot to run. The zero value with one user is a
// server in clear text on loopback.
type Options struct {
	// Dir is where everything is kept. "" makes a temporary directory, which
	// Close removes; a named one stays. When root runs this, all folders above
	// it must be open to others, because Dovecot does not run as root.
	Dir string
	// Users have a Maildir each, made at Start.
	Users []User
	// MasterUsers may log in to anybody's mailbox, as user*master.
	MasterUsers []User
	// TrustLoopback lets clients on 127.0.0.0/8 say for whom they speak:
	// Dovecot then offers XCLIENT (login_trusted_networks).
	TrustLoopback bool
	// TLS, where set, adds POP3S, IMAPS, STLS and STARTTLS.
	TLS *Files
	// LockSession lets one POP3 session at a time have a mailbox
	// (pop3_lock_session).
	LockSession bool
	// NoSync leaves out fsync (mail_fsync = never): quicker, for benchmarks
	// and tests that cut no power.
	NoSync bool
	// Extra is added at the end of the configuration file.
	Extra string
}

// nameOctets are what Dovecot takes in a login name (auth_username_chars).
const nameOctets = "abcdefghijklmnopqrstuvwxyz0123456789.-_@"

// check refuses what Dovecot would refuse later and less clearly.
func (o Options) check() error {
	for _, u := range append(append([]User{}, o.Users...), o.MasterUsers...) {
		if u.Name == "" || strings.Trim(strings.ToLower(u.Name), nameOctets) != "" || strings.HasPrefix(u.Name, ".") {
			return fmt.Errorf("user name %q: Dovecot takes letters, digits and . - _ @ only, and this package no leading dot", u.Name)
		}
		if u.Password == "" {
			return fmt.Errorf("user %s has no password", u.Name)
		}
	}
	return nil
}
