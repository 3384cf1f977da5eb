package view

import (
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// Whatever happens to a folder, in whatever order: the view agrees with a plain
// list, and so does a client that knows only what it was told.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(t, func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "pick") })
		t.Repeat(map[string]func(*rapid.T){
			"exists":   func(*rapid.T) { m.exists() },
			"hide":     func(*rapid.T) { m.hide() },
			"report":   func(*rapid.T) { m.report() },
			"expunged": func(*rapid.T) { m.expunged() },
			"vanished": func(*rapid.T) { m.vanished() },
			"nonsense": func(*rapid.T) { m.nonsense() },
			"":         func(*rapid.T) { m.check() },
		})
	})
}

// The same for long, in folders that grow.
func TestModelLong(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for round := range uint64(40) {
		m := newModel(t, rand.New(rand.NewPCG(seed, round)).IntN)
		for range 500 {
			m.step()
		}
	}
}

// The same, driven by bytes.
func FuzzView(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x05\x00\x00\x01\x01\x00\x00\x02\x00\x01\x00\x00\x00\x07\x02\x03\x01\x00\x00\x01\x06\x06\x06"))
	f.Add([]byte("\x0b0000000000000000000000000000000022223333444455556666777700001111"))
	f.Add([]byte("\x0b\x01\x00\x01\x00\x01\x00\x01\x00\x01\x00\x01\x00\x01\x00\x01\x00\x01\x00\x01\x00\x01\x00\x06\x00\x06\x00\x06\x00\x06\x00"))
	f.Fuzz(func(t *testing.T, program []byte) {
		rest := program[:min(len(program), 4000)]
		m := newModel(t, func(n int) int {
			if len(rest) == 0 {
				return 0
			}
			b := rest[0]
			rest = rest[1:]
			return int(b) % n
		})
		for len(rest) > 0 {
			m.step()
		}
	})
}
