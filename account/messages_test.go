package account

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"mailguard/demo/upstream"
	"mailguard/message"
	"mailguard/proxy/proxytest"
)

func TestOpen(t *testing.T) {
	for name, options := range map[string]upstream.IMAPOptions{
		"slash":         {},
		"dot":           {Delimiter: '.'},
		"prefix":        {Delimiter: '.', Prefix: "INBOX."},
		"no namespaces": {Without: []string{"NAMESPACE"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, func(s *upstream.Server) { s.IMAP = options })
			c := login(t, s.account)
			for folder, stored := range map[string]string{ // as the server in memory keeps it
				"INBOX": "INBOX", "Archive/2026": "Archive/2026", "Entwürfe/日本": "Entw&APw-rfe/&ZeVnLA-", "A&B": "A&-B", `q"uote`: `q"uote`,
			} {
				uids := s.fill(t, stored, 2)
				opened, err := c.Open(t.Context(), folder)
				if err != nil {
					t.Error(err)
					continue
				}
				want, _ := s.UIDValidity(string(box), stored)
				if opened.UIDValidity != want || opened.UIDNext != uint32(uids[1]+1) {
					t.Errorf("%s: %+v", folder, opened)
				}
				if found, err := c.Look(t.Context(), uids, false); err != nil || !slices.Equal(uidsOf(found), uids) {
					t.Errorf("%s: %v, %v", folder, found, err)
				}
			}
		})
	}
}

func TestNoFolder(t *testing.T) {
	s := newStage(t, nil)
	s.fill(t, "Box", 1)
	c, _ := open(t, s.account, "Box")
	for _, folder := range []string{"None", "None/at all", "B*", "B%", "Box/x"} {
		if _, err := c.Open(t.Context(), folder); !errors.Is(err, message.ErrNoFolder) {
			t.Errorf("%s: %v", folder, err)
		}
	}
	_, err := c.Look(t.Context(), []message.UID{1}, false)
	wantError(t, err, "no folder is open") // not the one before
	if _, err := c.Open(t.Context(), "Box"); err != nil {
		t.Error(err)
	}
}

// A refusal that does not say why is no proof that there is no folder.
func TestRefusedFolderIsThere(t *testing.T) {
	s := newStage(t, func(s *upstream.Server) {
		s.Hook = func(_, command string) upstream.Action {
			if strings.HasPrefix(command, "SELECT") {
				return upstream.Action{Answer: "{tag} NO not now"}
			}
			return upstream.Action{}
		}
	})
	s.fill(t, "Box", 1)
	c := login(t, s.account)
	_, err := c.Open(t.Context(), "Box")
	var no *Refusal
	if errors.Is(err, message.ErrNoFolder) || !errors.As(err, &no) || no.Text != "not now" {
		t.Error(err)
	}
	if _, err := c.Open(t.Context(), "None"); !errors.Is(err, message.ErrNoFolder) {
		t.Error(err)
	}
}

func TestLook(t *testing.T) {
	s := newStage(t, nil)
	date := time.Date(2026, 3, 5, 7, 8, 9, 0, time.FixedZone("", -5400))
	for i, flags := range [][]string{{`\Seen`, "$Forwarded", "custom"}, nil, {`\Deleted`}} {
		text := strings.Repeat("Subject: one\r\n", i+1) + "\r\ntext\r\n"
		if _, err := s.Append(string(box), "Box", []byte(text), date, flags...); err != nil {
			t.Fatal(err)
		}
	}
	c, _ := open(t, s.account, "Box")
	found, err := c.Look(t.Context(), []message.UID{3, 99, 1, 1}, true)
	if err != nil || !slices.Equal(uidsOf(found), []message.UID{1, 3}) {
		t.Fatalf("%+v, %v", found, err)
	}
	h := message.NewHasher()
	_, _ = h.Write([]byte("Subject: one\r\n"))
	want, _ := h.Sum()
	one := found[0]
	slices.Sort(one.Flags)
	if one.Size != 22 || !one.InternalDate.Equal(date) || !slices.Equal(one.Flags, []string{"$Forwarded", `\Seen`, "custom"}) || one.Deleted || *one.Fingerprint != want {
		t.Errorf("%+v, want fingerprint %s", one, want)
	}
	if !found[1].Deleted || *found[1].Fingerprint == want {
		t.Errorf("%+v", found[1])
	}
	if found, _ := c.Look(t.Context(), []message.UID{1}, false); found[0].Fingerprint != nil {
		t.Error("a fingerprint that nobody asked for")
	}
	s.Expunge(string(box), "Box", 1)
	if found, err := c.Look(t.Context(), []message.UID{1, 3}, true); err != nil || !slices.Equal(uidsOf(found), []message.UID{3}) {
		t.Errorf("a message is still there: %+v, %v", found, err)
	}
	if found, err := c.Look(t.Context(), nil, true); err != nil || len(found) > 0 {
		t.Errorf("%v, %v", found, err)
	}
	_, err = c.Look(t.Context(), []message.UID{3, 0}, false)
	wantError(t, err, "UID")
}

// Many messages go in sets that a server takes; exactly those that are named.
func TestRemoveMany(t *testing.T) {
	s := newStage(t, nil)
	const count = 10_000
	all := s.fill(t, "Box", count)
	var odd, even []message.UID
	for _, uid := range all {
		if uid%2 == 1 {
			odd = append(odd, uid)
		} else {
			even = append(even, uid)
		}
	}
	c, _ := open(t, s.account, "Box")
	s.Forget()
	shuffled := slices.Clone(odd)
	rand.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	if err := c.Remove(t.Context(), shuffled); err != nil {
		t.Fatal(err)
	}
	if left := s.there("Box"); !slices.Equal(left, even) {
		t.Errorf("%d of %d are left", len(left), len(even))
	}
	if found, err := c.Look(t.Context(), all, true); err != nil || !slices.Equal(uidsOf(found), even) {
		t.Errorf("%d found, %v", len(found), err)
	}
	for _, command := range s.Received() {
		if len(command) > longestSet+100 {
			t.Errorf("a command of %d octets", len(command))
		}
		if verb, _, _ := strings.Cut(command, " "); verb != "UID" && verb != "NOOP" {
			t.Errorf("unexpected: %.40s", command)
		}
	}
}

// What somebody else has marked stays marked, and stays.
func TestRemoveLeavesOthersMarks(t *testing.T) {
	s := newStage(t, nil)
	s.fill(t, "Box", 4)
	_ = s.SetFlags(string(box), "Box", 2, `\Deleted`)
	_ = s.SetFlags(string(box), "Box", 4, `\Deleted`, `\Seen`)
	c, _ := open(t, s.account, "Box")
	if err := c.Remove(t.Context(), []message.UID{1, 77}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Open(t.Context(), "INBOX"); err != nil { // leaving it removes nothing
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if left := s.there("Box"); !slices.Equal(left, []message.UID{2, 3, 4}) {
		t.Errorf("left are %v", left)
	}
	for _, m := range s.Messages(string(box), "Box") {
		if slices.Contains(m.Flags, `\Deleted`) != (m.UID != 3) {
			t.Errorf("message %d has %v", m.UID, m.Flags)
		}
	}
}

func TestUnmark(t *testing.T) {
	s := newStage(t, nil)
	s.fill(t, "Box", 3)
	for uid := range uint32(3) {
		_ = s.SetFlags(string(box), "Box", uid+1, `\Deleted`, `\Flagged`)
	}
	c, _ := open(t, s.account, "Box")
	if err := c.Unmark(t.Context(), []message.UID{1, 3}); err != nil {
		t.Fatal(err)
	}
	for _, m := range s.Messages(string(box), "Box") {
		if slices.Contains(m.Flags, `\Deleted`) != (m.UID == 2) || !slices.Contains(m.Flags, `\Flagged`) {
			t.Errorf("message %d has %v", m.UID, m.Flags)
		}
	}
}

func TestNoUIDPlus(t *testing.T) {
	s := newStage(t, func(s *upstream.Server) { s.IMAP.Without = []string{"UIDPLUS"} })
	s.fill(t, "Box", 2)
	c, _ := open(t, s.account, "Box")
	s.Forget()
	wantError(t, c.Remove(t.Context(), []message.UID{1}), "UIDPLUS", "folder Box")
	if len(s.Received()) > 0 || len(s.there("Box")) != 2 {
		t.Errorf("%v were sent", s.Received())
	}
	if found, err := c.Look(t.Context(), []message.UID{1}, true); err != nil || len(found) != 1 || found[0].Deleted {
		t.Errorf("it cannot even look: %v, %v", found, err)
	}
}

// Where the mark is refused nothing is expunged.
func TestRefusedMark(t *testing.T) {
	s := newStage(t, func(s *upstream.Server) {
		s.Hook = func(_, command string) upstream.Action {
			if strings.HasPrefix(command, "UID STORE") {
				return upstream.Action{Answer: "{tag} NO [NOPERM] read only"}
			}
			return upstream.Action{}
		}
	})
	s.fill(t, "Box", 2)
	_ = s.SetFlags(string(box), "Box", 1, `\Deleted`)
	c, _ := open(t, s.account, "Box")
	wantError(t, c.Remove(t.Context(), []message.UID{1}), "NOPERM", "read only")
	if len(s.there("Box")) != 2 {
		t.Error("it was removed")
	}
}

// News of a message's flags come before what was asked for.
func TestNewsBetweenAnswers(t *testing.T) {
	asked := 0
	s := newStage(t, func(s *upstream.Server) {
		s.Hook = func(_, command string) upstream.Action {
			if asked++; strings.HasPrefix(command, "UID FETCH") && asked < 5 {
				return upstream.Action{Before: `* 1 FETCH (UID 1 FLAGS (\Seen))`}
			}
			return upstream.Action{}
		}
	})
	s.fill(t, "Box", 2)
	c, _ := open(t, s.account, "Box")
	found, err := c.Look(t.Context(), []message.UID{1, 2}, true)
	if err != nil || len(found) != 2 || found[0].Size == 0 {
		t.Errorf("%+v, %v", found, err)
	}
}

// Whatever is not understood ends the session, and no later call says anything.
func TestNonsenseEndsTheSession(t *testing.T) {
	for name, action := range map[string]upstream.Action{
		"an unknown response": {Before: "* XFOO bar"},
		"VANISHED":            {Before: "* VANISHED 1"},
		"an unknown item":     {Before: "* 1 FETCH (X-ITEM 5)"},
		"a strange tag":       {Before: "T9999 OK done"},
		"a lost connection":   {CloseBefore: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, func(s *upstream.Server) {
				s.Hook = func(_, command string) upstream.Action {
					if strings.HasPrefix(command, "UID STORE") {
						return action
					}
					return upstream.Action{}
				}
			})
			s.fill(t, "Box", 2)
			c, _ := open(t, s.account, "Box")
			first := c.Remove(t.Context(), []message.UID{1})
			var no *Refusal
			if first == nil || errors.As(first, &no) {
				t.Fatal(first)
			}
			s.Forget()
			if _, err := c.Look(t.Context(), []message.UID{1}, false); err == nil {
				t.Error("it goes on")
			}
			_, err := c.Open(t.Context(), "Box")
			wantError(t, err)
			if got := s.Received(); len(got) > 0 || len(s.there("Box")) != 2 {
				t.Errorf("received %v, there are %v", got, s.there("Box"))
			}
		})
	}
}

// The end of the context ends whatever is under way.
func TestContextEndsEverything(t *testing.T) {
	for name, do := range map[string]func(context.Context, *Session) error{
		"open":   func(ctx context.Context, s *Session) error { _, err := s.Open(ctx, "Box"); return err },
		"look":   func(ctx context.Context, s *Session) error { _, err := s.Look(ctx, []message.UID{1}, true); return err },
		"remove": func(ctx context.Context, s *Session) error { return s.Remove(ctx, []message.UID{1}) },
		"unmark": func(ctx context.Context, s *Session) error { return s.Unmark(ctx, []message.UID{1}) },
		"copy":   func(ctx context.Context, s *Session) error { _, err := s.Copy(ctx, 1); return err },
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			armed := make(chan struct{})
			s := newStage(t, func(s *upstream.Server) {
				s.Hook = func(_, command string) upstream.Action {
					verb, _, _ := strings.Cut(command, " ")
					select {
					case <-armed:
					default:
						return upstream.Action{}
					}
					if slices.Contains([]string{"SELECT", "UID", "APPEND"}, verb) {
						cancel()
						return upstream.Action{Silent: true}
					}
					return upstream.Action{}
				}
			})
			s.account.Timeout = 0
			s.fill(t, "Box", 1)
			c, _ := open(t, s.account, "Box")
			close(armed)
			if err := do(ctx, c); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			if len(s.there("Box")) != 1 {
				t.Error("something was removed or copied")
			}
		})
	}
}

func TestQuota(t *testing.T) {
	const in = "< * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] hi"
	start := []string{
		in, "> T1 AUTHENTICATE PLAIN AHN1cHBvcnRAZXhhbXBsZS5jb20AY29ycmVjdCBob3JzZQ==", "< T1 OK [CAPABILITY IMAP4rev1] in",
		"> T2 CAPABILITY", "< * CAPABILITY IMAP4rev1 QUOTA", "< T2 OK done", "> T3 GETQUOTAROOT INBOX",
	}
	for name, test := range map[string]struct {
		answer []string
		want   int
		fails  bool
	}{
		"rounded down": {[]string{`< * QUOTAROOT INBOX "user"`, `< * QUOTA "user" (STORAGE 1999 2000 MESSAGE 9 9)`, "< T3 OK done"}, 99, false},
		"the fullest":  {[]string{`< * QUOTAROOT INBOX a b`, `< * QUOTA a (STORAGE 1 100)`, `< * QUOTA b (STORAGE 50 100)`, "< T3 OK done"}, 50, false},
		"over":         {[]string{`< * QUOTAROOT INBOX a`, `< * QUOTA a (STORAGE 300 100)`, "< T3 OK done"}, 300, false},
		"huge":         {[]string{`< * QUOTAROOT INBOX a`, `< * QUOTA a (STORAGE 4611686018427387904 9223372036854775807)`, "< T3 OK done"}, 50, false},
		"no storage":   {[]string{`< * QUOTAROOT INBOX a`, `< * QUOTA a (MESSAGE 3 10)`, "< T3 OK done"}, -1, false},
		"no limit":     {[]string{`< * QUOTAROOT INBOX a`, `< * QUOTA a (STORAGE 3 0)`, "< T3 OK done"}, -1, false},
		"no root":      {[]string{`< * QUOTAROOT INBOX`, "< T3 OK done"}, -1, false},
		"refused":      {[]string{"< T3 NO no"}, -1, false},
		"lost":         {[]string{"close"}, -1, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := login(t, accountAt(t, proxytest.Listen(t, append(slices.Clone(start), test.answer...))))
			used, err := s.Quota(t.Context())
			if used != test.want || (err != nil) != test.fails {
				t.Errorf("%d, %v", used, err)
			}
			s.abandon(errClosed)
		})
	}
	c := login(t, newStage(t, nil).account)
	if used, err := c.Quota(t.Context()); used != -1 || err != nil {
		t.Errorf("without QUOTA: %d, %v", used, err)
	}
}

// eightBit is a message of so many octets, of all kinds but NUL, and CRLF only
// at the ends of lines.
func eightBit(size int) []byte {
	text := []byte("Subject: Grüße\r\n\r\n")
	for i := len(text); len(text) < size-2; i++ {
		switch c := byte(i * 7); {
		case i%77 == 0:
			text = append(text, "\r\n"...)
		case c == 0 || c == '\r' || c == '\n':
			text = append(text, 0xff)
		default:
			text = append(text, c)
		}
	}
	return append(text[:size-2], "\r\n"...)
}

func TestCopy(t *testing.T) {
	date := time.Date(2025, 12, 1, 23, 59, 58, 0, time.FixedZone("", 3600))
	for name, text := range map[string][]byte{"small": eightBit(300), "10 MB": eightBit(10 << 20)} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, nil)
			uid, err := s.Append(string(box), "B&APw-ro/Box", text, date, `\Deleted`, `\Answered`, "custom")
			if err != nil {
				t.Fatal(err)
			}
			c, _ := open(t, s.account, "Büro/Box")
			copied, err := c.Copy(t.Context(), message.UID(uid))
			if err != nil || copied != 2 {
				t.Fatal(copied, err)
			}
			m := s.Messages(string(box), "B&APw-ro/Box")[1]
			slices.Sort(m.Flags)
			if !bytes.Equal(m.Text, text) || !m.Date.Equal(date) || !slices.Equal(m.Flags, []string{`\Answered`, "custom"}) {
				t.Errorf("%d octets, %s, %v", len(m.Text), m.Date, m.Flags)
			}
			if found, err := c.Look(t.Context(), []message.UID{1, 2}, true); err != nil || len(found) != 2 {
				t.Errorf("the session is not in order: %v, %v", found, err)
			}
		})
	}
}

// Where there is no copy there is an error, and the session goes on.
func TestCopyFails(t *testing.T) {
	for name, test := range map[string]struct {
		action upstream.Action
		uid    message.UID
		says   string
	}{
		"refused":     {upstream.Action{Refuse: "NO [OVERQUOTA] full"}, 1, "OVERQUOTA"},
		"lost":        {upstream.Action{CloseBefore: true}, 1, "upstream"},
		"not there":   {upstream.Action{}, 9, "not there"},
		"number zero": {upstream.Action{}, 0, "UID"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, func(s *upstream.Server) {
				s.Hook = func(_, command string) upstream.Action {
					if strings.HasPrefix(command, "APPEND") {
						return test.action
					}
					return upstream.Action{}
				}
			})
			if _, err := s.Append(string(box), "Box", eightBit(200_000), time.Time{}); err != nil {
				t.Fatal(err)
			}
			c, _ := open(t, s.account, "Box")
			copied, err := c.Copy(t.Context(), test.uid)
			wantError(t, err, test.says)
			if copied != 0 || len(s.there("Box")) != 1 {
				t.Errorf("copied to %d: %v", copied, s.there("Box"))
			}
			if found, err := c.Look(t.Context(), []message.UID{1}, true); err != nil || len(found) != 1 {
				t.Errorf("the session is not in order: %v, %v", found, err)
			}
		})
	}
}

// A message that breaks off is not appended as if it were whole.
func TestCopyOfAPart(t *testing.T) {
	s := newStage(t, func(s *upstream.Server) {
		s.Hook = func(_, command string) upstream.Action {
			if strings.HasSuffix(command, "BODY.PEEK[])") {
				return upstream.Action{Cut: 100_000}
			}
			return upstream.Action{}
		}
	})
	if _, err := s.Append(string(box), "Box", eightBit(200_000), time.Time{}); err != nil {
		t.Fatal(err)
	}
	c, _ := open(t, s.account, "Box")
	_, err := c.Copy(t.Context(), 1)
	wantError(t, err, "copy a message")
	if n := len(s.there("Box")); n != 1 {
		t.Errorf("there are %d messages", n)
	}
}
