package config

import (
	"testing"
	"time"
)

func TestDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"90s": 90 * time.Second, "15m": 15 * time.Minute, "36h": 36 * time.Hour, "30d": 720 * time.Hour,
		"1d12h": 36 * time.Hour, "1d1h1m1s": 25*time.Hour + 61*time.Second,
		"": 0, "30": 0, "d": 0, "0s": 0, "-1s": 0, "1.5h": 0, "1h ": 0, " 1h": 0, "12h1d": 0, "1h1h": 0, "1w": 0,
		"106751d": 106751 * 24 * time.Hour, "106752d": 0, "106751d24h": 0, "99999999999999999999s": 0,
	} {
		var d duration
		if err := d.UnmarshalText([]byte(text)); (err != nil) != (want == 0) || time.Duration(d) != want {
			t.Errorf("%q is %v, %v, want %v", text, time.Duration(d), err, want)
		}
	}
}

func TestSize(t *testing.T) {
	for text, want := range map[string]size{
		"1B": 1, "512KiB": 512 << 10, "64MiB": 64 << 20, "1GiB512MiB": 3 << 29,
		"": -1, "64": -1, "64MB": -1, "64 MiB": -1, "8589934592GiB": -1,
	} {
		s := size(-1)
		if err := s.UnmarshalText([]byte(text)); (err != nil) != (want < 0) || s != want {
			t.Errorf("%q is %d, %v, want %d", text, s, err, want)
		}
	}
}

func TestNearest(t *testing.T) {
	words := []string{"members", "match", "mode", "shared", "secret_file", "tls"}
	for written, want := range map[string]string{
		"mebmers": "members", "Member": "members", "matsch": "match", "secretfile": "secret_file",
		"shard": "shared", "tsl": "tls", "colour": "", "x": "",
	} {
		if got := nearest(written, words); got != want {
			t.Errorf("nearest(%q) = %q, want %q", written, got, want)
		}
	}
}

func TestCovers(t *testing.T) {
	for _, c := range []struct {
		pattern, other string
		want           bool
	}{
		{"*", "a@example.com", true},
		{"*", "*@example.com", true},
		{"*@example.com", "a@example.com", true},
		{"*@example.com", "a*@example.com", true},
		{"*@example.com", "*@*", false},
		{"a@example.com", "*@example.com", false},
		{"a*", "a", true},
		{"a*a", "a", false},
		{"a*b*c", "aXbYc", true},
		{"a*b*c", "a*b*c", true},
		{"a*b*c", "acb", false},
		{"*b*b", "ab", false},
		{"*ab", "aab", true},
	} {
		if got := covers(c.pattern, c.other); got != c.want {
			t.Errorf("covers(%q, %q) = %v", c.pattern, c.other, got)
		}
	}
}
