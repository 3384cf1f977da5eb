package imap

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/rs/zerolog"

	"mailguard/demo/upstream"
	"mailguard/guard"
	"mailguard/ledger"
	"mailguard/member"
	"mailguard/policy"
	"mailguard/proxy"
	"mailguard/proxy/imap/command"
)

// The bits of an input's first octet.
const (
	fuzzAllows    = 1 << iota // policy lets small messages go
	fuzzLoggedIn              // the client has logged in
	fuzzSelected              // and has selected the INBOX
	fuzzMarked                // and has marked what may be marked
	fuzzPlain                 // the upstream has no MOVE, UNSELECT, ESEARCH or LITERAL+
	fuzzNoUIDPlus             // nor UIDPLUS
	fuzzRefuses               // the upstream asks for no literal once the client has logged in
	fuzzOldMark               // a message has \Deleted upstream, from before the guard
)

// fuzzBox stands for the mailbox in an input.
const fuzzBox = "b0000000@example.com"

// smallMessage is the size, in octets, below which the policy with fuzzAllows
// lets messages go.
const smallMessage = 200

// hang is how long an input may take before it counts as hanging.
const fuzzHangs = 10 * time.Second

// fuzzStage is what the inputs have in common: to make it takes longer than to
// play one of them. It is made anew after a number of inputs, since the ledger
// grows.
type fuzzStage struct {
	dir      string
	ledger   *ledger.Ledger
	guards   [2]*guard.Guard // without and with fuzzAllows
	listener net.Listener
	accepts  chan struct{} // closed when nothing is accepted any more
	server   *Upstream
	bugs     bugLog

	played     int
	box        int  // counts mailboxes
	dirty      bool // the ledger may know something of this one
	goroutines int  // when nothing is played

	mu  sync.Mutex
	now *played
}

// bugLog notes that a session recovered from a panic.
type bugLog struct{ text atomic.Pointer[string] }

func (b *bugLog) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte("ended by a bug")) {
		text := string(line)
		b.text.Store(&text)
	}
	return len(line), nil
}

// fuzzStageLasts is how many inputs a stage is for.
const fuzzStageLasts = 20_000

func (st *fuzzStage) ready(t *testing.T) {
	if st.played++; st.ledger != nil && st.played < fuzzStageLasts {
		return
	}
	st.close()
	if err := st.open(); err != nil {
		t.Fatal(err)
	}
	st.play(t, fuzzLoggedIn|fuzzSelected|fuzzMarked, nil, nil) // what is made once is made now
	st.play(t, fuzzLoggedIn|fuzzSelected|fuzzMarked|fuzzAllows, nil, []byte("a EXPUNGE\r\n"))
	st.goroutines = runtime.NumGoroutine()
}

func (st *fuzzStage) open() (err error) {
	if st.dir, err = os.MkdirTemp(quickDir(), "fuzz"); err != nil {
		return err
	}
	st.ledger, err = ledger.Open(context.Background(), ledger.Options{Path: filepath.Join(st.dir, "ledger.db"), Now: time.Now, Log: zerolog.Nop()})
	if err != nil {
		return err
	}
	for i, rules := range [][]policy.Rule{nil, {{
		Name: "small", When: fmt.Sprintf(`(op == "imap.expunge" || op == "imap.move") && message.size < %d`, smallMessage), Then: policy.Allow,
	}}} {
		compiled, mistakes := policy.Compile(rules)
		if len(mistakes) > 0 {
			return mistakes[0]
		}
		st.guards[i] = guard.New(guard.Options{
			Ledger: st.ledger, Policy: compiled, Now: time.Now, Log: zerolog.Nop(),
			Mailboxes: guard.NewDirectory([]guard.Entry{{Match: "*", Settings: guard.Settings{Shared: guard.SharedYes}}}),
		})
	}
	if st.listener, err = net.Listen("unix", filepath.Join(st.dir, "s")); err != nil {
		return err
	}
	st.server = &Upstream{
		Name: "memory", Domains: []string{"*"}, Timeout: fuzzHangs / 2,
		Dialer: proxy.Dialer{Address: filepath.Join(st.dir, "s"), Mode: proxy.TLSNone, Timeout: fuzzHangs / 2},
	}
	st.played, st.accepts = 0, make(chan struct{})
	go st.accept(st.listener, st.accepts)
	return nil
}

// quickDir is a folder in memory, where there is one: the ledger waits for the
// disk at each commit.
func quickDir() string {
	const memory = "/dev/shm"
	if info, err := os.Stat(memory); err == nil && info.IsDir() {
		return memory
	}
	return ""
}

func (st *fuzzStage) close() {
	if st.listener != nil {
		_ = st.listener.Close()
		<-st.accepts
	}
	if st.ledger != nil {
		_ = st.ledger.Close()
	}
	if st.dir != "" {
		_ = os.RemoveAll(st.dir)
	}
	st.listener, st.ledger, st.dir = nil, nil, ""
}

// accept gives the connections to the input that is being played.
func (st *fuzzStage) accept(l net.Listener, end chan<- struct{}) {
	defer close(end)
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		st.mu.Lock()
		p := st.now
		st.mu.Unlock()
		if p == nil {
			_ = conn.Close()
			continue
		}
		link := &tapped{Conn: conn}
		p.links = append(p.links, link)
		p.serving.Go(func() { p.upstream.ServeIMAPConn(link) })
	}
}

// played is one input that was played, and all that was seen of it.
type played struct {
	how      byte
	box      string
	client   []byte // what the client sent, with what brought it to where the input began
	upstream *upstream.Server
	serving  sync.WaitGroup

	links     []*tapped // connections to the upstream, in order
	decisions []decision
	session   *session // nil: no command was ever run
	answers   []byte
	bug       *string
}

// tapped is a connection to the upstream, seen from there.
type tapped struct {
	net.Conn
	got  []byte
	ends []int // of the reads
	said []saying
}

// saying is what the upstream said when it had read so much.
type saying struct {
	at   int
	text []byte
}

func (l *tapped) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	l.got = append(l.got, p[:n]...)
	l.ends = append(l.ends, len(l.got))
	return n, err
}

func (l *tapped) Write(p []byte) (int, error) {
	l.said = append(l.said, saying{len(l.got), bytes.Clone(p)})
	return l.Conn.Write(p)
}

// decision is one command that the guard ran.
type decision struct {
	cmd         command.Command
	first, last uint64 // the numbers of the upstream's tags: from behind first to last
	marks       imap.UIDSet
	hidden      imap.UIDSet
	folder      string // the selected one
	err         error
}

// playing is the input that the hooks of the command table write to.
var playing atomic.Pointer[played]

// hookCommands has every command that is run noted. It changes the table: no
// other test may run meanwhile, and none does, since fuzz targets come last.
func hookCommands() (restore func()) {
	before := make(map[string]spec, len(commands))
	for name, row := range commands {
		before[name] = row
		if row.grammar == nil {
			continue
		}
		handle := row.handle
		if handle == nil {
			handle = (*session).passOn
		}
		row.handle = func(s *session, ctx context.Context, cmd command.Command) error {
			d := s.decided(cmd)
			err := handle(s, ctx, cmd)
			d.last, d.err = s.lastTag(), err
			if p := playing.Load(); p != nil {
				p.session, p.decisions = s, append(p.decisions, d)
			}
			return err
		}
		commands[name] = row
	}
	return func() {
		for name, row := range before {
			commands[name] = row
		}
	}
}

func (s *session) decided(cmd command.Command) decision {
	d := decision{cmd: cmd, first: s.lastTag()}
	s.out.Lock()
	defer s.out.Unlock()
	if s.folder != nil {
		d.folder, d.marks, d.hidden = s.folder.name, s.folder.marks.Set(), s.folder.view.Hidden()
	}
	return d
}

func (s *session) lastTag() uint64 {
	s.flight.mu.Lock()
	defer s.flight.mu.Unlock()
	return s.flight.last
}

// play plays an input to its end: the client logs out, if it is let, and is
// gone then.
func (st *fuzzStage) play(t *testing.T, how byte, cuts, octets []byte) *played {
	p := st.newPlayed(t, how)
	st.setNow(p)
	defer st.setNow(nil)
	packets := p.packets(cuts, octets)
	guardsRead, clientWrites := net.Pipe()
	clientReads, guardWrites := net.Pipe()
	read := make(chan struct{})
	go func() { defer close(read); p.answers, _ = io.ReadAll(clientReads) }() // to the end, however it comes
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		conn := proxy.NewConn(duplex{guardsRead, guardWrites}, proxy.Client)
		_ = st.handler(how).ServeConn(context.Background(), conn)
		_ = conn.Close()
	}()
	wrote := make(chan struct{})
	go func() {
		defer close(wrote)
		for _, packet := range packets {
			if _, err := clientWrites.Write(packet); err != nil {
				break // the guard has ended the session
			}
		}
		_ = clientWrites.Close()
	}()
	timer := time.NewTimer(fuzzHangs)
	defer timer.Stop()
	for _, c := range []chan struct{}{ended, read, wrote} {
		select {
		case <-c:
		case <-timer.C:
			stacks := make([]byte, 1<<20)
			t.Fatalf("it hangs: %q\n%s", p.client, stacks[:runtime.Stack(stacks, true)])
		}
	}
	p.serving.Wait()
	_ = p.upstream.Close()
	p.bug = st.bugs.text.Swap(nil)
	st.dirty = st.dirty || p.dirties()
	return p
}

// duplex is a connection of which each direction can be closed alone. Nothing
// is buffered in it: one read gets octets of one packet.
type duplex struct{ r, w net.Conn }

func (d duplex) Read(p []byte) (int, error)         { return d.r.Read(p) }
func (d duplex) Write(p []byte) (int, error)        { return d.w.Write(p) }
func (d duplex) Close() error                       { return errors.Join(d.r.Close(), d.w.Close()) }
func (d duplex) LocalAddr() net.Addr                { return d.r.LocalAddr() }
func (d duplex) SetReadDeadline(t time.Time) error  { return d.r.SetReadDeadline(t) }
func (d duplex) SetWriteDeadline(t time.Time) error { return d.w.SetWriteDeadline(t) }
func (d duplex) SetDeadline(t time.Time) error {
	return errors.Join(d.SetReadDeadline(t), d.SetWriteDeadline(t))
}
func (d duplex) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 4711} }

func (st *fuzzStage) setNow(p *played) {
	playing.Store(p)
	st.mu.Lock()
	defer st.mu.Unlock()
	st.now = p
}

func (st *fuzzStage) handler(how byte) *Handler {
	return NewHandler(Options{
		Guard: st.guards[how&fuzzAllows], Upstreams: []*Upstream{st.server},
		Members: member.NewResolver(member.Options{Order: []member.Proof{member.ByLogin}, Separator: "#"}),
		Now:     time.Now, Log: zerolog.New(&st.bugs).Level(zerolog.ErrorLevel),
		Limits: Limits{Login: fuzzHangs, Handshake: fuzzHangs, Idle: time.Hour, Command: fuzzHangs, Answer: fuzzHangs / 2, Quiet: time.Hour},
	})
}

// newPlayed makes the upstream of an input. The mailbox is a new one where the
// ledger may know something of the last one.
func (st *fuzzStage) newPlayed(t *testing.T, how byte) *played {
	if st.dirty {
		st.box, st.dirty = st.box+1, false
	}
	p := &played{how: how, box: fmt.Sprintf("b%07d@example.com", st.box), upstream: upstream.New()}
	u := p.upstream
	u.IMAP.SpecialFolders = true
	if how&fuzzPlain != 0 {
		u.IMAP.Without = append(u.IMAP.Without, "MOVE", "UNSELECT", "ESEARCH", "LITERAL+", "SASL-IR")
	}
	if how&fuzzNoUIDPlus != 0 {
		u.IMAP.Without = append(u.IMAP.Without, "UIDPLUS", "AUTH=PLAIN")
	}
	if how&fuzzRefuses != 0 {
		u.Hook = func(user, _ string) upstream.Action {
			if user == "" {
				return upstream.Action{}
			}
			return upstream.Action{Refuse: "NO not now"}
		}
	}
	u.AddUser(p.box, "pw")
	for n := 1; n <= 4; n++ {
		u.Deliver(p.box, fuzzMail(n))
	}
	if how&fuzzOldMark != 0 {
		if err := u.SetFlags(p.box, inbox, 4, deleted); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := u.Append(p.box, "Trash", fuzzMail(5), time.Unix(1_700_000_000, 0)); err != nil {
		t.Fatal(err)
	}
	return p
}

// fuzzMail is a message. The first two are small.
func fuzzMail(n int) []byte {
	text := fmt.Sprintf("From: customer@example.net\r\nSubject: message %d\r\n\r\ntext\r\n", n)
	if n > 2 {
		text += strings.Repeat("More of it.\r\n", smallMessage/10)
	}
	return []byte(text)
}

// packets are what the client sends. The last one logs out, unless the input
// has left something open that takes it in.
func (p *played) packets(cuts, octets []byte) (all [][]byte) {
	add := func(yes byte, line string) {
		if p.how&yes != 0 {
			all = append(all, []byte(line+"\r\n"))
		}
	}
	add(fuzzLoggedIn, "p1 LOGIN "+p.box+"#alice pw")
	add(fuzzSelected, "p2 SELECT INBOX")
	add(fuzzMarked, `p3 STORE 1:* +FLAGS (\Deleted)`)
	octets = bytes.ReplaceAll(octets, []byte(fuzzBox), []byte(p.box))
	for _, cut := range cuts {
		n := min(int(cut)+1, len(octets))
		if n > 0 {
			all = append(all, octets[:n])
		}
		octets = octets[n:]
	}
	if len(octets) > 0 {
		all = append(all, octets)
	}
	all = append(all, []byte("\r\nDONE\r\nzz LOGOUT\r\n"))
	p.client = bytes.Join(all, nil)
	return all
}

// dirties reports whether the ledger may know something of the mailbox now.
func (p *played) dirties() bool {
	for _, d := range p.decisions {
		switch d.cmd.Args.(type) {
		case command.Store, command.Move, command.UIDExpunge, command.Fetch, command.Copy, command.Rename:
			return true
		case command.None:
			if d.cmd.Name == "EXPUNGE" || d.cmd.Name == "CLOSE" {
				return true
			}
		}
	}
	return false
}

// judgeGoroutines waits until no goroutine is left of an input.
func (st *fuzzStage) judgeGoroutines(t *testing.T) {
	for deadline := time.Now().Add(3 * time.Second); runtime.NumGoroutine() > st.goroutines+fuzzSlack; runtime.Gosched() {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, before %d\n%s", runtime.NumGoroutine(), st.goroutines, stacks[:runtime.Stack(stacks, true)])
		}
	}
}

// fuzzSlack is how many goroutines the ledger may have more than before: its
// database opens connections as it needs them.
const fuzzSlack = 4
