package imapconn

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// serve runs a server that says its lines by turns with what it reads: an entry
// "C:..." is what it must read next, all others are written. It returns a
// connection to it.
func serve(t *testing.T, script ...string) *Conn {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { _ = l.Close() }()
		conn, err := l.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		play(t, conn, script)
	}()
	c, err := Dial(t.Context(), l.Addr().String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	c.Timeout = 5 * time.Second
	t.Cleanup(func() { _ = c.Close(); <-done })
	return c
}

func play(t *testing.T, conn net.Conn, script []string) {
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	r := bufio.NewReader(conn)
	for _, entry := range script {
		want, isCommand := strings.CutPrefix(entry, "C:")
		if !isCommand {
			_, _ = io.WriteString(conn, entry)
			continue
		}
		got := make([]byte, len(want))
		if _, err := io.ReadFull(r, got); err != nil || string(got) != want {
			t.Errorf("the server read %q, %v; want %q", got, err, want)
			return
		}
	}
	_, _ = io.Copy(io.Discard, r)
}

const hello = "* OK hello\r\n"

func TestDo(t *testing.T) {
	c := serve(t, hello,
		"C:t1 FETCH 1 BODY[]\r\n", "* 1 FETCH (BODY[] {7}\r\na\r\nt1 O FLAGS ())\r\n* OK {3}\r\n", "t1 OK Fetched {5}\r\n",
		"C:t2 NOOP\r\n", "t2\r\nt2 BAD\r\n")
	untagged, tagged, err := c.Do("FETCH 1 BODY[]")
	want := []string{"* 1 FETCH (BODY[] {7}\r\na\r\nt1 O FLAGS ())", "* OK {3}"}
	if diff := cmp.Diff(want, untagged); diff != "" || tagged != "OK Fetched {5}" || err != nil {
		t.Errorf("%s%q, %v", diff, tagged, err)
	}
	untagged, tagged, err = c.Do("NOOP")
	if diff := cmp.Diff([]string{"t2"}, untagged); diff != "" || tagged != "BAD" || err != nil {
		t.Errorf("%s%q, %v", diff, tagged, err)
	}
}

func TestDoWithLiterals(t *testing.T) {
	c := serve(t, hello,
		"C:t1 LOGIN {3}\r\n", "+ OK\r\n", "C:{9} {4+}\r\n", "C:abcd\r\n", "t1 OK in\r\n",
		"C:t2 APPEND x {5}\r\n", "* 1 EXISTS\r\n", "t2 NO no such folder\r\n",
		"C:t3 NOOP\r\n", "+ what?\r\n")
	if _, tagged, err := c.Do("LOGIN {3}\r\n{9} {4+}\r\nabcd"); tagged != "OK in" || err != nil {
		t.Fatalf("%q, %v", tagged, err)
	}
	if untagged, tagged, err := c.Do("APPEND x {5}\r\nhello"); tagged != "NO no such folder" || len(untagged) != 1 || err != nil {
		t.Fatalf("%q, %q, %v", untagged, tagged, err)
	}
	if _, _, err := c.Do("NOOP"); err == nil {
		t.Error("a continuation is no answer to NOOP")
	}
}

func TestSplitAtLiterals(t *testing.T) {
	for command, want := range map[string][]string{
		"NOOP":                            {"NOOP"},
		"A {1}\r\nb {1}\r\nc":             {"A {1}\r\n", "b {1}\r\n", "c"},
		"A ~{6}\r\n{1}\r\nx (b {1+}\r\nc": {"A ~{6}\r\n", "{1}\r\nx (b {1+}\r\nc"},
		"A {0}\r\n":                       {"A {0}\r\n", ""},
		"A {99}\r\nshort":                 {"A {99}\r\n", "short"},
	} {
		if diff := cmp.Diff(want, splitAtLiterals(command)); diff != "" {
			t.Errorf("%q: %s", command, diff)
		}
	}
}

func TestDoRawAndWait(t *testing.T) {
	c := serve(t, hello, "C:a NOOP\nb NOOP\r\n", "+ go on\r\nb OK second\r\na OK first\r\n", "* BYE\r\n")
	others, tagged, err := c.DoRaw("a", []byte("a NOOP\nb NOOP\r\n"))
	if diff := cmp.Diff([]string{"+ go on", "b OK second"}, others); diff != "" || tagged != "OK first" || err != nil {
		t.Errorf("%s%q, %v", diff, tagged, err)
	}
}

func TestEndAndSilence(t *testing.T) {
	c := serve(t, hello+"* 1 FETCH (BODY[] {5}\r\n12")
	c.Timeout = 10 * time.Millisecond
	if _, err := c.Response(); err == nil {
		t.Error("a literal that does not come is an error")
	}
	c = serve(t, hello)
	c.Timeout = 10 * time.Millisecond
	var timeout net.Error
	if _, _, err := c.Do("NOOP"); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("%v: want a timeout", err)
	}
	if quiet, err := c.Quiet(time.Millisecond); !quiet || err != nil {
		t.Errorf("%v, %v", quiet, err)
	}
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	c.Timeout = 5 * time.Second
	if _, err := c.Response(); !errors.Is(err, io.EOF) {
		t.Errorf("%v: want the end", err)
	}
	if quiet, err := c.Quiet(time.Second); quiet || err == nil {
		t.Errorf("%v, %v: the end is not silence", quiet, err)
	}
}

func TestStartTLSInjection(t *testing.T) {
	c := serve(t, hello, "C:t1 STARTTLS\r\n", "t1 OK begin\r\n* 1 EXISTS\r\n")
	if err := c.StartTLS(nil); err == nil || !strings.Contains(err.Error(), "in clear behind") {
		t.Errorf("%v", err)
	}
}

func TestTranscriptShowsNoPassword(t *testing.T) {
	c := serve(t, hello, `C:t1 LOGIN "a\"b" "geheim"`+"\r\n", "t1 OK in\r\n", "C:x\x00y\r\n", "x BAD "+strings.Repeat("long", 1000)+"\r\n")
	if err := c.LogIn(`a"b`, "geheim"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.DoRaw("x", []byte("x\x00y\r\n")); err != nil {
		t.Fatal(err)
	}
	all := c.Transcript()
	if strings.Contains(all, "geheim") || len(all) > 2000 {
		t.Errorf("transcript: %s", all)
	}
	for _, want := range []string{"S: * OK hello\n", `C: t1 LOGIN "a\"b" ********` + "\n", `C: "x\x00y"` + "\n", "octets ... "} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is missing in:\n%s", want, all)
		}
	}
}

func TestDialTellsWhatFails(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Dial(ctx, "127.0.0.1:9", nil); err == nil {
		t.Error("dialled with a context that had ended")
	}
}
