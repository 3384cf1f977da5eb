package imap

import (
	"bytes"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/rs/zerolog"

	"mailguard/guard"
	"mailguard/proxy"
	"mailguard/proxy/imap/view"
	"mailguard/proxy/imap/wire"
)

// heard is a session that has nothing but its pump, with two commands in
// flight, and an upstream that says what it says.
type heard struct {
	*session
	left, cuts []byte
	out        bytes.Buffer
}

func newHeard(f *folder, said, cuts []byte) *heard {
	h := &heard{left: said, cuts: cuts}
	near, far := net.Pipe()
	h.session = &session{
		Options: &Options{Now: time.Now}, log: zerolog.Nop(), state: selected, folder: f,
		client: proxy.NewConn(near, proxy.Client), server: &server{conn: proxy.NewConn(far, proxy.Upstream), detach: func() bool { return true }},
	}
	if f != nil {
		h.stance = f.stance
	}
	h.flight.dead = make(chan struct{})
	h.server.source = h.read
	h.server.framer = wire.NewFramer(h.server)
	h.server.borrow()
	h.session.out.to = &h.out
	for _, tag := range []string{"a", "b"} {
		c := &call{name: "FETCH", tag: tag}
		h.flight.tag(c)
		h.flight.add(c, time.Now())
	}
	return h
}

func (h *heard) read(p []byte) (int, error) {
	if len(h.left) == 0 {
		return 0, &proxy.Error{Side: proxy.Upstream, Op: proxy.OpRead, Err: net.ErrClosed}
	}
	n := len(h.left)
	if len(h.cuts) > 0 {
		n, h.cuts = min(n, int(h.cuts[0])+1), h.cuts[1:]
	}
	n = copy(p, h.left[:n])
	h.left = h.left[n:]
	return n, nil
}

// run runs the pump to the end of what the upstream says, or to what is no IMAP,
// and returns what the client got.
func (h *heard) run() []byte {
	h.lost(h.pump())
	h.server.giveBack()
	_ = h.client.Close()
	return h.out.Bytes()
}

// fuzzRewritten finds what is not passed on as it is.
var fuzzRewritten = regexp.MustCompile(`(?i)CAPABILITY|ENABLED|ESEARCH|\* BYE|REFERRAL|BADURL|URLMECH|NEWNAME|VANISHED`)

// FuzzResponses: whatever an upstream says, the pump ends in order and every
// command is answered once. Where nothing is guarded the client gets what was
// said, octet by octet.
func FuzzResponses(f *testing.F) {
	for _, said := range fuzzResponses {
		for _, guarded := range []bool{false, true} {
			f.Add(guarded, []byte{}, []byte(said))
			f.Add(guarded, make([]byte, 200), []byte(said))
		}
	}
	f.Fuzz(func(t *testing.T, guarded bool, cuts, said []byte) {
		fo := &folder{}
		if guarded {
			fo.stance = guard.Protect
			fo.marks.Add(view.Place{Seq: 2, UID: 20}, view.Place{Seq: 5, UID: 50})
		}
		got := newHeard(fo, said, cuts).run()
		answers, whole := answersIn(got)
		if whole && len(answers) != 2 {
			t.Errorf("%q: %d answers to two commands: %q", said, len(answers), got)
		}
		if guarded || fuzzRewritten.Match(said) {
			return
		}
		want, wasWhole := passedOn(said)
		if !bytes.HasPrefix(got, want) {
			t.Errorf("%q: the client got %q, want %q", said, got, want)
		}
		if !whole && (wasWhole || !bytes.HasPrefix(said, got)) && bytes.HasPrefix(said, want) {
			t.Errorf("%q: something follows what is not whole: %q", said, got)
		}
	})
}

// passedOn is what a client gets of what an upstream says: whole responses, up
// to what is no IMAP. whole: nothing is left behind them.
func passedOn(said []byte) (want []byte, whole bool) {
	open := map[string]string{"g1": "a", "g2": "b"}
	for len(said) > 0 {
		line, rest, ended := bytes.Cut(said, []byte("\n"))
		head := wire.ParseHead(line)
		switch {
		case !ended:
			return want, false
		case head.Kind == wire.Tagged:
			tag, known := open[string(head.Tag)]
			word := strings.ToUpper(string(head.Word))
			if !known || !slices.Contains([]string{"OK", "NO", "BAD"}, word) {
				return want, true
			}
			delete(open, string(head.Tag))
			want = append(want, tag+" "+strings.TrimRight(string(line[len(head.Tag)+1:]), "\r")+"\r\n"...)
		case head.Kind == wire.Continuation, head.Kind == wire.Malformed:
			return want, true
		case head.Kind == wire.Status:
			want = append(want, said[:len(line)+1]...)
		default:
			n, isWhole := responseEnd(said)
			if !isWhole {
				return want, false
			}
			want, rest = append(want, said[:n]...), said[n:]
		}
		said = rest
	}
	return want, true
}

var fuzzLiteral = regexp.MustCompile(`\{([0-9]+)\}\r\n$`)

// responseEnd finds where a response with its literals ends.
func responseEnd(said []byte) (end int, whole bool) {
	for {
		i := bytes.IndexByte(said[end:], '\n')
		if i < 0 {
			return 0, false
		}
		line := said[end : end+i+1]
		end += i + 1
		m := fuzzLiteral.FindSubmatch(line)
		if m == nil {
			return end, true
		}
		n, err := strconv.Atoi(string(m[1]))
		if err != nil || n > len(said)-end {
			return 0, false
		}
		end += n
	}
}

// answersIn lists the tagged answers. whole: the last response is.
func answersIn(got []byte) (all []string, whole bool) {
	for len(got) > 0 {
		n := bytes.IndexByte(got, '\n') + 1
		if kind := wire.ParseHead(got[:n]).Kind; kind == wire.Data || kind == wire.Numbered {
			n, _ = responseEnd(got)
		}
		if n == 0 {
			return all, false
		}
		if got[0] == 'a' || got[0] == 'b' {
			all = append(all, string(got[:n]))
		}
		got = got[n:]
	}
	return all, true
}

var fuzzResponses = []string{
	"* 2 FETCH (FLAGS (\\Seen) UID 20)\r\n* 1 FETCH (BODY[] {5}\r\nab\r\nc FLAGS (\\Deleted))\r\ng1 OK done\r\ng2 NO no\r\n",
	"* 1 EXPUNGE\r\n* 4 FETCH (UID 50 FLAGS ())\r\n* 9 EXISTS\r\ng2 OK [COPYUID 1 2 3] x\r\ng1 BAD [CAPABILITY IMAP4rev1 COMPRESS=DEFLATE] x\r\n",
	"* CAPABILITY IMAP4rev1 CONDSTORE NOTIFY\r\n* ENABLED CONDSTORE\r\n* ESEARCH (TAG \"g1\") UID ALL 1:3\r\n* FLAGS (\\Seen)\r\n* OK [PERMANENTFLAGS (\\Seen)] x\r\n* OK [HIGHESTMODSEQ 7] x\r\n* VANISHED 20,30:40\r\n",
	"* 2 FETCH (FLAGS (\\Seen) UID 20)\r\n* 1 FETCH (BODY[] {90}\r\nab", "* 1 FETCH (BODY[] {1}\r\na FLAGS ()\r\n* 1 FETCH (X {2}\r\nab",
	"* MYRIGHTS INBOX lr\r\n* LIST () \"/\" {5}\r\nINBOX\r\n* BYE bye\r\n", "+ go on\r\n", "g1 DONE x\r\n", "g2 BYE x\r\n", "g1 OK a\r\ng1 OK b\r\n", "g7 OK\r\n", "* 2 FETCH (FLAGS\r\n* 2 FETCH (FLAGS (\\Deleted) {3}\r\nabc\r\n", "* 0 FETCH (UID 0 RFC822.SIZE 99999999999999999999 FLAGS (\\DELETED \\deleted))\n",
	"\r\n", " x\r\n", "* \r\n", "* 4294967296 EXISTS\r\n* 99 EXPUNGE\r\n* 0 EXPUNGE\r\n", "* 5 FETCH (MODSEQ (3) FLAGS (\\Deleted))\r\n* 5 FETCH (MODSEQ (3))\r\n* 5 FETCH (BODY[]<0> \"abc\" UID 50)\r\n", "* OK [x\r\n* NO ]\r\n* BAD [REFERRAL imap://x/] go\r\n",
	"* ESEARCH (TAG \"g1\" {2}\r\nab\r\n", "* SEARCH " + strings.Repeat("1 ", 3000) + "\r\n", "* 1 FETCH (ENVELOPE (" + strings.Repeat("NIL ", 2000) + "{2}\r\nab) FLAGS (\\Deleted))\r\n",
}

// fuzzBefore are items that may stand before FLAGS, and what the client gets of
// them in a guarded folder.
var fuzzBefore = [][2]string{
	{"", ""}, {"UID 7 ", "UID 7 "}, {`ENVELOPE ("FLAGS (\\Deleted)" ((NIL "\"")) NIL) `, `ENVELOPE ("FLAGS (\\Deleted)" ((NIL "\"")) NIL) `}, {"MODSEQ (5) ", ""},
	{"BODY[HEADER.FIELDS (\"FLAGS (\" x)] {3}\r\n(\\D ", "BODY[HEADER.FIELDS (\"FLAGS (\" x)] {3}\r\n(\\D "}, {"X ((a b)({2}\r\n))) c) ", "X ((a b)({2}\r\n))) c) "},
}

// FuzzFlags: in a guarded folder a FETCH shows this member's own mark, nobody
// else's, and everything else as it was.
func FuzzFlags(f *testing.F) {
	for i, flags := range []string{``, `\Seen`, `\Deleted`, `\deleted \Seen`, `\Seen \DELETED $Deleted`, `\Deleted \Deleted`, `\Deletedx x\Deleted`, ` \Seen  \Deleted `, `\Del\Deleted`} {
		f.Add(byte(i), flags, "body", i%2 == 0, []byte{byte(i), 1, 0})
	}
	f.Fuzz(func(t *testing.T, before byte, flags, body string, marked bool, cuts []byte) {
		if strings.ContainsAny(flags, "()\"\r\n{}") || strings.Contains(flags, "\x00") {
			return
		}
		fo := &folder{stance: guard.Protect}
		fo.marks.Add(view.Place{Seq: 4, UID: 40})
		seq := 3
		if marked {
			seq = 4
		}
		items := fuzzBefore[int(before)%len(fuzzBefore)]
		form := "* %d FETCH (%sFLAGS (%s) BODY[] {%d}\r\n%s)\r\n"
		said := fmt.Sprintf(form, seq, items[0], flags, len(body), body)
		want := fmt.Sprintf(form, seq, items[1], ownFlags(flags, marked), len(body), body)
		got := newHeard(fo, []byte(said), cuts).run()
		if !bytes.HasPrefix(got, []byte(want)) {
			t.Errorf("%q, marked %t:\n got %q\nwant %q", said, marked, got, want)
		}
	})
}

// ownFlags are flags as a member sees them who has marked the message, or not.
func ownFlags(flags string, marked bool) string {
	words := strings.Split(flags, " ")
	isMark := func(w string) bool { return strings.EqualFold(w, string(imap.FlagDeleted)) }
	if slices.ContainsFunc(words, isMark) == marked {
		return flags
	}
	words = slices.DeleteFunc(words, func(w string) bool { return w == "" || isMark(w) })
	if marked {
		words = append(words, string(imap.FlagDeleted))
	}
	return strings.Join(words, " ")
}
