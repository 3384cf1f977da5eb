package upstream

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// Whatever a client sends the server does not panic or hang, answers in lines,
// and removes nothing that no command of RFC 9051 removes.
func FuzzSession(f *testing.F) {
	for _, seed := range []string{
		"a NOOP\r\n", "a LOGIN u secret\r\n", "a SELECT INBOX\r\nb FETCH 1:* (FLAGS UID BODY.PEEK[HEADER.FIELDS (FROM \"TO\")]<0.5>)\r\n",
		"a APPEND INBOX (\\Seen) \"01-Jan-2020 10:00:00 +0000\" {4+}\r\nA: b {4+}\r\nA: b\r\n", "a SELECT {5+}\r\nINBOX\r\nb UID SEARCH RETURN (MIN ALL) OR NOT 1 (2:* SUBJECT \"x\")\r\n",
		"a LIST (SUBSCRIBED) \"\" (\"a\" %) RETURN (STATUS (MESSAGES) CHILDREN)\r\n", "a APPEND INBOX {5}\r\nab", "a IDLE\r\nDONE\r\n", "a UID\r\n", "a SELECT INBOX\r\nb FETCH 1 (ENVELOPE BODYSTRUCTURE BINARY[1])\r\n",
		"a SELECT INBOX\r\nb STORE 1 FLAGS (x \\Seen)\r\nc COPY 1 INBOX\r\n", "a AUTHENTICATE PLAIN\r\nAHUAc2VjcmV0\r\n", "a STATUS {3+}\r\n\x00\r\n\r\n", "a (((((\r\n", "a X \"\\\r\n",
		"a SELECT INBOX\r\nb UID SORT RETURN (MIN ALL) (REVERSE SUBJECT FROM DATE) UTF-8 NOT UID 2\r\nc THREAD REFERENCES UTF-8 ALL\r\nd UID THREAD ORDEREDSUBJECT UTF-8 1:*\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		s := New()
		s.IMAP.Greeting = "PREAUTH hello"
		s.AddUser("u", "secret")
		if _, err := s.Append("u", "INBOX", input, letterDate); err != nil {
			t.Fatal(err)
		}
		s.Deliver("u", letter(1))
		near, far := net.Pipe()
		_ = near.SetDeadline(time.Now().Add(10 * time.Second))
		done := make(chan struct{})
		go func() { defer close(done); s.ServeIMAPConn(far) }()
		go func() {
			_, _ = near.Write(append(input, "\r\nzz LOGOUT\r\n"...)) // returns when the server has read all
			_ = near.Close()                                         // the input may have taken the LOGOUT in
		}()
		answers, _ := io.ReadAll(near) // to the end, however it comes
		<-done
		if len(answers) > 0 && !strings.HasPrefix(string(answers), "* PREAUTH") {
			t.Errorf("answered %q", answers)
		}
		upper := strings.ToUpper(string(input))
		for _, verb := range []string{"EXPUNGE", "CLOSE", "MOVE", "DELETE"} {
			if strings.Contains(upper, verb) {
				return
			}
		}
		if gone := s.Removed(); len(gone) > 0 {
			t.Errorf("removed %v", gone)
		}
	})
}

// FuzzThread: whatever the letters say of each other, each is told once.
func FuzzThread(f *testing.F) {
	f.Add("<a>", "<b>", "<c>", "tea", "<b> <a>", "<c> <a>", "<a> <b>")
	f.Add("<a>", "<a>", "", "Re: tea", "<x> <y>", "<y> <x>", "<x>")
	f.Add("<a>", "<b>", "<c>", "", "<c>", "<a>", "<b>")
	f.Fuzz(func(t *testing.T, id1, id2, id3, subject, ref1, ref2, ref3 string) {
		for name, algorithm := range map[string]func([]*thread) []*thread{"REFERENCES": byReferences, "ORDEREDSUBJECT": bySubject} {
			var all []*thread
			for i, letter := range [][2]string{{id1, ref1}, {id2, ref2}, {id3, ref3}, {id1, ref2}, {id2, ref3}} {
				text := newText([]byte("Message-ID: " + letter[0] + "\r\nReferences: " + letter[1] + "\r\nSubject: " + subject + "\r\n\r\n"))
				all = append(all, &thread{number: uint32(i + 1), m: &message{text: text, uid: uint32(i + 1), date: letterDate}})
			}
			told := ""
			for _, root := range algorithm(all) {
				told += "(" + string(root.append(nil)) + ")"
			}
			for _, digit := range "12345" {
				if strings.Count(told, string(digit)) != 1 {
					t.Errorf("%s: %s", name, told)
				}
			}
		}
	})
}

// FuzzMIME reads what may be no message at all.
func FuzzMIME(f *testing.F) {
	f.Add(letter(1), "1")
	f.Add([]byte("Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\na\r\n--x--\r\n"), "1.MIME")
	f.Add([]byte("Content-Type: message/rfc822\r\n\r\nFrom: a <b@c>, \"d\" (e) f:;\r\n\r\nx"), "1.HEADER.FIELDS (FROM)")
	f.Fuzz(func(t *testing.T, octets []byte, inside string) {
		message := newText(clone(octets))
		if envelope(message.raw[:message.header]) == "" || structure("BODYSTRUCTURE", message) == "" {
			t.Error("nothing")
		}
		if sec, ok := parseSection("BODY", "["+inside+"]"); ok {
			if content, _ := sec.of(message); len(content) > len(message.raw)+2 {
				t.Errorf("%d octets of %d", len(content), len(message.raw))
			}
		}
		if _, err := sentDate(message); err == nil && message.header == 0 {
			t.Error("a date without a header")
		}
	})
}
