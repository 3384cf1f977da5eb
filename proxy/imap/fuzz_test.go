package imap

import (
	"bytes"
	"testing"
)

// FuzzSession is the promise of this package, played: whatever a client sends,
// in whatever packets, the upstream gets exactly the commands that the guard
// decided on, octet by octet, and nothing that policy did not allow is removed
// or marked. how chooses policy, upstream and state; see play. cuts are the
// lengths of the packets.
func FuzzSession(f *testing.F) {
	for _, seed := range fuzzSeeds() {
		f.Add(seed.how, seed.cuts, seed.octets)
	}
	restore := hookCommands()
	stage := &fuzzStage{}
	f.Cleanup(func() { stage.close(); restore() })
	f.Fuzz(func(t *testing.T, how byte, cuts, octets []byte) {
		if len(octets) > maxFuzzInput {
			t.Skip("too long to be quick")
		}
		stage.ready(t)
		p := stage.play(t, how, cuts, octets)
		p.judgeUpstream(t)
		p.judgeMailbox(t)
		p.judgeAnswers(t)
		stage.judgeGoroutines(t)
		if t.Failed() {
			t.Logf("how %b, cuts %v\nclient: %.2000q\nupstream: %.2000q\nanswers: %.3000q", how, cuts, p.client, p.wire(), p.answers)
		}
	})
}

// maxFuzzInput is the longest input, in octets. The seeds have lines as long as
// a command may be.
const maxFuzzInput = 256 << 10

// wire is what all upstream connections got.
func (p *played) wire() []byte {
	var all [][]byte
	for _, l := range p.links {
		all = append(all, l.got)
	}
	return bytes.Join(all, []byte(" | "))
}
