// Command bench measures what the guard costs: it runs the built binary in
// front of an in-memory POP3 and IMAP server and, in the same rounds, talks to
// that server directly, both with TLS. The machines are noisy: only the ratios
// of one run mean anything, and the guard's own processor time. What a member's
// view of a big folder costs is measured before a real Dovecot, too (-dovecot).
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
)

func main() {
	binary := flag.String("binary", "bin/mailguard", "the mailguard to measure")
	rounds := flag.Int("rounds", 3, "how often everything is measured")
	sessions := flag.Int("sessions", 2000, "idle sessions whose memory is measured")
	only := flag.String("only", "", "measure only what fits this regular expression")
	withDovecot := flag.Bool("dovecot", false, "measure views before a Dovecot, and nothing else")
	flag.Parse()
	if err := run(*binary, *rounds, *sessions, *only, *withDovecot); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(binary string, rounds, sessions int, only string, withDovecot bool) (err error) {
	fits, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	b, err := start(binary, withDovecot)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.stop()) }()
	if withDovecot {
		return b.measureViews(rounds, fits)
	}
	if err := b.measureRates(rounds, fits); err != nil {
		return err
	}
	if err := b.measureViews(rounds, fits); err != nil {
		return err
	}
	return b.measureMemory(sessions, fits)
}
