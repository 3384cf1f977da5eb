package views

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"time"

	"pgregory.net/rapid"
)

// some draws a message of a folder that is not empty.
func (h *history) some() (*folder, *message) {
	f := h.model.folders[h.folderName("")]
	if len(f.messages) == 0 {
		h.T.Skip("there is none")
	}
	return f, rapid.SampledFrom(f.messages).Draw(h.T, "message")
}

// vanish deletes past the guard.
func (h *history) vanish() {
	f, m := h.some()
	if h.model.tied(spot{f.place(), m.uid}) {
		h.T.Skip("see tied")
	}
	h.past("SELECT " + f.name)
	h.past("UID STORE " + utoa(m.uid) + ` +FLAGS.SILENT (\Deleted)`)
	h.past("UID EXPUNGE " + utoa(m.uid))
	h.remove(f, m.uid, nil)
	h.touched(f, nil)
}

// flag changes flags past the guard. \Deleted there is shown to no member and
// nobody acts on it.
func (h *history) flag() {
	f, m := h.some()
	h.past("SELECT " + f.name)
	fl := rapid.SampledFrom([]flags{seen, flagged, answered, deleted, deleted | flagged}).Draw(h.T, "flags")
	op := rapid.SampledFrom([]string{"+FLAGS", "-FLAGS"}).Draw(h.T, "op")
	h.past("UID STORE " + utoa(m.uid) + " " + op + ".SILENT (" + strings.Join(fl.names(), " ") + ")")
	if op == "+FLAGS" {
		m.flags |= fl &^ deleted
	} else {
		m.flags &^= fl &^ deleted
	}
	h.touched(f, nil)
}

func (h *history) arrive() {
	name := "INBOX"
	if rapid.IntRange(0, 3).Draw(h.T, "elsewhere") == 0 {
		name = h.folderName("")
	}
	for range rapid.IntRange(1, 3).Draw(h.T, "messages") {
		h.deliver(name)
	}
}

// maildrop is a POP3 session of dora, whose removals are not anybody else's.
type maildrop struct {
	h    *history
	conn net.Conn
	r    *bufio.Reader
}

func (h *history) dora() *maildrop {
	h.note("dora: logs in by POP3")
	h.stage.sessions++
	conn, err := net.Dial("tcp", h.stage.pop3)
	if err != nil {
		h.fail("dora: %v", err)
	}
	_ = conn.SetDeadline(time.Now().Add(patience))
	d := &maildrop{h, conn, bufio.NewReader(conn)}
	d.line()
	d.say("USER " + h.box + "#dora")
	d.say("PASS " + password)
	return d
}

func (d *maildrop) line() string {
	line, err := d.r.ReadString('\n')
	if err != nil {
		d.h.fail("dora: %v", err)
	}
	return strings.TrimRight(line, "\r\n")
}

// ask sends a command and reads the first line of its answer.
func (d *maildrop) ask(command string) string {
	d.h.stage.command()
	if _, err := fmt.Fprint(d.conn, command+"\r\n"); err != nil {
		d.h.fail("dora: %v", err)
	}
	answer := d.line()
	d.h.note("dora: %s\n    %s", command, answer)
	return answer
}

func (d *maildrop) say(command string) string {
	answer := d.ask(command)
	if !strings.HasPrefix(answer, "+OK") {
		d.h.fail("dora: %s: %s", command, answer)
	}
	return answer
}

// list reads UIDL and holds it to the model.
func (d *maildrop) list() (list []*message) {
	d.say("UIDL")
	var got []uint32
	for line := d.line(); line != "."; line = d.line() {
		var n int
		var uid, validity uint32
		if _, err := fmt.Sscanf(strings.ReplaceAll(line, "u", " "), "%d %8x", &n, &uid); err != nil || n != len(got)+1 {
			d.h.fail("dora: UIDL %q: %v %d", line, err, validity)
		}
		got = append(got, uid)
	}
	for _, m := range d.h.model.folders["INBOX"].messages {
		if !d.h.model.pop3[m.uid] {
			list = append(list, m)
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(uidsOf(list)) {
		d.h.fail("dora lists %v, and should list %v", got, uidsOf(list))
	}
	d.h.stage.pictures++
	return list
}

// download is a POP3 client that removes some of what it finds.
func (h *history) download() {
	d := h.dora()
	defer d.conn.Close()
	list := d.list()
	var hides, removes []uint32
	for i, m := range list {
		if rapid.IntRange(0, 2).Draw(h.T, "removed") != 0 || h.model.tied(spot{h.model.folders["INBOX"].place(), m.uid}) {
			continue
		}
		answer := d.ask("DELE " + itoa(i+1))
		if strings.HasPrefix(answer, "+OK") != (m.class != refused) {
			h.fail("dora: DELE of %d, of class %c: %s", m.uid, m.class, answer)
		}
		switch m.class {
		case deferred:
			hides = append(hides, m.uid)
		case allowed:
			removes = append(removes, m.uid)
		}
	}
	if rapid.IntRange(0, 3).Draw(h.T, "lost") == 0 {
		h.note("dora: is gone")
		return
	}
	d.say("QUIT")
	for _, uid := range hides {
		h.model.pop3[uid] = true
	}
	inbox := h.model.folders["INBOX"]
	for _, uid := range removes {
		h.remove(inbox, uid, nil)
	}
	h.touched(inbox, nil)
}

func (h *history) checkPOP3() {
	d := h.dora()
	defer d.conn.Close()
	d.list()
	d.say("QUIT")
}
