package member

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Login is what a client says of itself when it logs in.
type Login struct {
	Name    string // USER's argument, or the SASL authentication identity
	Authzid string // SASL authorization identity; "" if the client gave none
}

// parsed is a login name taken apart.
type parsed struct {
	mailbox    Mailbox
	member     Name   // "" where the name does not say
	upstream   string // the name that the upstream gets
	authorizes bool   // by a SASL authorization identity
}

// maxName is the longest login name, in octets: a mail address of 254 and a
// member's name.
const maxName = 512

// ErrLogin is the error of every login name that cannot be used. Its text is
// written for the log; a client is only told that the login failed.
var ErrLogin = errors.New("login name cannot be used")

// masterSeparator stands between the mailbox and the master user in Dovecot's
// login names.
const masterSeparator = "*"

// parse takes a login apart. The forms exclude each other: a name that could
// be read in two ways is refused, since the upstream might read the other.
func (o Options) parse(l Login) (parsed, error) {
	if err := checkText(l.Name); err != nil {
		return parsed{}, err
	}
	if l.Authzid != "" && !strings.EqualFold(l.Authzid, l.Name) {
		return o.parseAuthorization(l)
	}
	return o.parseName(l.Name)
}

func (o Options) parseName(name string) (parsed, error) {
	switch {
	case o.Separator != "" && strings.Contains(name, o.Separator):
		mailbox, who, _ := strings.Cut(name, o.Separator)
		return o.combine(mailbox, who, mailbox)
	case strings.Contains(name, masterSeparator):
		mailbox, who, _ := strings.Cut(name, masterSeparator)
		return o.combine(mailbox, who, name)
	case strings.Contains(name, `\`):
		return o.parseDomainUser(name)
	case strings.Contains(name, "/"):
		return o.parseUserSlash(name)
	default:
		mailbox, err := o.mailbox(name)
		return parsed{mailbox: mailbox, upstream: name}, err
	}
}

// parseAuthorization reads a SASL authorization identity that differs from
// the authentication identity: somebody acts in another's mailbox (RFC 4616).
func (o Options) parseAuthorization(l Login) (parsed, error) {
	if err := checkText(l.Authzid); err != nil {
		return parsed{}, err
	}
	p, err := o.combine(l.Authzid, l.Name, l.Name)
	p.authorizes = true
	return p, err
}

// parseDomainUser reads Exchange's DOMAIN\user\mailbox, and DOMAIN\user.
func (o Options) parseDomainUser(name string) (parsed, error) {
	parts := strings.Split(name, `\`)
	domain, ok := o.LoginDomains[strings.ToLower(parts[0])]
	if !ok {
		return parsed{}, fmt.Errorf("%w: the domain of %q is not in login_domains", ErrLogin, name)
	}
	switch len(parts) {
	case 2:
		mailbox, err := o.mailbox(parts[1] + "@" + domain)
		return parsed{mailbox: mailbox, upstream: name}, err
	case 3:
		return o.combine(inDomain(parts[2], domain), parts[1], name)
	default:
		return parsed{}, fmt.Errorf("%w: %q is not DOMAIN\\user\\mailbox", ErrLogin, name)
	}
}

// parseUserSlash reads Exchange's user@domain/mailbox.
func (o Options) parseUserSlash(name string) (parsed, error) {
	user, mailbox, _ := strings.Cut(name, "/")
	_, domain, ok := strings.Cut(user, "@")
	if !ok {
		return parsed{}, fmt.Errorf("%w: %q is not user@domain/mailbox", ErrLogin, name)
	}
	return o.combine(inDomain(mailbox, domain), user, name)
}

func inDomain(mailbox, domain string) string {
	if strings.Contains(mailbox, "@") {
		return mailbox
	}
	return mailbox + "@" + domain
}

// combine puts a mailbox and a member together. A member of the mailbox's own
// domain goes by the local part, so that alice and alice@example.com are one
// person however they log in.
func (o Options) combine(mailbox, who, upstream string) (parsed, error) {
	box, err := o.mailbox(mailbox)
	if err != nil {
		return parsed{}, err
	}
	name, err := ParseName(who)
	if local, ok := strings.CutSuffix(string(name), "@"+box.Domain()); ok && local != "" {
		name = Name(local)
	}
	return parsed{mailbox: box, member: name, upstream: upstream}, err
}

// mailbox makes a mailbox's name canonical.
func (o Options) mailbox(name string) (Mailbox, error) {
	if !strings.Contains(name, "@") && o.DefaultDomain != "" {
		name += "@" + o.DefaultDomain
	}
	return ParseMailbox(name)
}

// ParseMailbox makes a mailbox's name canonical: lower case, at most one "@",
// none of the characters by which login forms are told apart.
func ParseMailbox(name string) (Mailbox, error) {
	if err := checkText(name); err != nil {
		return "", err
	}
	if strings.Count(name, "@") > 1 || strings.HasPrefix(name, "@") || strings.HasSuffix(name, "@") {
		return "", fmt.Errorf("%w: %q is not the name of a mailbox", ErrLogin, name)
	}
	// Cyrus reads "%" as "@"; the others separate parts of a login name.
	if i := strings.IndexAny(name, `%*/\`); i >= 0 {
		return "", fmt.Errorf("%w: %q has %q in it", ErrLogin, name, name[i])
	}
	return Mailbox(strings.ToLower(name)), nil
}

// ParseName makes a member's name canonical: lower case, none of the
// characters by which login forms are told apart.
func ParseName(name string) (Name, error) {
	if err := checkText(name); err != nil {
		return "", err
	}
	if i := strings.IndexAny(name, `%*/\#`); i >= 0 {
		return "", fmt.Errorf("%w: the member's name %q has %q in it", ErrLogin, name, name[i])
	}
	return Name(strings.ToLower(name)), nil
}

// checkText refuses what must not reach a log, the ledger or the upstream in
// any name: control characters, blanks, and what is not UTF-8. Cyrus takes
// blanks at the ends away, Dovecot cuts a name at a NUL: either would be a
// second name for one account.
func checkText(s string) error {
	switch {
	case s == "":
		return fmt.Errorf("%w: it is empty", ErrLogin)
	case len(s) > maxName:
		return fmt.Errorf("%w: it is longer than %d octets", ErrLogin, maxName)
	case !utf8.ValidString(s):
		return fmt.Errorf("%w: it is not UTF-8", ErrLogin)
	}
	for _, r := range s {
		if unicode.IsControl(r) || unicode.IsSpace(r) || !unicode.IsPrint(r) {
			return fmt.Errorf("%w: %q has a blank or a character that cannot be printed", ErrLogin, s)
		}
	}
	return nil
}
