package member

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

func options() Options {
	return Options{
		Order:        []Proof{ByLogin, ByNetwork},
		Separator:    "#",
		LoginDomains: map[string]string{"example": "example.com"},
		Networks: []Network{
			{Prefix: netip.MustParsePrefix("192.0.2.17/32"), Member: "reception"},
			{Prefix: netip.MustParsePrefix("2001:db8::/32"), Member: "branch"},
		},
	}
}

func TestResolveLoginForms(t *testing.T) {
	for _, c := range []struct {
		what     string
		login    Login
		mailbox  Mailbox
		member   Name
		upstream string // "" means as it was written
	}{
		{"plain address", Login{Name: "support@example.com"}, "support@example.com", "", ""},
		{"any case is one mailbox", Login{Name: "Support@EXAMPLE.com"}, "support@example.com", "", ""},
		{"bare name", Login{Name: "support"}, "support", "", ""},
		{"own separator", Login{Name: "support@example.com#alice"}, "support@example.com", "alice", "support@example.com"},
		{"own separator, any case", Login{Name: "support@example.com#Alice"}, "support@example.com", "alice", "support@example.com"},
		{"member's address in the mailbox's domain", Login{Name: "support@example.com#alice@example.com"}, "support@example.com", "alice", "support@example.com"},
		{"member's address elsewhere", Login{Name: "support@example.com#bob@example.net"}, "support@example.com", "bob@example.net", "support@example.com"},
		{"Dovecot master user", Login{Name: "support@example.com*alice"}, "support@example.com", "alice", ""},
		{"Exchange, three parts", Login{Name: `EXAMPLE\alice\support`}, "support@example.com", "alice", ""},
		{"Exchange, two parts are the user's own", Login{Name: `EXAMPLE\alice`}, "alice@example.com", "", ""},
		{"Exchange, slash", Login{Name: "alice@example.com/support"}, "support@example.com", "alice", ""},
		{"Exchange, slash with a whole address", Login{Name: "alice@example.com/support@example.org"}, "support@example.org", "alice@example.com", ""},
		{"authorization identity", Login{Name: "alice@example.com", Authzid: "support@example.com"}, "support@example.com", "alice", ""},
		{"authorization identity that is the same", Login{Name: "support@example.com", Authzid: "SUPPORT@example.com"}, "support@example.com", "", ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			id, err := NewResolver(options()).Resolve(c.login, netip.MustParseAddr("203.0.113.1"))
			if err != nil {
				t.Fatal(err)
			}
			if c.upstream == "" {
				c.upstream = c.login.Name
			}
			if id.Mailbox != c.mailbox || id.Member != c.member || id.UpstreamName != c.upstream {
				t.Errorf("got mailbox %q, member %q, upstream %q; want %q, %q, %q",
					id.Mailbox, id.Member, id.UpstreamName, c.mailbox, c.member, c.upstream)
			}
			if authorizes := c.login.Authzid != "" && c.what == "authorization identity"; id.Authorizes != authorizes {
				t.Errorf("Authorizes is %t", id.Authorizes)
			}
		})
	}
}

func TestResolveRefuses(t *testing.T) {
	for what, login := range map[string]Login{
		"empty":                         {},
		"NUL":                           {Name: "support@example.com\x00x"},
		"CR":                            {Name: "support@example.com\r"},
		"blank behind":                  {Name: "support@example.com "},
		"blank in front":                {Name: " support@example.com"},
		"blank of another kind":         {Name: "support@example.com\u00a0"},
		"invisible character":           {Name: "sup\u200bport@example.com"},
		"not UTF-8":                     {Name: "support\xff@example.com"},
		"percent for at":                {Name: "support%example.com"},
		"two at signs":                  {Name: "support@example.com@example.net"},
		"no local part":                 {Name: "@example.com"},
		"no domain":                     {Name: "support@"},
		"too long":                      {Name: strings.Repeat("a", 600)},
		"empty member":                  {Name: "support@example.com#"},
		"two separators":                {Name: "support@example.com#alice#bob"},
		"two forms at once":             {Name: "support@example.com*master#alice"},
		"master user of nobody":         {Name: "support@example.com*"},
		"unknown Exchange domain":       {Name: `OTHER\alice\support`},
		"four Exchange parts":           {Name: `EXAMPLE\a\b\c`},
		"slash without a user's domain": {Name: "alice/support"},
		"authorization identity forms":  {Name: "alice", Authzid: "support@example.com*bob"},
		"NUL in authorization identity": {Name: "alice", Authzid: "support\x00"},
	} {
		t.Run(what, func(t *testing.T) {
			if id, err := NewResolver(options()).Resolve(login, netip.Addr{}); !errors.Is(err, ErrLogin) {
				t.Errorf("got %+v, %v; want ErrLogin", id, err)
			}
		})
	}
}

func TestDefaultDomainCompletesBareNames(t *testing.T) {
	o := options()
	o.DefaultDomain = "example.com"
	for name, want := range map[string]Mailbox{
		"support": "support@example.com", "support#alice": "support@example.com", "support@example.net": "support@example.net",
	} {
		if id, err := NewResolver(o).Resolve(Login{Name: name}, netip.Addr{}); err != nil || id.Mailbox != want {
			t.Errorf("%s: got %q, %v; want %q", name, id.Mailbox, err, want)
		}
	}
}

func TestNetworks(t *testing.T) {
	for address, want := range map[string]Name{
		"192.0.2.17": "reception", "::ffff:192.0.2.17": "reception", "192.0.2.18": "", "2001:db8::1": "branch",
	} {
		id, err := NewResolver(options()).Resolve(Login{Name: "support@example.com"}, netip.MustParseAddr(address))
		if err != nil || id.Member != want {
			t.Errorf("%s: got %q, %v; want %q", address, id.Member, err, want)
		}
		if want != "" && id.Proof != ByNetwork {
			t.Errorf("%s: told by %q", address, id.Proof)
		}
	}
}

func TestFirstIdentityThatAnswersWins(t *testing.T) {
	o := options()
	client := netip.MustParseAddr("192.0.2.17")
	login := Login{Name: "support@example.com#alice"}
	if id, _ := NewResolver(o).Resolve(login, client); id.Member != "alice" || id.Proof != ByLogin {
		t.Errorf("login first: got %q by %q", id.Member, id.Proof)
	}
	o.Order = []Proof{ByNetwork, ByLogin}
	if id, _ := NewResolver(o).Resolve(login, client); id.Member != "reception" || id.Proof != ByNetwork {
		t.Errorf("network first: got %q by %q", id.Member, id.Proof)
	}
	o.Order = []Proof{ByNetwork}
	id, err := NewResolver(o).Resolve(login, netip.Addr{})
	if err != nil || !id.Member.Anonymous() || id.Proof != ByNobody || id.UpstreamName != "support@example.com" {
		t.Errorf("login not asked: got %+v, %v", id, err)
	}
}

// Whatever a login name is, what comes out of it can be looked up, logged and
// kept: no second spelling of it comes out, and nothing that ends a line.
func FuzzResolve(f *testing.F) {
	for _, s := range []string{"support@example.com", "a#b", `EXAMPLE\a\b`, "a@b/c", "a*b", "A%b", "a\x00b", "é@ü"} {
		f.Add(s, "")
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, name, authzid string) {
		id, err := NewResolver(options()).Resolve(Login{Name: name, Authzid: authzid}, netip.Addr{})
		if err != nil {
			return
		}
		again, err := ParseMailbox(string(id.Mailbox))
		if err != nil || again != id.Mailbox {
			t.Errorf("mailbox %q is not canonical: %q, %v", id.Mailbox, again, err)
		}
		if !id.Member.Anonymous() {
			if again, err := ParseName(string(id.Member)); err != nil || again != id.Member {
				t.Errorf("member %q is not canonical: %q, %v", id.Member, again, err)
			}
		}
		if strings.ContainsAny(id.UpstreamName, "\r\n\x00 ") {
			t.Errorf("upstream name %q", id.UpstreamName)
		}
	})
}
