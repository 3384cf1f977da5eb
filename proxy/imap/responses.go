package imap

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"mailguard/guard"
	"mailguard/proxy/imap/view"
	"mailguard/proxy/imap/wire"
)

// The functions of this file run in the pump, with the output held.

// untagged handles a response that is no status: what the guard asked for
// itself is kept, what shows a member's marks or the upstream's capabilities is
// rewritten, and everything else is passed.
func (s *session) untagged(r *response) error {
	if s.mine(r) {
		return s.drop(r)
	}
	if r.Kind == wire.Numbered {
		return s.numbered(r)
	}
	switch {
	case r.Is("CAPABILITY"):
		return s.rewriteLine(r, func(rest string) string { return strings.Join(s.offer(strings.Fields(rest)), " ") })
	case r.Is("ENABLED"):
		return s.enabled(r)
	case r.Is("ESEARCH"):
		return s.esearch(r)
	case r.Is("FLAGS") && s.guarding():
		return s.rewriteLine(r, withDeleted)
	case r.Is("MYRIGHTS") && s.stance == guard.Protect:
		return s.rewriteLine(r, withRights)
	case r.Is("STATUS") && s.counting != nil:
		return s.status(r)
	case r.Is("VANISHED") && s.folder != nil:
		return s.vanished(r)
	}
	return s.pass(r)
}

// mine asks the guard's own command in flight whether a response is for it. A
// line that did not fit into the buffer is made whole first: it is an answer
// that the guard asked for.
func (s *session) mine(r *response) bool {
	c := s.flight.own()
	if c == nil || c.collect == nil {
		return false
	}
	if _, err := s.whole(r); err != nil {
		return false // the next read says it again
	}
	return c.collect(r)
}

// numbered handles what is said of a message.
func (s *session) numbered(r *response) error {
	f := s.folder
	switch {
	case f == nil: // the client has nothing selected
		return s.drop(r)
	case r.Is("EXPUNGE"):
		return s.expunged(r)
	case f.opening != nil:
		return s.hold(r)
	case r.Is("EXISTS"):
		return s.exists(r)
	case r.Is("RECENT") && f.hides():
		return s.count(r, min(r.Number, f.view.Count()))
	case f.silent: // the client has not been told of the EXPUNGEs: numbers would be wrong
		return s.drop(r)
	case r.Is("FETCH") && (f.protects() || f.guarded != nil):
		return s.fetchResponse(r)
	}
	return s.pass(r)
}

// exists tells the client of messages that arrive.
func (s *session) exists(r *response) error {
	f := s.folder
	n, changed, err := f.view.Exists(r.Number)
	switch {
	case err != nil:
		return nonsense(err)
	case f.silent, !changed && f.hides():
		return s.drop(r)
	}
	return s.count(r, n)
}

// count passes a response on with this member's number in place of the
// upstream's.
func (s *session) count(r *response, n uint32) error {
	if n == r.Number {
		return s.pass(r)
	}
	if err := s.drop(r); err != nil {
		return err
	}
	return s.writeLine("* " + strconv.FormatUint(uint64(n), 10) + " " + string(r.Word))
}

// expunged is where the client is told that a message is gone from the upstream.
// Whatever goes by message numbers is brought up to date with it.
func (s *session) expunged(r *response) error {
	f, seq := s.folder, view.UpstreamSeq(r.Number)
	f.marks.Expunged(seq)
	f.follow.Expunged(seq)
	f.opening.expunged(seq)
	s.fetched.expunged(seq)
	n, tell, err := f.view.Expunged(seq)
	switch {
	case err != nil:
		return nonsense(err)
	case f.silent, f.opening != nil, !tell:
		return s.drop(r)
	}
	return s.count(r, uint32(n))
}

// nonsense is the error of an upstream whose numbers do not fit together: from
// now on they could mean other messages than the client's.
func nonsense(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", wire.ErrNonsense, err)
}

// rewriteLine writes a response with another text behind its word. One with a
// literal in it is passed as it is: what is rewritten here has none.
func (s *session) rewriteLine(r *response, rewrite func(rest string) string) error {
	if _, err := s.whole(r); err != nil {
		return err
	}
	if !r.seg.Last() {
		return s.pass(r)
	}
	rest := strings.TrimRight(string(r.text()), "\r\n")
	return s.writeLine("* " + string(r.Word) + " " + rewrite(rest))
}

// withDeleted adds \Deleted to a list of flags: every member may mark, whatever
// the upstream allows to the login.
func withDeleted(list string) string {
	for f := range strings.FieldsSeq(strings.Trim(list, "()")) {
		if strings.EqualFold(f, deleted) {
			return list
		}
	}
	if list == "()" {
		return "(" + deleted + ")"
	}
	return strings.TrimSuffix(list, ")") + " " + deleted + ")"
}

// withRights adds the rights to mark and to expunge (RFC 4314, 2.1: t and e) to
// those of the login, behind the folder's name.
func withRights(rest string) string {
	i := strings.LastIndexByte(rest, ' ')
	rights := rest[i+1:]
	for _, r := range []string{"t", "e"} {
		if !strings.Contains(rights, r) {
			rights += r
		}
	}
	return rest[:i+1] + rights
}

// enabled tells what of the upstream's extensions is enabled, as far as the
// client was offered it.
func (s *session) enabled(r *response) error {
	return s.rewriteLine(r, func(rest string) string {
		var told []string
		for w := range strings.FieldsSeq(rest) {
			if row, known := passed(w); known && s.offers(row) {
				told = append(told, w)
			}
		}
		return strings.Join(told, " ")
	})
}

// esearch gives an ESEARCH the client's own tag (RFC 4731, 3.1).
func (s *session) esearch(r *response) error {
	rest, ok := bytes.CutPrefix(r.text(), []byte(`(TAG `))
	tag, behind, closed := bytes.Cut(rest, []byte(`)`))
	tag = bytes.Trim(tag, `"`)
	if !ok || !closed {
		return s.pass(r)
	}
	clientTag, known := s.flight.clientTag(tag)
	if !known {
		return s.pass(r)
	}
	if _, err := fmt.Fprintf(&s.out, `* ESEARCH (TAG "%s")`, clientTag); err != nil {
		return err
	}
	seg := r.seg
	seg.Text = behind
	return s.copyRest(seg, &s.out)
}

// vanished is EXPUNGE for a client that has enabled QRESYNC (RFC 7162, 3.2.10).
func (s *session) vanished(r *response) error {
	if _, err := s.whole(r); err != nil {
		return err
	}
	text := bytes.TrimRight(r.text(), "\r\n")
	set, err := wire.ParseUIDSet(text)
	if err != nil { // VANISHED (EARLIER)
		return s.pass(r)
	}
	f := s.folder
	f.marks.Vanished(set)
	f.follow.Vanished(set)
	s.fetched.vanished(set)
	tell, err := f.view.Vanished(set)
	switch {
	case err != nil:
		return nonsense(err)
	case !f.hides():
		return s.pass(r)
	}
	if err := s.drop(r); err != nil || len(tell) == 0 {
		return err
	}
	return s.writeLine("* VANISHED " + tell.String())
}

// statusResponse is an untagged OK, NO, BAD or BYE.
func (s *session) statusResponse(r *response) error {
	if s.mine(r) {
		return s.drop(r)
	}
	if _, err := s.whole(r); err != nil {
		return err
	}
	name, arg, rest := wire.Code(r.text())
	if len(name) == 0 && !r.Is("BYE") {
		return s.pass(r)
	}
	code := strings.ToUpper(string(name))
	word := strings.ToUpper(string(r.Word))
	switch {
	case code == "CAPABILITY":
		return s.writeLine("* " + word + " [CAPABILITY " + strings.Join(s.offer(strings.Fields(string(arg))), " ") + "] " + string(rest))
	case word == "BYE":
		s.saidBye = true
		return s.writeLine("* BYE " + string(rest))
	case hiddenCode(code):
		return s.writeLine("* " + word + " " + string(rest))
	case code == "UNSEEN" && s.folder != nil && s.folder.opening != nil:
		s.folder.opening.unseen, s.folder.opening.saysUnseen = view.UpstreamSeq(parseSize(arg)), true
		return nil
	case code == "HIGHESTMODSEQ" && s.guarding():
		return s.writeLine("* OK [NOMODSEQ] A mark of one's own has no modification sequence") // RFC 7162, 3.1.2.2
	case code == "PERMANENTFLAGS" && s.guarding() && !s.folder.readOnly:
		return s.writeLine("* OK [PERMANENTFLAGS " + withDeleted(string(arg)) + "] " + string(rest))
	}
	return s.pass(r)
}
