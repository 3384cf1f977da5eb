package config

import (
	"testing"
	"time"
)

const least = `listeners: [{protocol: pop3, address: ":995", tls: implicit}]
tls: {certificates: [{cert: tls/good.pem, key: tls/good.key}]}
upstreams: [{name: main, domains: ["*"], pop3: {address: "192.0.2.1:995", tls: implicit}}]
`

func TestAudit(t *testing.T) {
	for written, want := range map[string]Audit{
		"":                                   {Keep: 365 * 24 * time.Hour},
		"audit:\n":                           {Keep: 365 * 24 * time.Hour},
		"audit: {keep: 1d, headers: none}\n": {Keep: 24 * time.Hour},
		"audit: {headers: from}\n":           {Keep: 365 * 24 * time.Hour, Sender: true},
		"audit: {keep: 90d, headers: \"from,subject\"}\n": {Keep: 90 * 24 * time.Hour, Sender: true, Subject: true},
		"audit:\n  headers: subject, from\n":              {Keep: 365 * 24 * time.Hour, Sender: true, Subject: true},
	} {
		cfg := loadText(t, namedFiles(t), least+written)
		if cfg.Audit != want || len(cfg.Unavailable) > 0 {
			t.Errorf("%q: %+v, not available: %v; want %+v", written, cfg.Audit, cfg.Unavailable, want)
		}
	}
}
