package pop3

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"mailguard/message"
)

// modelMessage is a message in the plainest picture of a view: a list.
type modelMessage struct {
	place   int
	listed  message.Listed
	deleted bool
}

// A maildrop agrees with a plain list of the messages that are not hidden,
// whatever a client does to it.
func TestMaildropAgreesWithAList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.SampledFrom([]message.UniqueID{"a", "b", "c", "d", "e", "f"})
		listing := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) message.Listed {
			return message.Listed{UniqueID: ids.Draw(t, "id"), Size: rapid.Int64Range(0, 3).Draw(t, "size")}
		}), 0, 12).Draw(t, "listing")
		hidden := rapid.SliceOfN(rapid.Bool(), len(listing), len(listing)).Draw(t, "hidden")
		drop := newMaildrop(listing, hidden)
		var model []modelMessage
		for i, m := range listing {
			if !hidden[i] {
				model = append(model, modelMessage{place: i, listed: m})
			}
		}
		var victims []int
		t.Repeat(map[string]func(*rapid.T){
			"dele": func(t *rapid.T) {
				n := rapid.IntRange(-1, len(listing)+1).Draw(t, "n")
				victim, ok := drop.victim(n)
				if legal := n >= 1 && n <= len(model) && !model[n-1].deleted; ok != legal {
					t.Fatalf("DELE %d: %t", n, ok)
				}
				if !ok {
					return
				}
				checkVictim(t, model[n-1], victim, listing, hidden, victims)
				drop.delete(n, victim)
				model[n-1].deleted = true
				victims = append(victims, victim)
			},
			"rset": func(*rapid.T) {
				drop.reset()
				victims = nil
				for i := range model {
					model[i].deleted = false
				}
			},
			"": func(t *rapid.T) { compareWithList(t, drop, model) },
		})
	})
}

// checkVictim: what is deleted cannot be told apart from what was named, is in
// the view, was not deleted before, and is the first such message.
func checkVictim(t *rapid.T, named modelMessage, victim int, listing []message.Listed, hidden []bool, before []int) {
	if hidden[victim] || listing[victim] != named.listed || slices.Contains(before, victim) {
		t.Fatalf("DELE of place %d (%v) deletes place %d", named.place, named.listed, victim)
	}
	for i := range victim {
		if !hidden[i] && listing[i] == named.listed && !slices.Contains(before, i) {
			t.Fatalf("place %d was deleted before its equal at %d", victim, i)
		}
	}
}

func compareWithList(t *rapid.T, drop *maildrop, model []modelMessage) {
	count, octets := 0, int64(0)
	for i, m := range model {
		place, ok := drop.place(i + 1)
		if ok == m.deleted || (ok && place != m.place) {
			t.Fatalf("number %d: place %d, %t; want %d, %t", i+1, place, ok, m.place, !m.deleted)
		}
		if !m.deleted {
			count++
			octets += m.listed.Size
		}
	}
	if c, o := drop.stat(); c != count || o != octets {
		t.Fatalf("STAT %d %d, want %d %d", c, o, count, octets)
	}
	if _, ok := drop.place(len(model) + 1); ok {
		t.Fatal("a number behind the last one exists")
	}
}
