package upstream

import "testing"

func TestBaseSubject(t *testing.T) {
	for _, test := range []struct {
		subject, base string
		reply         bool
	}{
		{"", "", false},
		{"Tea", "TEA", false},
		{" Tea \t for   two ", "TEA FOR TWO", false},
		{"Re: Tea", "TEA", true},
		{"RE : re:tea", "TEA", true},
		{"Fwd: Tea", "TEA", true},
		{"Fw: Tea (fwd)", "TEA", true},
		{"Tea (FWD) (fwd)", "TEA", true},
		{"[list] Tea", "TEA", false},
		{"[list] Re: Tea", "TEA", true},
		{"Re[2]: Tea", "TEA", true},
		{"Re: [list] Tea", "TEA", true},
		{"[list]", "[LIST]", false},
		{"[fwd: Tea]", "TEA", true},
		{"[fwd: Re: Tea]", "TEA", true},
		{"Regarding tea", "REGARDING TEA", false},
		{"[[a] Tea", "[[A] TEA", false},
	} {
		if base, reply := baseSubject(test.subject); base != test.base || reply != test.reply {
			t.Errorf("%q: %q, %v", test.subject, base, reply)
		}
	}
}
