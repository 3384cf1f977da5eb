package upstream

import (
	"bufio"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// observer is a client that believes nothing but what it is told, and notices
// when that does not fit together.
type observer struct {
	*client
	uids []int // by number less one; 0 is not known yet
}

var (
	untagged = regexp.MustCompile(`^\* (\d+) (EXPUNGE|EXISTS|FETCH)`)
	uidItem  = regexp.MustCompile(`UID (\d+)`)
)

// run sends a command and follows what is told meanwhile. quiet are commands
// that may not be told of EXPUNGE (RFC 9051, 7.5.1).
func (o *observer) run(rt *rapid.T, command string) []string {
	verb, _, _ := strings.Cut(command, " ")
	quiet := slices.Contains([]string{"FETCH", "STORE", "SEARCH"}, verb)
	answers := o.do(command)
	for _, a := range answers {
		m := untagged.FindStringSubmatch(a)
		if m == nil {
			continue
		}
		n, _ := strconv.Atoi(m[1])
		if m[2] != "EXISTS" && (n < 1 || n > len(o.uids)) {
			rt.Fatalf("%s: %q with %d messages", command, a, len(o.uids))
		}
		switch m[2] {
		case "EXPUNGE":
			if quiet {
				rt.Fatalf("%s: %q", command, a)
			}
			o.uids = slices.Delete(o.uids, n-1, n)
		case "EXISTS":
			if n < len(o.uids) {
				rt.Fatalf("%s: %q with %d messages", command, a, len(o.uids))
			}
			o.uids = append(o.uids, make([]int, n-len(o.uids))...)
		case "FETCH":
			o.learn(rt, n, a)
		}
	}
	return answers
}

// learn compares a UID with what the message's UID was before.
func (o *observer) learn(rt *rapid.T, n int, answer string) {
	m := uidItem.FindStringSubmatch(answer)
	if m == nil {
		return
	}
	uid, _ := strconv.Atoi(m[1])
	if known := o.uids[n-1]; known != 0 && known != uid {
		rt.Fatalf("%q, but message %d has UID %d", answer, n, known)
	}
	o.uids[n-1] = uid
}

// observe opens a session without a network.
func observe(t testing.TB, rt *rapid.T, s *Server) *observer {
	near, far := net.Pipe()
	go s.ServeIMAPConn(far)
	t.Cleanup(func() { _ = near.Close() })
	o := &observer{client: &client{t: t, conn: near, r: bufio.NewReader(near)}}
	o.response()
	o.do("LOGIN " + user + " secret")
	o.run(rt, "SELECT INBOX")
	return o
}

// Whatever several sessions do, none is told something that does not fit, and
// in the end all see what is there.
func TestSessionsAgreeWithTheFolder(t *testing.T) {
	expunged, overtaken := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		s := New()
		defer func() { _ = s.Close() }()
		s.AddUser(user, "secret")
		for i := range 5 {
			s.Deliver(user, letter(i+1))
		}
		sessions := []*observer{observe(t, rt, s), observe(t, rt, s), observe(t, rt, s)}
		for range rapid.IntRange(1, 25).Draw(rt, "commands") {
			o := rapid.SampledFrom(sessions).Draw(rt, "session")
			if answers := o.run(rt, randomCommand(rt, len(o.uids))); strings.Contains(answers[len(answers)-1], "EXPUNGEISSUED") {
				overtaken++
			}
		}
		expunged += len(s.Removed())
		var want []int
		for _, m := range s.Messages(user, "INBOX") {
			want = append(want, int(m.UID))
		}
		for i, o := range sessions {
			o.run(rt, "NOOP")
			o.run(rt, "UID FETCH 1:* UID")
			if !slices.Equal(o.uids, want) {
				rt.Fatalf("session %d sees %v, there is %v", i, o.uids, want)
			}
		}
	})
	if expunged == 0 || overtaken == 0 {
		t.Errorf("%d messages were removed, %d commands came too late: the test shows little", expunged, overtaken)
	}
}

// randomCommand is for a session that knows of so many messages.
func randomCommand(rt *rapid.T, messages int) string {
	n := rapid.IntRange(1, max(1, messages)).Draw(rt, "number")
	format := rapid.SampledFrom([]string{
		"FETCH %d (UID FLAGS)", "FETCH %d (UID BODY.PEEK[])", "UID FETCH %d:* (FLAGS)", `STORE %d +FLAGS (\Deleted)`, `STORE %d +FLAGS.SILENT (\Deleted)`,
		`UID STORE %d:* +FLAGS (\Seen)`, "SEARCH %d", "UID SEARCH %d:*", "UID EXPUNGE %d:*", "COPY %d INBOX", "MOVE %d INBOX", "UID MOVE %d INBOX",
	}).Draw(rt, "form")
	plain := rapid.SampledFrom([]string{"", "", "", "NOOP", "EXPUNGE", "APPEND INBOX {4+}\r\nA: b"}).Draw(rt, "plain")
	if plain != "" {
		return plain
	}
	return fmt.Sprintf(format, n)
}

// A set means the same numbers, however it is written.
func TestSets(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		last := uint32(rapid.IntRange(1, 30).Draw(rt, "last"))
		number := rapid.Custom(func(rt *rapid.T) string {
			n := rapid.Uint32Range(0, 40).Draw(rt, "n")
			if n == 0 {
				return "*"
			}
			return fmt.Sprint(n)
		})
		var parts []string
		in := make(map[uint32]bool)
		for range rapid.IntRange(1, 6).Draw(rt, "parts") {
			low, high := number.Draw(rt, "low"), number.Draw(rt, "high")
			parts = append(parts, low+":"+high)
			from, to := value(low, last), value(high, last)
			for n := min(from, to); n <= max(from, to); n++ {
				in[n] = true
			}
		}
		text := strings.Join(parts, ",")
		set, ok := parseSet(text)
		if !ok {
			rt.Fatalf("%s is no set", text)
		}
		var numbers []uint32
		for _, r := range set.resolve(last) {
			for n := r.low; n <= r.high; n++ {
				if len(numbers) > 0 && n <= numbers[len(numbers)-1] {
					rt.Fatalf("%s gives %d behind %v", text, n, numbers)
				}
				numbers = append(numbers, n)
			}
		}
		if len(numbers) != len(in) {
			rt.Fatalf("%s gives %v, not %v", text, numbers, in)
		}
		again, ok := parseSet(formatSet(numbers))
		if !ok || !slices.Equal(again.resolve(last), set.resolve(last)) {
			rt.Fatalf("%v is written %s", numbers, formatSet(numbers))
		}
	})
}

func value(text string, last uint32) uint32 {
	if n, err := strconv.ParseUint(text, 10, 32); err == nil {
		return uint32(n)
	}
	return last
}

func TestNoSets(t *testing.T) {
	for _, text := range []string{"", "0", "1:", ":1", "1,,2", ",", "+1", "1:2:3", "4294967296", "-1", "a", "$", "1 "} {
		if set, ok := parseSet(text); ok {
			t.Errorf("%q is %v", text, set)
		}
	}
}
