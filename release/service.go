package release

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"mailguard/ledger"
	"mailguard/member"
	"mailguard/message"
)

// Folders is a connection of the service account's to one mailbox: a Remover
// with one folder open at a time.
type Folders interface {
	Remover
	// Open opens a folder, by its canonical name. The error is message.ErrNoFolder
	// if there is none.
	Open(ctx context.Context, folder string) (message.Opened, error)
	// Copy appends a copy of a message to the open folder and returns the copy's
	// UID, 0 if the server does not say.
	Copy(ctx context.Context, uid message.UID) (message.UID, error)
	Close() error
}

// Account logs in to mailboxes, with nobody of them there.
type Account struct {
	Upstream string // its name, for the log; accounts of one upstream take turns
	Login    func(ctx context.Context, mailbox member.Mailbox) (Folders, error)
}

// Service releases what is due in mailboxes that nobody has open.
type Service struct {
	Releaser *Releaser
	// Account is that of a mailbox's upstream; nil: it has none.
	Account func(member.Mailbox) *Account
	// UIDNext is told what a folder says of itself before anything in it is
	// looked at, and reports whether nothing may be released there; nil: nobody
	// wants to know.
	UIDNext func(context.Context, member.Mailbox, ledger.FolderKey, uint32) (frozen bool, err error)
	Log     zerolog.Logger

	waits waits
}

// The times of the service.
const (
	serviceEvery = time.Minute           // between two looks at the ledger
	mailboxTime  = 5 * time.Minute       // for all that is done in one mailbox at a time
	betweenTwo   = 50 * time.Millisecond // between two logins to one upstream
	firstWait    = time.Minute           // after a failure; it doubles with each
	longestWait  = time.Hour
	maxPasses    = 50 // over one folder at a time
)

// Run releases until ctx ends. What fails is in the log, and is tried again.
func (s *Service) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			if err := s.Once(ctx); err != nil && ctx.Err() == nil {
				s.Log.Warn().Err(err).Msg("what is due cannot be looked at")
			}
			timer.Reset(serviceEvery)
		case <-ctx.Done():
			return
		}
	}
}

// Once looks at every mailbox in which something may be due, those of one
// upstream one after the other. The only error is the ledger's.
func (s *Service) Once(ctx context.Context) error {
	lookouts, err := s.Releaser.Ledger.Lookouts(ctx, s.Releaser.Now())
	if err != nil {
		return err
	}
	var running sync.WaitGroup
	for _, work := range s.divide(lookouts) {
		running.Go(func() {
			for _, box := range work.boxes {
				s.visit(ctx, work.account, box)
			}
		})
	}
	running.Wait()
	return nil
}

// upstreamWork are the mailboxes of one upstream with something to look at.
type upstreamWork struct {
	account *Account
	boxes   []boxWork
}

// boxWork is what is to be looked at in one mailbox.
type boxWork struct {
	mailbox member.Mailbox
	keys    []ledger.FolderKey
}

// divide sorts lookouts, which come by mailbox, by upstream.
func (s *Service) divide(lookouts []ledger.Lookout) map[string]*upstreamWork {
	all := make(map[string]*upstreamWork)
	now := s.Releaser.Now()
	for _, o := range lookouts {
		account := s.Account(o.Mailbox)
		if account == nil || s.waits.holds(upstream(account.Upstream), now) || s.waits.holds(string(o.Mailbox), now) ||
			s.waits.holds(folderOf(o.Mailbox, o.Folder), now) {
			continue
		}
		work := all[account.Upstream]
		if work == nil {
			work = &upstreamWork{account: account}
			all[account.Upstream] = work
		}
		if n := len(work.boxes); n == 0 || work.boxes[n-1].mailbox != o.Mailbox {
			work.boxes = append(work.boxes, boxWork{mailbox: o.Mailbox})
		}
		box := &work.boxes[len(work.boxes)-1]
		box.keys = append(box.keys, o.Folder)
	}
	return all
}

func upstream(name string) string { return "upstream " + name }

func folderOf(m member.Mailbox, key ledger.FolderKey) string { return string(m) + "\x00" + key.Name }

// visit does what is to be done in one mailbox.
func (s *Service) visit(ctx context.Context, account *Account, box boxWork) {
	if ctx.Err() != nil || s.waits.holds(upstream(account.Upstream), s.Releaser.Now()) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, mailboxTime)
	defer cancel()
	conn, err := account.Login(ctx, box.mailbox)
	if err != nil {
		s.failed(err, string(box.mailbox), box.mailbox, "the service account cannot log in")
		return
	}
	defer func() { _ = conn.Close() }()
	s.waits.clear(string(box.mailbox))
	for _, key := range box.keys {
		if err := s.folder(ctx, conn, box.mailbox, key); err != nil {
			s.failed(err, folderOf(box.mailbox, key), box.mailbox, "nothing is released in a folder for now")
			return // the connection may be of no use any more
		}
	}
	select {
	case <-time.After(betweenTwo):
	case <-ctx.Done():
	}
}

func (s *Service) failed(err error, what string, mailbox member.Mailbox, message string) {
	wait := s.waits.more(what, s.Releaser.Now())
	s.Log.Warn().Err(err).Str("mailbox", string(mailbox)).Dur("again_in", wait).Msg(message)
}

// errOtherLife is the reason why nothing is released in a folder that was made
// anew: what was held in its life before is frozen.
var errOtherLife = errors.New("the folder has another UIDVALIDITY than what is held in it: that is frozen")

// folder releases what is due in one folder.
func (s *Service) folder(ctx context.Context, conn Folders, mailbox member.Mailbox, key ledger.FolderKey) error {
	if key.UIDValidity == 0 { // POP3 alone has seen it: IMAP would not know which it is
		return nil
	}
	opened, err := conn.Open(ctx, key.Name)
	if err != nil {
		return err
	}
	if opened.UIDValidity != key.UIDValidity {
		return errOtherLife
	}
	if s.UIDNext != nil {
		frozen, err := s.UIDNext(ctx, mailbox, key, opened.UIDNext)
		if err != nil || frozen {
			return err
		}
	}
	at := place{mailbox, key}
	if !s.Releaser.passes.claim(at, s.Releaser.Now(), true) {
		return nil
	}
	defer s.Releaser.passes.done(at, s.Releaser.Now())
	for range maxPasses {
		done, err := s.Releaser.Pass(ctx, mailbox, key, conn)
		if err != nil || !done.More {
			return err
		}
	}
	return nil
}

// errNoAccount is the error of a mailbox whose upstream has no service account.
var errNoAccount = errors.New("the mailbox's upstream has no service account")

// Copy puts a copy of a held message into its folder, after making sure that it
// is the one that was held. Everybody who uses the mailbox sees the copy.
func (s *Service) Copy(ctx context.Context, h *ledger.Held) error {
	account := s.Account(h.Mailbox)
	if account == nil {
		return errNoAccount
	}
	conn, err := account.Login(ctx, h.Mailbox)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	m := &h.Message
	opened, err := conn.Open(ctx, m.Folder)
	if err != nil {
		return err
	}
	if opened.UIDValidity != m.UIDValidity {
		return errOtherLife
	}
	seen, err := conn.Look(ctx, []message.UID{m.UID}, m.Fingerprint != nil)
	switch {
	case err != nil:
		return err
	case len(seen) != 1:
		return fmt.Errorf("message %d is not there any more", m.ID)
	}
	if why := differs(m, &seen[0]); why != "" {
		return fmt.Errorf("message %d is not the one that was held: %s", m.ID, why)
	}
	_, err = conn.Copy(ctx, m.UID)
	return err
}
