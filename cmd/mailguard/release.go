package main

import (
	"context"
	"fmt"

	"github.com/rs/zerolog"

	"mailguard/account"
	"mailguard/config"
	"mailguard/guard"
	"mailguard/ledger"
	"mailguard/member"
	"mailguard/message"
	"mailguard/proxy/imap"
	"mailguard/release"
)

// inPassing has IMAP sessions release what is due.
func inPassing(r *release.Releaser) imap.Release {
	return func(ctx context.Context, mailbox member.Mailbox, folder string, uidValidity uint32, by imap.Remover, news bool) error {
		_, err := r.InPassing(ctx, mailbox, ledger.FolderKey{Name: folder, UIDValidity: uidValidity}, by, news)
		return err
	}
}

// newService releases with nobody logged in, where an upstream has a service
// account; nil: none has.
func newService(c *config.Config, g *guard.Guard, r *release.Releaser, log zerolog.Logger) (*release.Service, error) {
	var all []upstreamAccount
	any := false
	for _, u := range c.Upstreams {
		a := upstreamAccount{domains: u.Domains}
		if u.ServiceAccount != nil && u.IMAP != nil {
			one, err := newAccount(c, u)
			if err != nil {
				return nil, err
			}
			a.account, any = &release.Account{Upstream: u.Name, Login: login(one)}, true
		}
		all = append(all, a)
	}
	if !any {
		return nil, nil
	}
	return &release.Service{Releaser: r, Account: accountOf(all, g.Observes), Log: log}, nil
}

// upstreamAccount is the service account of an upstream; nil: it has none.
type upstreamAccount struct {
	domains []string
	account *release.Account
}

// accountOf finds the account for a mailbox: that of the first upstream which
// serves it. A mailbox in observe mode has none.
func accountOf(all []upstreamAccount, observes func(member.Mailbox) bool) func(member.Mailbox) *release.Account {
	return func(m member.Mailbox) *release.Account {
		if observes(m) {
			return nil
		}
		for _, u := range all {
			if member.DomainFits(u.domains, m.Domain()) {
				return u.account
			}
		}
		return nil
	}
}

func newAccount(c *config.Config, u config.Upstream) (*account.Account, error) {
	dialer, err := newDialer(u, u.IMAP, c.Limits.Upstream)
	if err != nil {
		return nil, err
	}
	s := u.ServiceAccount
	return &account.Account{Upstream: u.Name, Dialer: dialer, Timeout: c.Limits.Upstream, Keyring: account.NewKeyring(account.Secrets{
		OAuth: s.Mechanism == config.MechanismXOAUTH2, Username: s.Username, Authorization: s.Authorization,
		PasswordFile: s.PasswordFile, TokenFile: s.TokenFile, TokenCommand: s.TokenCommand,
	})}, nil
}

func login(a *account.Account) func(context.Context, member.Mailbox) (release.Folders, error) {
	return func(ctx context.Context, m member.Mailbox) (release.Folders, error) {
		session, err := a.Login(ctx, m)
		if err != nil {
			return nil, err
		}
		return session, nil
	}
}

// asCopy gives a held message back as a copy, through the service account; nil:
// there is none.
func asCopy(s *release.Service, l *ledger.Ledger) func(context.Context, message.ID) error {
	if s == nil {
		return nil
	}
	return func(ctx context.Context, id message.ID) error {
		h, err := l.Find(ctx, id)
		if err != nil {
			return err
		}
		if h == nil || !h.Message.Gone.IsZero() || h.Message.UID == 0 {
			return fmt.Errorf("message %d is not known over IMAP, or is gone: there is nothing to copy", id)
		}
		return s.Copy(ctx, h)
	}
}
