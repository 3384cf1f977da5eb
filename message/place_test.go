package message

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestPlaceOfAUniqueID(t *testing.T) {
	for id, want := range map[UniqueID]Place{
		"0000000365a1b2c3":       {0x65a1b2c3, 3},
		"0000000A65A1B2C3":       {0x65a1b2c3, 10},
		"1795404776.4":           {1795404776, 4},
		"1.1":                    {1, 1},
		"ffffffffffffffff":       {1<<32 - 1, 1<<32 - 1},
		"4294967295.4294967295":  {1<<32 - 1, 1<<32 - 1},
		"UID3-1795404776":        {}, // Courier's own counter
		"0000000065a1b2c3":       {}, // no UID
		"0000000300000000":       {}, // no UIDVALIDITY
		"000000365a1b2c3":        {},
		"00000000365a1b2c3":      {},
		"0000000g65a1b2c3":       {},
		"+000000365a1b2c3":       {},
		"1.0":                    {},
		"0.1":                    {},
		"1.01":                   {},
		"+1.1":                   {},
		"1.4294967296":           {},
		"1.2.3":                  {},
		"1":                      {},
		"":                       {},
		"AQMkADAwATMwMAItOTg5Yi": {},
	} {
		got, ok := id.Place()
		if ok != (want != Place{}) || ok && got != want {
			t.Errorf("%s: %+v, %t; want %+v", id, got, ok, want)
		}
	}
}

func TestPlacesAndUniqueIDs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := Place{rapid.Uint32Min(1).Draw(t, "UIDVALIDITY"), UID(rapid.Uint32Min(1).Draw(t, "UID"))}
		for _, id := range p.UniqueIDs() {
			if got, ok := id.Place(); !ok || got != p || !id.Valid() {
				t.Fatalf("%s: %+v, %t", id, got, ok)
			}
		}
		id := UniqueID(rapid.StringMatching(`[0-9a-f]{16}|[0-9A-F]{16}|[0-9]{1,10}\.[0-9]{1,10}`).Draw(t, "unique-id"))
		if got, ok := id.Place(); ok && !slices.Contains(got.UniqueIDs(), id) {
			t.Fatalf("%s names %+v, which has no such name", id, got)
		}
	})
}
