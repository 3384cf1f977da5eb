package config

import (
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"mailguard/guard"
	"mailguard/member"
)

func same(t *testing.T, got, want any, options ...cmp.Option) {
	t.Helper()
	if diff := cmp.Diff(want, got, options...); diff != "" {
		t.Errorf("want -, got +\n%s", diff)
	}
}

func loadGood(t *testing.T, name string) *Config {
	t.Helper()
	file, err := filepath.Abs("testdata/good/" + name)
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(namedFiles(t))
	copyFile(t, file, name)
	cfg, problems := load(name, testEnvironment())
	if len(problems) > 0 {
		t.Fatalf("problems:\n%v", problems)
	}
	return cfg
}

func TestEverything(t *testing.T) {
	got := loadGood(t, "everything.yaml")
	in := func(parts ...string) string { return filepath.Join(append([]string{got.Dir}, parts...)...) }
	team := []member.Name{"alice", "bob"}
	prefix := netip.MustParsePrefix
	same(t, got, &Config{
		Path: "everything.yaml", Dir: got.Dir, State: in("var"),
		Listeners: []Listener{
			{member.POP3, "127.0.0.1:110", TLSNone},
			{member.POP3, "[::1]:110", TLSNone},
			{member.POP3, ":995", TLSImplicit},
			{member.IMAP, ":143", TLSStart},
		},
		Certificates: []Certificate{{in("tls/good.pem"), in("tls/good.key")}},
		Upstreams: []Upstream{
			{
				Name: "main", Domains: []string{"example.com", "*.example.com"}, AuthorizationIdentity: true,
				POP3:       &Endpoint{"10.0.0.7:110", TLSNone, "10.0.0.7"},
				IMAP:       &Endpoint{"Mail.Example.com:993", TLSImplicit, "mail.example.com"},
				Namespaces: []Namespace{{"shared/{user}/", "{user}@example.com"}},
				FolderUses: map[string]string{"trash": "Papierkorb", "archive": "Archiv/2026"},
				ServiceAccount: &ServiceAccount{
					Mechanism: MechanismPlain, Username: "mailguard", Authorization: "{user}@{domain}", PasswordFile: in("tls/good.key"),
				},
			},
			{
				Name: "other", Domains: []string{"*"}, CAFile: in("tls/good.pem"),
				POP3:           &Endpoint{"192.0.2.7:995", TLSImplicit, "mail.example.net"},
				ServiceAccount: &ServiceAccount{Mechanism: MechanismXOAUTH2, Username: "{mailbox}", TokenCommand: []string{"/bin/sh", "-c", "echo token"}},
			},
		},
		Ledger:         Ledger{"/var/lib/mailguard/ledger.db"},
		LedgerReadonly: ReadonlyRead,
		Identity: member.Options{
			Order:         []member.Proof{member.ByNetwork, member.ByLogin},
			Separator:     "+",
			DefaultDomain: "example.com",
			LoginDomains:  map[string]string{"example": "example.com", "other": "example.net"},
			Networks: []member.Network{
				{Prefix: prefix("192.0.2.17/32"), Member: "reception"},
				{Prefix: prefix("2001:db8::1/128"), Member: "six"},
				{Prefix: prefix("192.0.2.0/24"), Member: "office"},
			},
		},
		Mailboxes: []guard.Entry{
			{Match: "support@example.com", Settings: guard.Settings{Shared: guard.SharedYes, Members: team, AbsentAfter: 90 * 24 * time.Hour, Mode: guard.Observe}},
			{Match: "sales@example.com", Settings: guard.Settings{Shared: guard.SharedYes, Members: team}},
			{Match: "info@*", Settings: guard.Settings{Shared: guard.SharedAuto}},
			{Match: "*@example.com", Settings: guard.Settings{Shared: guard.SharedNo}},
		},
		LearnFor: 36 * time.Hour,
		Mode:     guard.Observe,
		Admin:    Admin{Socket: in("var/run/guard.sock")},
		Audit:    Audit{Keep: 90 * 24 * time.Hour, Sender: true, Subject: true},
		Limits: Limits{
			POP3LockWait: 10 * time.Second, LoginTime: 2 * time.Minute, Handshake: 5 * time.Second,
			Idle: 30 * time.Minute, IMAPIdle: 40 * time.Minute, Command: 2 * time.Minute, Answer: 6 * time.Minute, Upstream: 90 * time.Second, Drain: time.Minute, Connections: 100,
		},
		Log: Log{"debug", "text"},
	}, cmpopts.IgnoreFields(Config{}, "Policy"), cmpopts.EquateComparable(netip.Prefix{}), cmpopts.EquateEmpty())
	if got.Policy == nil {
		t.Error("there is no policy")
	}
}

func TestDefaults(t *testing.T) {
	got := loadGood(t, "least.yaml")
	same(t, got.State, got.Dir)
	same(t, got.Ledger.Path, filepath.Join(got.Dir, "ledger.db"))
	same(t, got.LedgerReadonly, ReadonlyRefuse)
	same(t, got.Identity.Order, []member.Proof{member.ByLogin})
	same(t, got.Identity.Separator, "#")
	same(t, got.LearnFor, 30*24*time.Hour)
	same(t, got.Mode, guard.Enforce)
	same(t, got.Admin, Admin{Socket: filepath.Join(got.Dir, "mailguard.sock")})
	same(t, got.Limits, Limits{
		POP3LockWait: 30 * time.Second, LoginTime: time.Minute, Handshake: 10 * time.Second, Idle: 10 * time.Minute, IMAPIdle: 30 * time.Minute,
		Command: time.Minute, Answer: 5 * time.Minute, Upstream: time.Minute, Drain: 30 * time.Second, Connections: 8000,
	})
	same(t, got.Log, Log{"info", "json"})
	same(t, got.Upstreams[0].POP3, &Endpoint{"192.0.2.1:995", TLSImplicit, "192.0.2.1"})
}

func TestStateDirectory(t *testing.T) {
	env := testEnvironment()
	for variable, want := range map[string]string{
		"/var/lib/mailguard":        "/var/lib/mailguard",
		"/var/lib/one:/var/lib/two": "/var/lib/one",
		"relative":                  "/etc/mailguard",
		"":                          "/etc/mailguard",
	} {
		env.getenv = func(string) string { return variable }
		c := &checker{env: env, src: &source{}, cfg: &Config{Dir: "/etc/mailguard"}}
		c.folders()
		if c.cfg.State != want {
			t.Errorf("STATE_DIRECTORY=%q: state %q, want %q", variable, c.cfg.State, want)
		}
	}
}
