package imapconn

import (
	"fmt"
	"strings"
)

// watch checks one connection from between. It is pure, apart from telling what
// it finds.
type watch struct {
	checker    checker
	assembler  assembler
	transcript transcript
	report     func(string)
	reported   int
	mayVanish  bool // the server may end anyhow
	clientGone bool
	blind      bool // what passes is no IMAP any more
	asking     bool // STARTTLS has no reply yet
}

// mostReported bounds what is told of one connection: one mistake is seen again
// and again.
const mostReported = 3

// shownLines is how much of the transcript is told.
const shownLines = 40

func (w *watch) start(o BetweenOptions) {
	w.report, w.mayVanish = o.Report, o.MayVanish
	w.assembler.took, w.assembler.heard = w.response, w.transcript.received
	w.checker.scanner.heard = w.transcript.sent
}

// sent follows what the client sends. It reports whether that is a STARTTLS, to
// which the reply has to be waited for.
func (w *watch) sent(raw []byte) (startTLS bool) {
	if w.blind {
		return false
	}
	before := w.asking
	w.checker.sent(string(raw))
	w.asking = w.checker.scanner.first("STARTTLS") != nil
	return w.asking && !before
}

// received follows what the server says: whether the reply to STARTTLS is in it,
// and whether that is OK.
func (w *watch) received(raw []byte) (said, agrees bool) {
	if w.blind {
		return false, false
	}
	w.assembler.feed(raw)
	w.blind = w.checker.compress
	agrees = w.asking && w.checker.startTLS
	said = agrees || w.asking && w.checker.scanner.first("STARTTLS") == nil
	w.asking = w.asking && !said
	if agrees && w.assembler.within() {
		w.tell("the server speaks in clear behind its OK to STARTTLS (RFC 9051, 6.2.1)")
	}
	return said, agrees
}

func (w *watch) response(text string) {
	if w.checker.startTLS {
		w.tell("the server speaks in clear behind its OK to STARTTLS (RFC 9051, 6.2.1)")
		return
	}
	if rule := w.checker.received(text); rule != "" {
		w.tell((&Violation{Rule: rule, Response: strings.TrimSuffix(text, "\r\n")}).Error())
	}
}

// restart follows the session inside TLS.
func (w *watch) restart() {
	w.checker.restart()
	w.assembler = assembler{took: w.assembler.took, heard: w.assembler.heard}
	w.transcript.note("TLS")
}

// clientEnded: whoever goes need not be answered. But the replies come in order
// from a server that runs one command after the other.
func (w *watch) clientEnded(err error) {
	w.clientGone = true
	w.transcript.note(fmt.Sprintf("the client has ended: %v", err))
	if left := w.checker.skipped(); left != "" && !w.blind {
		w.tell("later commands have their replies, and there is none to " + left)
	}
}

func (w *watch) serverEnded(err error) {
	w.transcript.note(fmt.Sprintf("the server has ended: %v", err))
	if w.clientGone || w.blind || w.mayVanish || w.checker.scanner.lost {
		return
	}
	if w.assembler.within() {
		w.tell("the connection ends within a response (RFC 9051, 2.2.2)")
	} else if left := w.checker.unanswered(); left != "" {
		w.tell("the connection ends: no BYE, and no reply to " + left)
	}
}

func (w *watch) tell(violation string) {
	if w.reported++; w.reported <= mostReported {
		w.report(violation + "\n" + w.transcript.last(shownLines))
	}
}
