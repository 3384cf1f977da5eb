package command

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mailguard/proxy/imap/wire"
)

// parse reads one command.
func parse(t *testing.T, line string) Command {
	t.Helper()
	s := newSession(strings.NewReader("a " + line + "\r\n"))
	c, _, err := s.next()
	if err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	return c
}

func TestFoldersOf(t *testing.T) {
	for line, want := range map[string][]string{
		"SELECT inbox": {"INBOX"}, "EXAMINE a": {"a"}, "CREATE a": {"a"}, "DELETE a": {"a"}, "RENAME Inbox b": {"INBOX", "b"},
		"SUBSCRIBE a": {"a"}, "STATUS a (SIZE)": {"a"}, `STATUS "" (SIZE)`: nil, "APPEND a {0+}\r\n": {"a"}, "COPY 1 a": {"a"},
		"UID MOVE 1 Entw&APw-rfe": {"Entwürfe"}, "GETACL a": {"a"}, "LISTRIGHTS a x": {"a"}, "SETACL a x r": {"a"}, "DELETEACL a x": {"a"},
		"GETQUOTA a": nil, "GETQUOTAROOT a": {"a"}, `GETMETADATA "" /a`: nil, "SETMETADATA a (/a NIL)": {"a"},
		`LIST "" a`: nil, "NOOP": nil, "FETCH 1 FLAGS": nil,
	} {
		if got := FoldersOf(parse(t, line).Args); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

func TestMessagesOf(t *testing.T) {
	for line, want := range map[string]string{
		"FETCH 2:1 FLAGS": "1:2 false", "UID FETCH 3:* FLAGS": "3:* true", "STORE 1 FLAGS ()": "1 false", "COPY 1 a": "1 false",
		"UID COPY 7 a": "7 true", "MOVE $ a": "$ false", "UID MOVE $ a": "$ true", "UID EXPUNGE 1": "1 true",
	} {
		m, ok := MessagesOf(parse(t, line).Args)
		if got := fmt.Sprintf("%s %t", m.Set, m.UID); got != want || !ok {
			t.Errorf("%s: %s, %t, want %s", line, got, ok, want)
		}
	}
	for _, line := range []string{"EXPUNGE", "SEARCH 1", "SELECT a", "UID SEARCH UID 1"} {
		if m, ok := MessagesOf(parse(t, line).Args); ok {
			t.Errorf("%s: %v", line, m)
		}
	}
}

// A set of sequence numbers behind the name of a UID command, or the other way
// round, would name other messages.
func TestMixedUpSetsAreNotWritten(t *testing.T) {
	seqs := Messages{Set: imap.SeqSet{{Start: 1, Stop: 1}}}
	uids := Messages{Set: imap.UIDSet{{Start: 1, Stop: 1}}, UID: true}
	uidsAsSeqs := Messages{Set: uids.Set}
	flags := []FetchItem{{Name: FetchFlags}}
	for _, c := range []struct {
		cmd Command
		ok  bool
	}{
		{Command{"a", "FETCH", Fetch{Messages: seqs, Items: flags}}, true},
		{Command{"a", "UID FETCH", Fetch{Messages: uids, Items: flags}}, true},
		{Command{"a", "UID FETCH", Fetch{Messages: seqs, Items: flags}}, false},
		{Command{"a", "FETCH", Fetch{Messages: uids, Items: flags}}, false},
		{Command{"a", "FETCH", Fetch{Messages: uidsAsSeqs, Items: flags}}, false},
		{Command{"a", "STORE", Store{Messages: uids}}, false},
		{Command{"a", "MOVE", Move{Messages: uids, Folder: "x"}}, false},
		{Command{"a", "UID COPY", Copy{Messages: seqs, Folder: "x"}}, false},
		{Command{"a", "UID EXPUNGE", UIDExpunge{seqs}}, false},
		{Command{"a", "UID EXPUNGE", UIDExpunge{Messages{UID: true}}}, false},
		{Command{"a", "UID EXPUNGE", UIDExpunge{Messages{Set: imap.SearchRes(), UID: true}}}, true},
		{Command{"a", "SEARCH", Search{Key: SearchKey{Op: OpUID, Set: seqs.Set}}}, false},
		{Command{"a", "SEARCH", Search{Key: SearchKey{Op: OpSeq, Set: uids.Set}}}, false},
		{Command{"a", "SEARCH", Search{Key: SearchKey{Op: "DELETED\r\nz EXPUNGE"}}}, false},
		{Command{"a\r\nz", "NOOP", None{}}, false},
		{Command{"a", "NOOP\r\nz", None{}}, false},
	} {
		var e wire.Encoder
		c.cmd.Encode(&e)
		if parts, err := e.Parts(); (err == nil) != c.ok {
			t.Errorf("%#v: %v, %v", c.cmd, parts, err)
		}
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	for _, line := range []string{
		"LOGIN hunter2 hunter2", "LOGIN hunter2 {7+}\r\nhunter2", "AUTHENTICATE PLAIN aHVudGVyMg==",
	} {
		c := parse(t, line)
		shown, err := json.Marshal(Secret("hunter2"))
		if err != nil {
			t.Fatal(err)
		}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			shown = fmt.Appendf(shown, verb+verb+verb, c, c.Args, Secret("hunter2"))
		}
		shown = fmt.Appendf(shown, "%x%d%s", Secret("hunter2"), Secret("hunter2"), c.String())
		if strings.Contains(string(shown), "hunter2") || strings.Contains(string(shown), "aHVudGVyMg") {
			t.Errorf("%s: %s", line, shown)
		}
	}
	if got := parse(t, "LOGIN bob {2+}\r\npw").String(); got != "a LOGIN *** ***" {
		t.Error(got)
	}
	if got := parse(t, "SELECT {1+}\r\nb").String(); got != "a SELECT b" {
		t.Error(got)
	}
	if got := parse(t, "SEARCH TEXT {2+}\r\n\xc3\xa9").String(); got != "a SEARCH TEXT {2}" {
		t.Error(got)
	}
	for _, in := range []string{"a LOGIN bob hunter2 x", "a hunter2 x", "hunter2", "a LOGIN {hunter2+}", "a LOGIN \"hunter2", "a NOOP hunter2"} {
		_, _, err := newSession(strings.NewReader(in + "\r\n")).next()
		if err == nil || strings.Contains(fmt.Sprintf("%+v", err), "hunter2") {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func TestSystemFlagsAreSpeltAsInTheRFC(t *testing.T) {
	a := parse(t, `UID STORE 1 -FLAGS.SILENT (\DELETED $Junk \sEEN)`).Args.(Store)
	want := []imap.Flag{imap.FlagDeleted, "$Junk", imap.FlagSeen}
	if !slices.Equal(a.Flags, want) || a.Op != imap.StoreFlagsDel || !a.Silent || !a.UID || a.UnchangedSince != nil {
		t.Errorf("%+v", a)
	}
}

func TestFetchItems(t *testing.T) {
	for item, whole := range map[string]bool{
		"BODY[]": true, "BODY.PEEK[]": true, "RFC822": true, "BINARY[]": true, "BINARY.PEEK[]": true,
		"BODY[]<0.10>": false, "BODY[1]": false, "BODY[HEADER]": false, "BODY[TEXT]": false, "BODY": false,
		"RFC822.HEADER": false, "RFC822.TEXT": false, "BINARY[1]": false, "BINARY.SIZE[]": false, "UID": false,
	} {
		a := parse(t, "FETCH 1 ("+item+")").Args.(Fetch)
		if got := a.Items[0].WholeBody(); got != whole {
			t.Errorf("%s: %t", item, got)
		}
	}
	a := parse(t, "FETCH 1 (FLAGS MODSEQ)").Args.(Fetch)
	b := a.WithUID()
	_ = append(a.Items, FetchItem{Name: FetchEnvelope}) // must not write into b
	if a.Has(FetchUID) || !b.Has(FetchUID) || !b.Has(FetchModSeq) || len(b.WithUID().Items) != 3 {
		t.Errorf("%+v, %+v", a, b)
	}
}

func TestUTF8Names(t *testing.T) {
	for in, want := range map[string]string{
		"a SELECT \"\xc3\xa9&\"\r\n":     "a SELECT \"\xc3\xa9&\"\r\n",
		"a SELECT {2+}\r\n\xc3\xa9\r\n":  "a SELECT \"\xc3\xa9\"\r\n",
		"a SELECT &AOk-\r\n":             "a SELECT &AOk-\r\n", // a name with an ampersand now
		"a LIST \"\" \"\xc3\xa9*\"\r\n":  "a LIST \"\" \"\xc3\xa9*\"\r\n",
		"a SELECT \"\xe9\"\r\n":          "",
		"a SELECT {1+}\r\n\xe9\r\n":      "",
		"a SELECT \"\xc2\x85\"\r\n":      "", // C1
		"a SELECT \"\xe2\x80\xa8x\"\r\n": "", // line separator
		"a SELECT {5+}\r\nab\r\ncd\r\n":  "",
		"a SELECT \xc3\xa9\r\n":          "",
		"a SEARCH SUBJECT \"\xc3\"\r\n":  "",
	} {
		s := newSession(strings.NewReader(in))
		s.SetUTF8(true)
		c, got, err := s.next()
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %v, %q, %v; want %q", in, c, got, err, want)
		}
	}
	s := newSession(strings.NewReader("a SELECT &AOk-\r\n"))
	s.SetUTF8(true)
	if c, _, err := s.next(); err != nil || !cmp.Equal(FoldersOf(c.Args), []string{"&AOk-"}) {
		t.Error(c, err)
	}
}

// message is one a search looks at.
type message struct {
	uid     uint32
	deleted bool
}

// matches says whether a key holds, for the keys that the test below makes.
func matches(k SearchKey, m message) bool {
	below := func(k SearchKey) bool { return matches(k, m) }
	switch k.Op {
	case OpAnd:
		return !slices.ContainsFunc(k.Keys, func(k SearchKey) bool { return !below(k) })
	case OpOr:
		return slices.ContainsFunc(k.Keys, below)
	case OpNot:
		return !below(k.Keys[0])
	case OpDeleted:
		return m.deleted
	case OpUndeleted:
		return !m.deleted
	case OpUID:
		return k.Set.(imap.UIDSet).Contains(imap.UID(m.uid))
	default:
		return true
	}
}

// A tree that a handler made means the same when it is written and read, also
// where it has groups of one or of nothing.
func TestSearchTreesMeanTheSame(t *testing.T) {
	var key *rapid.Generator[SearchKey]
	key = rapid.Custom(func(t *rapid.T) SearchKey {
		op := rapid.SampledFrom([]SearchOp{OpAll, OpDeleted, OpUndeleted, OpUID, OpUID, OpNot, OpAnd, OpOr}).Draw(t, "op")
		k := SearchKey{Op: op}
		switch op {
		case OpUID:
			var set imap.UIDSet
			set.AddNum(rapid.SliceOfN(rapid.Custom(func(t *rapid.T) imap.UID { return imap.UID(rapid.IntRange(1, 9).Draw(t, "uid")) }), 0, 4).Draw(t, "set")...)
			return UIDKey(set)
		case OpNot:
			return NotKey(key.Draw(t, "not"))
		case OpAnd, OpOr:
			k.Keys = rapid.SliceOfN(rapid.Deferred(func() *rapid.Generator[SearchKey] { return key }), 0, 3).Draw(t, "keys")
		}
		return k
	})
	rapid.Check(t, func(t *rapid.T) {
		k := key.Draw(t, "key")
		if depth(k) > 20 {
			t.Skip("deeper than a client may nest")
		}
		var e wire.Encoder
		Command{"a", "SEARCH", Search{Key: k}}.Encode(&e)
		text := encoded(&e)
		c, again, err := newSession(strings.NewReader(text)).next()
		if err != nil || again != text {
			t.Fatalf("%q: %q, %v", text, again, err)
		}
		for uid := range uint32(10) {
			for _, deleted := range []bool{false, true} {
				m := message{uid + 1, deleted}
				if matches(k, m) != matches(c.Args.(Search).Key, m) {
					t.Fatalf("%q: %+v", text, m)
				}
			}
		}
	})
}

func depth(k SearchKey) int {
	n := 0
	for _, below := range k.Keys {
		n = max(n, depth(below))
	}
	return n + 1
}

func TestRewrite(t *testing.T) {
	before := parse(t, "SEARCH NOT DELETED OR UNDELETED (SEEN DELETED)").Args.(Search)
	marks := UIDKey(imap.UIDSet{{Start: 3, Stop: 4}})
	after := before.Key.Rewrite(func(k SearchKey) SearchKey {
		switch k.Op {
		case OpDeleted:
			return marks
		case OpUndeleted:
			return NotKey(marks)
		}
		return k
	})
	got := Command{"a", "SEARCH", Search{Key: after}}.String()
	if want := "a SEARCH NOT UID 3:4 OR NOT UID 3:4 (SEEN UID 3:4)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if !before.Key.Has(OpDeleted) || after.Has(OpDeleted) || after.Has(OpUndeleted) || !after.Has(OpUID) {
		t.Error("the tree was changed in place, or not at all")
	}
	if got := (Command{"a", "SEARCH", Search{Key: UIDKey(nil)}}).String(); got != "a SEARCH NOT ALL" {
		t.Error(got)
	}
}

// Clients write long chains of OR; they are not deep.
func TestLongChains(t *testing.T) {
	chain := "SEARCH " + strings.Repeat("OR FROM a ", 400) + "FROM b"
	c := parse(t, chain)
	if keys := c.Args.(Search).Key.Keys; len(keys) != 1 || len(keys[0].Keys) != 401 || c.String() != "a "+chain {
		t.Error(c)
	}
	most := "a SEARCH ALL" + strings.Repeat(" ALL", maxSearchKeys-1)
	s := newSession(strings.NewReader(most + "\r\n" + most + "\r\n" + most + " ALL\r\n"))
	if _, _, err := s.next(); err != nil {
		t.Error(err)
	}
	if _, _, err := s.next(); err != nil {
		t.Error(err)
	}
	if _, _, err := s.next(); err == nil || err.Error() != "Too many search keys" {
		t.Error(err)
	}
}

func TestAppendInSteps(t *testing.T) {
	in := "a APPEND x (\\deleted \\Seen) {3}\r\n\r\nb {2+}\r\n)) ~{1}\r\nx\r\nb NOOP\r\n"
	s := newSession(strings.NewReader(in))
	if _, _, err := s.Start(); err != nil {
		t.Fatal(err)
	}
	args, err := s.Args(ParseAppend)
	want := Append{"x", AppendMessage{Flags: []imap.Flag{imap.FlagDeleted, imap.FlagSeen}, Size: 3, Sync: true}}
	if err != nil || !cmp.Equal(args, want) || s.asked != 0 {
		t.Fatal(args, err, s.asked)
	}
	if _, err := io.CopyN(io.Discard, s.r, 3); err != nil {
		t.Fatal(err)
	}
	for _, want := range []*AppendMessage{{Size: 2}, {Size: 1, Sync: true, Binary: true}} {
		got, err := s.NextAppend()
		if err != nil || !cmp.Equal(got, want) {
			t.Fatal(got, err)
		}
		if _, err := io.CopyN(io.Discard, s.r, got.Size); err != nil {
			t.Fatal(err)
		}
	}
	if m, err := s.NextAppend(); m != nil || err != nil {
		t.Fatal(m, err)
	}
	if _, name, err := s.Start(); name != "NOOP" || err != nil {
		t.Fatal(name, err)
	}
}

func TestLine(t *testing.T) {
	s := newSession(strings.NewReader("a IDLE\r\nDONE\r\n\r\nAHU5AHB3AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\nx\nDO\x00NE\r\nb NOOP\r\n" + strings.Repeat("x", 60)))
	if c, _, err := s.next(); c.Name != "IDLE" || err != nil {
		t.Fatal(c, err)
	}
	for _, want := range []string{"DONE", "", "AHU5AHB3AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"} {
		if line, err := s.Line(50); string(line) != want || err != nil {
			t.Errorf("%q, %v, want %q", line, err, want)
		}
	}
	var syntax *wire.SyntaxError
	for range 2 {
		if _, err := s.Line(50); !errors.As(err, &syntax) || syntax.Close {
			t.Error(err)
		}
	}
	if c, _, err := s.next(); c.Name != "NOOP" || err != nil {
		t.Error(c, err)
	}
	if _, err := s.Line(50); !errors.As(err, &syntax) || !syntax.Close {
		t.Error(err)
	}
}

func TestOverlongCommand(t *testing.T) {
	s := newSession(strings.NewReader("tag SEARCH TEXT " + strings.Repeat("x", wire.MaxLine) + "\r\n"))
	var syntax *wire.SyntaxError
	if tag, _, err := s.Start(); tag != "tag" || !errors.As(err, &syntax) || !syntax.Close {
		t.Error(tag, err)
	}
}

// A name of any length is not kept, and not looked up.
func TestLongName(t *testing.T) {
	s := newSession(strings.NewReader("a " + strings.Repeat("x", maxName+1) + "\r\nb UID FETCH 1 FLAGS\r\n"))
	if tag, name, err := s.Start(); tag != "a" || name != "" || err == nil || s.name != "" {
		t.Error(tag, name, err)
	}
	if tag, name, err := s.Start(); tag != "b" || name != "UID FETCH" || err != nil {
		t.Error(tag, name, err)
	}
}

// BenchmarkParse is what a command costs once a session has its buffers.
func BenchmarkParse(b *testing.B) {
	var set strings.Builder
	for uid := 1000; set.Len() < 10_000; uid += 3 {
		fmt.Fprintf(&set, "%d,", uid)
	}
	for name, line := range map[string]string{
		"small":  "a1 UID FETCH 1:* (FLAGS)\r\n",
		"10kB":   "a1 UID FETCH " + strings.TrimSuffix(set.String(), ",") + " (UID FLAGS)\r\n",
		"select": "a1 SELECT INBOX\r\n",
		"noop":   "a1 NOOP\r\n",
	} {
		b.Run(name, func(b *testing.B) {
			in := strings.NewReader(line)
			r := bufio.NewReaderSize(in, 2<<10)
			p := NewParser(func() error { return nil })
			p.Reset(r)
			var e wire.Encoder
			b.ReportAllocs()
			b.SetBytes(int64(len(line)))
			for b.Loop() {
				in.Reset(line)
				tag, name, err := p.Start()
				if err != nil {
					b.Fatal(err)
				}
				args, err := p.Args(grammars[name])
				if err != nil {
					b.Fatal(err)
				}
				e.Reset()
				Command{tag, name, args}.Encode(&e)
				if _, err := e.Parts(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
