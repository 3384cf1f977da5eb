package servers

import (
	"errors"
	"fmt"
	"strings"
)

// User is somebody who may log in, with an empty INBOX.
type User struct{ Name, Password string }

// Options say what kind of server to run.
type Options struct {
	// Users, one at least, have names with a domain, such as
	// support@example.com, in small letters.
	Users []User
}

// Message is what lies in the files of somebody's INBOX.
type Message struct {
	// UID is the message's unique identifier in IMAP. 0: the server has not
	// seen the message yet (Courier).
	UID uint32
	// Path is the message's file.
	Path string
	// Deleted says that the message is marked \Deleted.
	Deleted bool
}

const nameOctets = "abcdefghijklmnopqrstuvwxyz0123456789.-_"

// check refuses what a server would refuse later and less clearly, and names
// that would be something else in a path or in a configuration file.
func (o Options) check() error {
	if len(o.Users) == 0 {
		return errors.New("no users: there would be nobody to see whether the server is ready")
	}
	for _, u := range o.Users {
		local, domain, _ := strings.Cut(u.Name, "@")
		for _, part := range []string{local, domain} {
			if part == "" || strings.Trim(part, nameOctets) != "" || part[0] == '.' {
				return fmt.Errorf("user name %q: it must be local@domain, of small letters, digits and . - _, with no dot in front", u.Name)
			}
		}
		if u.Password == "" {
			return fmt.Errorf("user %s has no password", u.Name)
		}
	}
	return nil
}

// password is that of a user, "" if there is none of that name.
func (o Options) password(name string) string {
	for _, u := range o.Users {
		if u.Name == name {
			return u.Password
		}
	}
	return ""
}
