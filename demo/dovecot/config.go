package dovecot

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"
)

// configuration is Dovecot's whole configuration file. What is unusual in it:
//   - every service runs as the one account and without chroot, which needs
//     root;
//   - a wrong password costs half a second, Dovecot's least, and the next one
//     no more (auth_failure_delay, anvil's penalty);
//   - login processes serve many connections each, so that a benchmark
//     measures the guard and not fork.
var configuration = template.Must(template.New("dovecot.conf").Parse(`
base_dir = {{.Dir}}/run
state_dir = {{.Dir}}/state
log_path = {{.Dir}}/dovecot.log
protocols = pop3 imap
listen = 127.0.0.1
default_internal_user = {{.Account.user}}
default_internal_group = {{.Account.group}}
default_login_user = {{.Account.user}}
first_valid_uid = 1
first_valid_gid = 1
mail_location = maildir:~/Maildir
mail_max_userip_connections = 0
mail_fsync = {{if .NoSync}}never{{else}}optimized{{end}}
pop3_uidl_format = %08Xu%08Xv
pop3_lock_session = {{if .LockSession}}yes{{else}}no{{end}}
auth_mechanisms = plain login
auth_failure_delay = 0
auth_master_user_separator = *
disable_plaintext_auth = no
{{if .TrustLoopback}}login_trusted_networks = 127.0.0.0/8
{{end -}}
{{if .TLS -}}
ssl = yes
ssl_cert = <{{.Dir}}/cert.pem
ssl_key = <{{.Dir}}/key.pem
{{else -}}
ssl = no
{{end -}}
passdb {
  driver = passwd-file
  args = {{.Dir}}/masters
  master = yes
}
passdb {
  driver = passwd-file
  args = {{.Dir}}/users
}
userdb {
  driver = static
  args = uid={{.Account.uid}} gid={{.Account.gid}} home={{.Dir}}/mail/%u
}
service anvil {
  chroot =
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service pop3-login {
  chroot =
  service_count = 0
  inet_listener pop3 {
    port = {{.Ports.pop3}}
  }
  inet_listener pop3s {
    port = {{.Ports.pop3s}}
  }
}
service imap-login {
  chroot =
  service_count = 0
  inet_listener imap {
    port = {{.Ports.imap}}
  }
  inet_listener imaps {
    port = {{.Ports.imaps}}
  }
}
{{.Extra}}
`[1:]))

// configure writes all that Dovecot reads. The ports are s.ports.
func (s *Server) configure() error {
	var text bytes.Buffer
	err := configuration.Execute(&text, map[string]any{
		"Dir": s.dir, "Account": s.account.words(), "Ports": s.ports, "TLS": s.options.TLS,
		"NoSync": s.options.NoSync, "LockSession": s.options.LockSession,
		"TrustLoopback": s.options.TrustLoopback, "Extra": s.options.Extra,
	})
	if err != nil {
		return fmt.Errorf("configure Dovecot: %w", err)
	}
	files := map[string][]byte{
		"dovecot.conf": text.Bytes(),
		"users":        passwords(append([]User{s.probe}, s.options.Users...)),
		"masters":      passwords(s.options.MasterUsers),
	}
	if s.options.TLS != nil { // copied, because the account may not read the caller's key
		for name, source := range map[string]string{"cert.pem": s.options.TLS.Cert, "key.pem": s.options.TLS.Key} {
			if files[name], err = os.ReadFile(source); err != nil {
				return fmt.Errorf("certificate for Dovecot: %w", err)
			}
		}
	}
	for name, content := range files {
		if err := s.account.write(filepath.Join(s.dir, name), content); err != nil {
			return fmt.Errorf("configure Dovecot: %w", err)
		}
	}
	return nil
}

// words is the account as the template takes it.
func (a account) words() map[string]any {
	return map[string]any{"user": a.user, "group": a.group, "uid": a.uid, "gid": a.gid}
}

// passwords is a passwd-file. In base64 a password may hold a colon.
func passwords(users []User) []byte {
	var file strings.Builder
	for _, u := range users {
		fmt.Fprintf(&file, "%s:{PLAIN.b64}%s::::::\n",
			strings.ToLower(u.Name), base64.StdEncoding.EncodeToString([]byte(u.Password)))
	}
	return []byte(file.String())
}
