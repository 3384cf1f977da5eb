package message

import (
	"strings"
	"testing"
)

func TestUniqueIDValid(t *testing.T) {
	tests := []struct {
		name string
		id   UniqueID
		want bool
	}{
		{"empty", "", false},
		{"one octet", "a", true},
		{"lowest and highest octet", "!~", true},
		{"70 octets", UniqueID(strings.Repeat("x", 70)), true},
		{"71 octets", UniqueID(strings.Repeat("x", 71)), false},
		{"a blank", "a b", false},
		{"a tab", "a\tb", false},
		{"a line end", "a\r\n", false},
		{"NUL", "a\x00", false},
		{"DEL", "a\x7f", false},
		{"not ASCII", "ü", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := test.id.Valid(); got != test.want {
				t.Errorf("Valid(%q) = %v, want %v", test.id, got, test.want)
			}
		})
	}
}
