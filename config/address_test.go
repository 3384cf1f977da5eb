package config

import "testing"

func TestSplitAddress(t *testing.T) {
	for _, c := range []struct {
		address string
		want    hostPort
		ok      bool
	}{
		{":995", hostPort{"", 995}, true},
		{"127.0.0.1:110", hostPort{"127.0.0.1", 110}, true},
		{"[::1]:110", hostPort{"::1", 110}, true},
		{"[fe80::1%eth0]:110", hostPort{"fe80::1%eth0", 110}, true},
		{"Mail.Example.com:995", hostPort{"mail.example.com", 995}, true},
		{"mail.example.com.:995", hostPort{"mail.example.com.", 995}, true},
		{"127.0.0.1:0", hostPort{"127.0.0.1", 0}, true},
		{"995", hostPort{}, false},
		{":", hostPort{}, false},
		{":65536", hostPort{}, false},
		{":-1", hostPort{}, false},
		{"::1", hostPort{}, false},
		{"a b:1", hostPort{}, false},
		{"-a:1", hostPort{}, false},
		{"a..b:1", hostPort{}, false},
	} {
		got, wrong := splitAddress(c.address)
		if got != c.want || (wrong == "") != c.ok {
			t.Errorf("splitAddress(%q) = %v, %q", c.address, got, wrong)
		}
	}
}

func TestAddressesMeet(t *testing.T) {
	for _, c := range []struct {
		a, b              string
		collides, reaches bool
	}{
		{":110", ":110", true, true},
		{"127.0.0.1:110", ":110", true, true},
		{"localhost:110", "0.0.0.0:110", true, true},
		{"[::1]:110", "[::]:110", true, true},
		{"192.0.2.1:110", ":110", true, false}, // may be another machine's
		{"localhost:110", "127.0.0.1:110", true, true},
		{"[::ffff:127.0.0.1]:110", "127.0.0.1:110", true, true},
		{"127.0.0.1:110", "127.0.0.2:110", false, false},
		{"127.0.0.1:110", "127.0.0.1:111", false, false},
		{"mail.example.com:110", "MAIL.example.com:110", true, true},
		{"127.0.0.1:0", "127.0.0.1:0", false, true},
	} {
		a, _ := splitAddress(c.a)
		b, _ := splitAddress(c.b)
		if a.collides(b) != c.collides || a.reaches(b) != c.reaches {
			t.Errorf("%s and %s: collides %v, reaches %v", c.a, c.b, a.collides(b), a.reaches(b))
		}
	}
}
