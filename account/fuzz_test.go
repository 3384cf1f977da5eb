package account

import (
	"bufio"
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"mailguard/message"
	"mailguard/proxy"
	"mailguard/proxy/credentials"
)

// puppet is a server that lets everybody in and then says what it is told to,
// the next piece for each command. "{tag}" is the command's tag.
func puppet(nc net.Conn, says string) (commands []string) {
	defer nc.Close()
	pieces := strings.Split(says, "|")
	r := bufio.NewReader(nc)
	_, _ = nc.Write([]byte("* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hi\r\n"))
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return commands
		}
		commands = append(commands, strings.TrimSpace(line))
		tag, _, _ := strings.Cut(line, " ")
		answer := "{tag} OK done\r\n"
		switch {
		case strings.Contains(line, "CAPABILITY"):
			answer = "* CAPABILITY IMAP4rev1 UIDPLUS\r\n" + answer
		case strings.Contains(line, "AUTHENTICATE"):
			answer = "{tag} OK [CAPABILITY IMAP4rev1] in\r\n"
		case strings.Contains(line, "LOGOUT"), len(pieces) == 0:
			return commands
		default:
			answer, pieces = pieces[0], pieces[1:]
		}
		if _, err := nc.Write([]byte(strings.ReplaceAll(answer, "{tag}", tag))); err != nil {
			return commands
		}
	}
}

// Whatever a server says, the session ends with its context at the latest, does
// not panic, and sends nothing by which more than the named messages could be
// removed.
func FuzzServer(f *testing.F) {
	const opened = "* OK [UIDVALIDITY 7] ok\r\n{tag} OK [READ-WRITE] done\r\n|"
	for _, seed := range []string{
		opened + "{tag} OK\r\n|* 1 FETCH (UID 5 FLAGS (\\Seen) RFC822.SIZE 3 INTERNALDATE \" 1-Jan-2026 00:00:00 +0000\")\r\n{tag} OK\r\n|" +
			"* 1 FETCH (UID 5 BODY[HEADER] {6}\r\nA: b\r\n)\r\n{tag} OK\r\n|{tag} OK\r\n|* 1 EXPUNGE\r\n{tag} OK\r\n",
		opened + "{tag} OK\r\n|* 1 FETCH (UID 5 BODY[HEADER] {60}\r\nA: b\r\n",
		opened + "{tag} OK\r\n|* 1 FETCH (FLAGS (\\Deleted) UID 5)\r\n{tag} OK\r\n",
		opened + "* 4294967296 EXISTS\r\n{tag} NO\r\n",
		"* OK [CLOSED]\r\n* 1 EXPUNGE\r\n{tag} OK\r\n|{tag} BAD\r\n",
		"+ go on\r\n{tag} OK\r\n", "{tag} OK\r\n{tag} OK\r\n", "* BYE\r\n", "* 1 FETCH (", "\x00", "*", "",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, says string) {
		client, server := net.Pipe()
		heard := make(chan []string, 1)
		go func() { heard <- puppet(server, says) }()
		a := accountAt(t, "")
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		s := &Session{account: a, mailbox: box, conn: &socket{Conn: proxy.NewConn(client, proxy.Upstream)}}
		c := credentials.Credentials{Mechanism: credentials.Plain, Secret: password}
		c.Login.Name = string(box)
		if err := s.run(ctx, func() error { return s.enter(c) }); err != nil {
			t.Fatal(err)
		}
		a.Timeout = 20 * time.Millisecond // most of what is made up is no whole answer
		_, openErr := s.Open(ctx, "INBOX")
		found, lookErr := s.Look(ctx, []message.UID{5, 6}, true)
		removeErr := s.Remove(ctx, []message.UID{5})
		_ = s.Close()
		if ctx.Err() != nil {
			t.Error("it hangs")
		}
		if openErr != nil && (lookErr == nil || removeErr == nil) {
			t.Error("it works without a folder")
		}
		for _, one := range found {
			if one.UID != 5 && one.UID != 6 {
				t.Errorf("nobody asked for %d", one.UID)
			}
		}
		for _, command := range <-heard {
			_, rest, _ := strings.Cut(command, " ")
			verb, _, _ := strings.Cut(rest, " ")
			switch {
			case verb == "EXPUNGE", verb == "CLOSE", verb == "MOVE", verb == "STORE", strings.HasPrefix(rest, "UID MOVE"):
				t.Errorf("sent: %s", rest)
			case strings.HasPrefix(rest, "UID EXPUNGE") && rest != "UID EXPUNGE 5", strings.HasPrefix(rest, "UID STORE") && rest != `UID STORE 5 +FLAGS.SILENT (\Deleted)`:
				t.Errorf("sent: %s", rest)
			}
		}
	})
}
