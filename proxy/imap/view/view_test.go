package view

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/emersion/go-imap/v2"
)

// open is a folder whose messages have the UIDs 10, 20, 30 ..., without those
// with these numbers.
func open(t *testing.T, exists uint32, hidden ...UpstreamSeq) *View {
	t.Helper()
	v, err := Open(exists, tens(hidden...))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func tens(seqs ...UpstreamSeq) []Place {
	var places []Place
	for _, s := range seqs {
		places = append(places, Place{Seq: s, UID: imap.UID(10 * s)})
	}
	return places
}

func hide(t *testing.T, v *View, seqs ...UpstreamSeq) {
	t.Helper()
	if err := v.Hide(tens(seqs...)...); err != nil {
		t.Fatal(err)
	}
}

// A message is counted until it is reported, and no set loses it before.
func TestHidingHasTwoSteps(t *testing.T) {
	v := open(t, 5, 2)
	hide(t, v, 3, 5)
	if n, ok := v.ToClient(3); n != 2 || !ok || v.Count() != 4 || v.Pending() != 2 || v.Len() != 1 {
		t.Errorf("pending: %d, %v; %d counted, %d pending, %d hidden", n, ok, v.Count(), v.Pending(), v.Len())
	}
	if set, err := v.SetToUpstream(seqs("1:4")); set.String() != "1,3:5" || err != nil {
		t.Errorf("pending: 1:4 became %v, %v", set, err)
	}
	if set, err := v.UIDsToUpstream(uids("1:0")); set.String() != "1:19,21:4294967294" || err != nil {
		t.Errorf("pending: 1:* became %v, %v", set, err)
	}
	if v.Hides(30) || v.Hidden().String() != "20" {
		t.Errorf("pending: hidden are %v", v.Hidden())
	}
	if got := v.Report(); !slices.Equal(got, []ClientSeq{4, 2}) {
		t.Errorf("reported %v, want the highest first", got)
	}
	if got := v.Report(); got != nil {
		t.Errorf("reported again: %v", got)
	}
	hide(t, v, 5, 4, 4, 2) // one of them is new
	if got := v.Report(); !slices.Equal(got, []ClientSeq{2}) {
		t.Errorf("named twice: reported %v", got)
	}
	if _, ok := v.ToClient(3); ok || v.Count() != 1 || v.Hidden().String() != "20:50" || !v.Hides(30) {
		t.Errorf("reported: %d counted, hidden are %v", v.Count(), v.Hidden())
	}
}

// The client hears of each message once, whoever takes it away first.
func TestToldOnce(t *testing.T) {
	for _, test := range []struct {
		name string
		seq  UpstreamSeq
		n    ClientSeq
		tell bool
		then []ClientSeq // what Report tells of the pending third and fifth
	}{
		{"counted", 1, 1, true, []ClientSeq{3, 1}},
		{"hidden", 2, 0, false, []ClientSeq{4, 2}},
		{"pending", 3, 2, true, []ClientSeq{3}},
		{"between", 4, 3, true, []ClientSeq{3, 2}},
		{"pending and last", 5, 4, true, []ClientSeq{2}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, vanished := range []bool{false, true} {
				v := open(t, 5, 2)
				hide(t, v, 3, 5)
				if vanished {
					set := imap.UIDSetNum(imap.UID(10 * test.seq))
					tell, err := v.Vanished(set)
					if len(tell) > 0 != test.tell || test.tell && !slices.Equal(tell, set) || err != nil {
						t.Errorf("vanished: tell %v, %v", tell, err)
					}
				} else if n, tell, err := v.Expunged(test.seq); n != test.n || tell != test.tell || err != nil {
					t.Errorf("expunged: %d, %v, %v; want %d, %v", n, tell, err, test.n, test.tell)
				}
				if got := v.Report(); !slices.Equal(got, test.then) {
					t.Errorf("then reported %v, want %v", got, test.then)
				}
			}
		})
	}
}

// What the client counts is told only where it changed.
func TestExists(t *testing.T) {
	v := open(t, 5, 2, 4)
	for _, test := range []struct {
		says    uint32
		counted uint32
		changed bool
	}{{5, 3, false}, {6, 4, true}, {6, 4, false}, {9, 7, true}} {
		if n, changed, err := v.Exists(test.says); n != test.counted || changed != test.changed || err != nil {
			t.Errorf("EXISTS %d: %d, %v, %v", test.says, n, changed, err)
		}
	}
	if _, _, err := v.Expunged(2); err != nil {
		t.Fatal(err)
	}
	if n, changed, err := v.Exists(8); n != 7 || changed || err != nil {
		t.Errorf("EXISTS after the EXPUNGE of a hidden message: %d, %v, %v", n, changed, err)
	}
}

// With nothing hidden all is as it was, also what makes no sense: it is between
// the upstream and its client.
func TestNothingHidden(t *testing.T) {
	v := open(t, 3)
	set, uidSet := seqs("9:2,*"), uids("9:2,*")
	up, err1 := v.SetToUpstream(set)
	uidsUp, err2 := v.UIDsToUpstream(uidSet)
	saved, err3 := v.UIDsToUpstream(imap.SearchRes())
	if err := errors.Join(err1, err2, err3); err != nil || !imap.IsSearchRes(saved) {
		t.Error(saved, err)
	}
	for _, same := range []bool{
		slices.Equal(up, set), slices.Equal(v.SearchSetToUpstream(set), set),
		slices.Equal(uidsUp, uidSet), v.Hidden() == nil, v.Report() == nil,
	} {
		if !same {
			t.Errorf("changed: %v, %v", up, uidsUp)
		}
	}
	if n, changed, err := v.Exists(2); n != 2 || !changed || err != nil {
		t.Errorf("EXISTS 2: %d, %v, %v", n, changed, err)
	}
	if n, tell, err := v.Expunged(9); n != 9 || !tell || err != nil || v.Count() != 1 {
		t.Errorf("EXPUNGE 9: %d, %v, %v", n, tell, err)
	}
	if tell, err := v.Vanished(uidSet); !slices.Equal(tell, uidSet) || err != nil || v.Count() != 0 {
		t.Errorf("VANISHED: %v, %v, %d left", tell, err, v.Count())
	}
	if _, _, err := v.Expunged(1); err != nil || v.Count() != 0 {
		t.Errorf("EXPUNGE in an empty folder: %v, %d left", err, v.Count())
	}
	if n, tell, err := v.Expunged(0); n != 0 || !tell || err != nil {
		t.Errorf("EXPUNGE 0: %d, %v, %v", n, tell, err)
	}
}

// Numbers that cannot be right are an error, and change nothing.
func TestOutOfStep(t *testing.T) {
	for name, places := range map[string][]Place{
		"beyond the folder": {{6, 60}}, "no number": {{0, 60}}, "no UID": {{1, 0}}, "two at one place": {{1, 10}, {1, 11}},
		"one at two places": {{1, 10}, {2, 10}}, "wrong order": {{1, 20}, {2, 10}}, "too few UIDs between": {{1, 10}, {4, 12}}, "too few UIDs before": {{4, 3}},
	} {
		if _, err := Open(5, places); !errors.Is(err, ErrOutOfStep) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The message before the other UIDs' end would have a number below 1.
	high, err := Open(2, []Place{{1, 1<<32 - 1}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := high.Vanished(uids("1:2")); !errors.Is(err, ErrOutOfStep) {
		t.Errorf("two vanish before the first: %v", err)
	}
	for name, do := range map[string]func(*View) error{
		"EXISTS shrinks":           func(v *View) error { _, _, err := v.Exists(4); return err },
		"EXPUNGE beyond":           func(v *View) error { _, _, err := v.Expunged(6); return err },
		"EXPUNGE 0":                func(v *View) error { _, _, err := v.Expunged(0); return err },
		"all and more vanish":      func(v *View) error { _, err := v.Vanished(uids("1:100")); return err },
		"all vanish":               func(v *View) error { _, err := v.Vanished(uids("1:*")); return err },
		"the last vanishes":        func(v *View) error { _, err := v.Vanished(uids("*")); return err },
		"too many before a hidden": func(v *View) error { _, err := v.Vanished(uids("11:12")); return err },
		"too many between":         func(v *View) error { _, err := v.Vanished(uids("31:32")); return err },
		"hide in a hidden place":   func(v *View) error { return v.Hide(Place{2, 21}) },
		"hide in a pending place":  func(v *View) error { return v.Hide(Place{4, 41}) },
		"hide beside a hidden":     func(v *View) error { return v.Hide(Place{1, 20}) },
		"hide one of two":          func(v *View) error { return v.Hide(Place{3, 30}, Place{5, 39}) },
	} {
		t.Run(name, func(t *testing.T) {
			v := open(t, 5, 2)
			hide(t, v, 4)
			before := fmt.Sprint(*v)
			if err := do(v); !errors.Is(err, ErrOutOfStep) {
				t.Errorf("taken: %v", err)
			}
			if after := fmt.Sprint(*v); after != before {
				t.Errorf("changed from %s to %s", before, after)
			}
		})
	}
}

// The largest folder there can be.
func TestLargestFolder(t *testing.T) {
	const most = 1<<32 - 1
	v, err := Open(most, []Place{{1, 1}, {most, most}})
	if err != nil {
		t.Fatal(err)
	}
	set, err := v.SetToUpstream(seqs("*:1"))
	if set.String() != "2:4294967294" || err != nil || v.Count() != most-2 {
		t.Errorf("1:* became %v, %v", set, err)
	}
	uids, err := v.UIDsToUpstream(uids("1:*"))
	if uids.String() != "2:4294967294" || err != nil || v.Last() != (Place{most - 1, most - 1}) {
		t.Errorf("UIDs 1:* became %v, %v; the last is %v", uids, err, v.Last())
	}
	if n, tell, err := v.Expunged(most - 1); n != most-2 || !tell || err != nil {
		t.Errorf("EXPUNGE: %d, %v, %v", n, tell, err)
	}
}

// Open is the view of a folder that has just been opened. exists is the
// upstream's count, hidden are those of the messages that this member has
// deleted which are there, in any order; the slice is not kept. The error is
// [ErrOutOfStep].
func Open(exists uint32, hidden []Place) (*View, error) {
	v := &View{exists: exists}
	if err := v.Hide(hidden...); err != nil {
		return nil, err
	}
	v.hidden, v.pending = v.pending, places{}
	return v, nil
}
