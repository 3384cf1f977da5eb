// Package servers runs a Cyrus and a Courier of the tests' own beside the
// Dovecot of demo/dovecot: a private directory, loopback only, free ports, in
// clear text.
//
// Debian lets only one IMAP server be installed at a time. tools/unpack-servers
// therefore unpacks both, with every library that they need, into a folder of
// their own, and this package runs them from there: each server gets a root
// directory (chroot) of links to the unpacked files, which it cannot look out
// of, and runs in it as an unprivileged user. So all the paths that are
// compiled into the programs are right, and nothing of the machine's
// configuration, mail or logs is touched. To change the root directory takes
// root; Installed says so.
//
// Messages reads the files of the mail store, not what the server says over
// IMAP, and so it is the judge of whether mail was lost.
package servers
