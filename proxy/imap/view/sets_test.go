package view

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"
)

// seqs and uids read a set as it is written: neither sorted nor joined.
func seqs(text string) (set imap.SeqSet) {
	if text == "" {
		return nil
	}
	for part := range strings.SplitSeq(text, ",") {
		start, stop, ok := strings.Cut(part, ":")
		if !ok {
			stop = start
		}
		set = append(set, imap.SeqRange{Start: number(start), Stop: number(stop)})
	}
	return set
}

func uids(text string) (set imap.UIDSet) {
	for _, r := range seqs(text) {
		set = append(set, imap.UIDRange{Start: imap.UID(r.Start), Stop: imap.UID(r.Stop)})
	}
	return set
}

func number(text string) uint32 {
	if text == "*" {
		return 0
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		panic(err)
	}
	return uint32(n)
}

// Sets of numbers, in a folder of seven without the second, the third and the
// last.
func TestSeqSets(t *testing.T) {
	v := open(t, 7, 2, 3, 7)
	for _, test := range []struct {
		set    string
		want   string // "BAD"
		search string
	}{
		{"1", "1", "1"},
		{"2", "4", "4"},
		{"1:2", "1,4", "1:4"},
		{"4:1", "1,4:6", "1:6"},
		{"1:*", "1,4:6", "1:6"},
		{"*:1", "1,4:6", "1:6"},
		{"*", "6", "6"},
		{"4:*", "6", "6"},
		{"3,2,4", "4:6", "4:6"},
		{"4,1,*", "1,6", "1,6"},
		{"5", "BAD", ""},
		{"5:*", "BAD", ""},
		{"5:*,*", "BAD", "6"},
		{"2:9", "BAD", "4:6"},
		{"4294967295:1", "BAD", "1:6"},
		{"4294967295", "BAD", ""},
		{"1,7", "BAD", "1"},
		{"", "", ""},
	} {
		got, err := v.SetToUpstream(seqs(test.set))
		if (test.want == "BAD") != errors.Is(err, ErrNoSuchMessage) || err == nil && got.String() != test.want {
			t.Errorf("%v became %v, %v; want %s", test.set, got, err, test.want)
		}
		if got := v.SearchSetToUpstream(seqs(test.set)); got.String() != test.search {
			t.Errorf("search %v became %v, want %s", test.set, got, test.search)
		}
	}
}

// In a view without messages every number is wrong, and no UID is.
func TestEmptyView(t *testing.T) {
	v := open(t, 2, 1, 2)
	for _, set := range []string{"*", "1:*", "1"} {
		if got, err := v.SetToUpstream(seqs(set)); !errors.Is(err, ErrNoSuchMessage) {
			t.Errorf("%v became %v, %v", set, got, err)
		}
		if got := v.SearchSetToUpstream(seqs(set)); len(got) > 0 {
			t.Errorf("search %v became %v", set, got)
		}
	}
	for set, want := range map[string]string{"*": "", "10": "", "1:20": "", "1:*": "21:4294967294", "30:*": "30:4294967294"} {
		if got, err := v.UIDsToUpstream(uids(set)); got.String() != want || err != nil {
			t.Errorf("UIDs %v became %v, %v; want %s", set, got, err, want)
		}
	}
	if p := v.Last(); p != (Place{}) || v.Count() != 0 {
		t.Errorf("the last is %v of %d", p, v.Count())
	}
}

// Sets of UIDs. "*" never goes upstream: the message that is the last there may be
// another in the same moment.
func TestUIDSets(t *testing.T) {
	v := open(t, 7, 2, 3, 5) // in view: 10 40 60 70
	if err := v.Learn(Place{Seq: 7, UID: 70}); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		set  string
		want string
	}{
		{"1:*", "1:19,31:49,51:4294967294"},
		{"*:1", "1:19,31:49,51:4294967294"},
		{"1:4294967295", "1:19,31:49,51:4294967294"},
		{"*", "70"},
		{"900:*", "70,900:4294967294"},
		{"50:*", "51:4294967294"},
		{"40:20", "31:40"},
		{"40,10", "10,40"},
		{"20", ""},
		{"20:30", ""},
		{"22:28", ""}, // no message can be there
		{"32:38", "32:38"},
		{"20,30,50", ""},
		{"4294967295:*", "70"},
		{"", ""},
	} {
		if got, err := v.UIDsToUpstream(uids(test.set)); got.String() != test.want || err != nil {
			t.Errorf("%v became %v, %v; want %s", test.set, got, err, test.want)
		}
	}
	if got, err := v.UIDsToUpstream(imap.SearchRes()); !errors.Is(err, ErrSaved) {
		t.Errorf("$ became %v, %v", got, err)
	}
}

// "*" is the UID of the last message of the view. It is asked for only where the
// answer depends on it.
func TestLastMessage(t *testing.T) {
	for _, test := range []struct {
		set  string
		ask  bool
		want string
	}{
		{"*", true, "40"},
		{"1:*", false, "1:19,21:49,61:4294967294"},
		{"22:*", false, "22:49,61:4294967294"}, // two more stand behind 20
		{"23:*", true, "23:49,61:4294967294"},
		{"41:*", true, "40,61:4294967294"},
		{"900:*", true, "40,900:4294967294"},
		{"50:900", false, "61:900"},
	} {
		v := open(t, 6, 2, 5, 6) // in view: 10 30 40
		got, err := v.UIDsToUpstream(uids(test.set))
		if errors.Is(err, ErrLastUnknown) != test.ask {
			t.Errorf("%v: %v, want it asked for: %v", test.set, err, test.ask)
		}
		if p := v.Last(); p != (Place{Seq: 4}) {
			t.Errorf("asked for %v", p)
		}
		if test.ask {
			if err := v.Learn(Place{Seq: 4, UID: 40}); err != nil {
				t.Fatal(err)
			}
			got, err = v.UIDsToUpstream(uids(test.set))
		}
		if got.String() != test.want || err != nil {
			t.Errorf("%v became %v, %v; want %s", test.set, got, err, test.want)
		}
	}
}

// What was learned stays true for as long as it is.
func TestLearn(t *testing.T) {
	learned := Place{Seq: 4, UID: 40}
	for _, test := range []struct {
		name  string
		after func(*View) error
		want  Place
	}{
		{"nothing", func(*View) error { return nil }, learned},
		{"an earlier one is expunged", func(v *View) error { _, _, err := v.Expunged(1); return err }, Place{Seq: 3, UID: 40}},
		{"it is expunged", func(v *View) error { _, _, err := v.Expunged(4); return err }, Place{Seq: 3}},
		{"a hidden one is expunged", func(v *View) error { _, _, err := v.Expunged(6); return err }, learned},
		{"one arrives", func(v *View) error { _, _, err := v.Exists(7); return err }, Place{Seq: 7}},
		{"some vanish", func(v *View) error { _, err := v.Vanished(imap.UIDSetNum(10, 60)); return err }, Place{Seq: 3}},
		{"it is pending", func(v *View) error { return v.Hide(learned) }, learned},
		{"it is hidden", func(v *View) error { defer v.Report(); return v.Hide(learned) }, Place{Seq: 3}},
		{"another is learned", func(v *View) error { return v.Learn(Place{Seq: 1, UID: 10}) }, learned},
		{"one that is hidden is learned", func(v *View) error { return v.Learn(Place{Seq: 6, UID: 60}) }, learned},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := open(t, 6, 2, 5, 6)
			if err := v.Learn(learned); err != nil {
				t.Fatal(err)
			}
			if err := test.after(v); err != nil {
				t.Fatal(err)
			}
			if p := v.Last(); p != test.want {
				t.Errorf("the last is %v, want %v", p, test.want)
			}
		})
	}
	v := open(t, 6, 2, 5, 6)
	hide(t, v, 4)
	if p := v.Last(); p != learned {
		t.Errorf("the last is pending, and is %v", p)
	}
	if err := v.Learn(Place{Seq: 4, UID: 41}); !errors.Is(err, ErrOutOfStep) {
		t.Errorf("learned another UID of a pending message: %v", err)
	}
	if err := open(t, 6, 2, 5, 6).Learn(Place{Seq: 4, UID: 50}); !errors.Is(err, ErrOutOfStep) {
		t.Errorf("learned the UID of another message: %v", err)
	}
}

// What was learned is not taken for another message that comes to its number.
func TestLearnedIsGone(t *testing.T) {
	expunge := func(v *View) error { _, _, err := v.Expunged(2); return err }
	vanish := func(v *View) error { _, err := v.Vanished(imap.UIDSetNum(20)); return err }
	shrink := func(v *View) error { _, _, err := v.Exists(1); return err }
	for _, test := range []struct {
		name   string
		hidden []UpstreamSeq
		gone   func(*View) error
	}{
		{"EXPUNGE", nil, expunge}, {"VANISHED", nil, vanish}, {"EXISTS", nil, shrink},
		{"EXPUNGE in a view", []UpstreamSeq{1}, expunge}, {"VANISHED in a view", []UpstreamSeq{1}, vanish},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := open(t, 2, test.hidden...)
			if err := v.Learn(Place{Seq: 2, UID: 20}); err != nil {
				t.Fatal(err)
			}
			if err := test.gone(v); err != nil {
				t.Fatal(err)
			}
			if _, _, err := v.Exists(2); err != nil {
				t.Fatal(err)
			}
			if p := v.Last(); p != (Place{Seq: 2}) {
				t.Errorf("the last is %v", p)
			}
		})
	}
}

// The UID of the last message is no question where its neighbours leave one.
func TestLastMessageIsPlain(t *testing.T) {
	v, err := Open(4, []Place{{Seq: 2, UID: 7}, {Seq: 4, UID: 9}})
	if err != nil || v.Last() != (Place{Seq: 3, UID: 8}) {
		t.Errorf("the last is %v, %v", v.Last(), err)
	}
	if set, err := v.UIDsToUpstream(uids("*")); set.String() != "8" || err != nil {
		t.Errorf("* became %v, %v", set, err)
	}
}
