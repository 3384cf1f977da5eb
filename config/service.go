package config

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// serviceAccount checks how the guard logs in to an upstream by itself; nil says
// that it does not.
func (c *checker) serviceAccount(upstream path, u upstreamKeys) *ServiceAccount {
	keys := u.ServiceAccount
	if keys == nil {
		return nil
	}
	p := upstream.of("service_account")
	found := &ServiceAccount{
		Mechanism: Mechanism(choice(keys.Mechanism, string(MechanismPlain))),
		Username:  keys.Username, Authorization: keys.Authorization,
	}
	c.serviceNames(p, keys)
	if found.Mechanism == MechanismPlain {
		found.PasswordFile = c.servicePassword(p, keys)
	} else {
		c.serviceToken(p, keys, found)
	}
	c.serviceInClear(p, u)
	return found
}

// serviceNames checks the login name. One that is the same for every mailbox
// would open the wrong one.
func (c *checker) serviceNames(p path, keys *serviceKeys) {
	c.placeholders(p.of("username"), "username", keys.Username)
	c.placeholders(p.of("authorization"), "authorization", keys.Authorization)
	naming, key := keys.Username, "username"
	if keys.Authorization != "" {
		naming, key = keys.Authorization, "authorization"
	}
	switch {
	case keys.Username == "":
		c.missing(p, "`username` is missing: how the service account logs in, as in \"{mailbox}*mailguard\"")
	case strings.Contains(naming, "{mailbox}"):
	case !strings.Contains(naming, "{user}"):
		c.wrong(p.of(key), "`%s` names the mailbox to open: it has {mailbox} in it, or {user} and {domain}", key)
	case !strings.Contains(naming, "{domain}"):
		c.warn(p.of(key), "`%s` has {user} and not {domain}: where two domains have a mailbox of one name, one of them is opened for both", key)
	}
}

var braces = regexp.MustCompile(`\{[^{}]*\}`)

// placeholders checks what a name is made of.
func (c *checker) placeholders(p path, key, name string) {
	for _, word := range braces.FindAllString(name, -1) {
		if word != "{mailbox}" && word != "{user}" && word != "{domain}" {
			c.wrong(p, "`%s` has %s in it; there are {mailbox}, {user} and {domain}", key, quote(word))
			return
		}
	}
	if rest := braces.ReplaceAllString(name, ""); strings.ContainsAny(rest, "{}") || hasControl(rest) {
		c.wrong(p, "`%s` is a login name, without control characters, and without braces but those of {mailbox}, {user} and {domain}", key)
	}
}

// servicePassword checks what belongs to the mechanism plain.
func (c *checker) servicePassword(p path, keys *serviceKeys) string {
	if keys.PasswordFile == "" {
		c.missing(p, "`password_file` is missing: the file with the service account's password")
	}
	if keys.TokenFile != "" {
		c.wrong(p.of("token_file"), "`token_file` is for `mechanism: xoauth2`")
	}
	if len(keys.TokenCommand) > 0 {
		c.wrong(p.of("token_command"), "`token_command` is for `mechanism: xoauth2`")
	}
	return c.secretFile(p.of("password_file"), keys.PasswordFile)
}

// serviceToken checks what belongs to the mechanism xoauth2.
func (c *checker) serviceToken(p path, keys *serviceKeys, found *ServiceAccount) {
	switch {
	case keys.TokenFile == "" && len(keys.TokenCommand) == 0:
		c.missing(p, "`mechanism: xoauth2` needs a token: name a `token_file`, or a `token_command` that writes one")
	case keys.TokenFile != "" && len(keys.TokenCommand) > 0:
		c.wrong(p.of("token_command"), "there is a `token_file` already in line %d; remove one of them", c.line(p.of("token_file")))
	}
	if keys.PasswordFile != "" {
		c.wrong(p.of("password_file"), "`password_file` is for `mechanism: plain`")
	}
	if keys.Authorization != "" {
		c.wrong(p.of("authorization"), "`authorization` is for `mechanism: plain`; with a token the login name is the mailbox")
	}
	found.TokenFile = c.secretFile(p.of("token_file"), keys.TokenFile)
	found.TokenCommand = c.tokenCommand(p.of("token_command"), keys.TokenCommand)
}

// tokenCommand checks that there is such a program. A bare name is looked for as
// the shell does.
func (c *checker) tokenCommand(p path, command []string) []string {
	if len(command) == 0 {
		return nil
	}
	program := command[0]
	if strings.Contains(program, "/") {
		program = absolute(c.cfg.Dir, program)
	}
	full, err := exec.LookPath(program)
	switch {
	case program == "":
		c.wrong(p.of(0), "`token_command` begins with the program")
	case err != nil:
		c.wrong(p.of(0), "the program that `token_command` begins with is not there, or cannot be run; the arguments are entries of their own, as in [program, argument]")
	case !filepath.IsAbs(full):
		c.wrong(p.of(0), "the program that `token_command` begins with was found by way of a relative PATH; write its whole path")
	}
	return append([]string{full}, command[1:]...)
}

// serviceInClear warns of a secret that opens every mailbox and leaves this
// machine unencrypted.
func (c *checker) serviceInClear(p path, u upstreamKeys) {
	keys := u.IMAP
	if keys == nil {
		keys = u.POP3
	}
	if keys == nil || keys.TLS != string(TLSNone) {
		return
	}
	if address, wrong := splitAddress(keys.Address); wrong == "" && address.host != "" && !address.loopback() {
		c.warn(p, "the service account's secret, which opens every mailbox, crosses the network to %s in clear; write starttls or implicit", address.host)
	}
}
