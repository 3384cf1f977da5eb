package clients

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

// GoIMAP is a program that somebody writes with go-imap's client. It runs
// within this process.
var GoIMAP = IMAP{Name: "go-imap", jobs: map[Job]action{
	Fetch:      goJob(goFetch),
	List:       goJob(goList),
	Flag:       goJob(goFound((*goSession).flag)),
	Delete:     goJob(goFound((*goSession).remove)),
	Copy:       goJob(goFound((*goSession).copy)),
	Move:       goJob(goFound((*goSession).move)),
	Upload:     goJob(func(s *goSession) error { return s.upload() }),
	MakeFolder: goJob(func(s *goSession) error { return s.Create(Archive, nil).Wait() }),
}}

// goSession is one login with INBOX selected.
type goSession struct {
	*imapclient.Client
	desk desk
}

// goTimeout bounds each read and write: the library waits half a minute for an
// answer by itself.
const goTimeout = time.Minute

// goJob makes a program of a function: where that fails, the program says why
// and ends with status 1.
func goJob(do func(*goSession) error) action {
	return func(_ context.Context, d desk) (Run, error) {
		s, err := d.goLogIn(nil)
		if err == nil {
			defer func() { _ = s.Close() }()
			err = do(s)
		}
		if err == nil {
			err = s.Logout().Wait()
		}
		if err != nil {
			return Run{Exit: 1, Output: err.Error()}, nil
		}
		return Run{}, nil
	}
}

func (d desk) goLogIn(events *imapclient.UnilateralDataHandler) (*goSession, error) {
	pem, err := os.ReadFile(d.CAFile)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	options := &imapclient.Options{
		TLSConfig:             &tls.Config{RootCAs: roots, ServerName: d.Host},
		UnilateralDataHandler: events,
		Dialer:                &net.Dialer{Timeout: goTimeout},
	}
	dial := imapclient.DialStartTLS
	if d.Implicit {
		dial = imapclient.DialTLS
	}
	c, err := dial(net.JoinHostPort(d.Host, d.Port), options)
	if err != nil {
		return nil, err
	}
	s := &goSession{Client: c, desk: d}
	if err := s.open(); err != nil {
		_ = c.Close()
		return nil, err
	}
	return s, nil
}

func (s *goSession) open() error {
	if err := s.Login(s.desk.User, s.desk.Password).Wait(); err != nil {
		return fmt.Errorf("login: %w", err)
	}
	if _, err := s.List("", "*", nil).Collect(); err != nil {
		return fmt.Errorf("list: %w", err)
	}
	_, err := s.Select("INBOX", nil).Wait()
	return err
}

// goFetch downloads what is unread, which reads it.
func goFetch(s *goSession) error {
	if _, err := s.Status("INBOX", &imap.StatusOptions{NumMessages: true, UIDNext: true}).Wait(); err != nil {
		return fmt.Errorf("status: %w", err)
	}
	found, err := s.UIDSearch(&imap.SearchCriteria{NotFlag: []imap.Flag{imap.FlagSeen}}, nil).Wait()
	if err != nil {
		return fmt.Errorf("search: %w", err)
	}
	return s.download(found, &imap.FetchItemBodySection{}, s.desk.folder("INBOX"))
}

// goList downloads everything and reads nothing.
func goList(s *goSession) error {
	if err := s.desk.clear(listed); err != nil {
		return err
	}
	found, err := s.UIDSearch(&imap.SearchCriteria{}, nil).Wait()
	if err != nil {
		return fmt.Errorf("search: %w", err)
	}
	return s.download(found, &imap.FetchItemBodySection{Peek: true}, s.desk.file(listed))
}

// download puts what was found into a Maildir.
func (s *goSession) download(found *imap.SearchData, body *imap.FetchItemBodySection, maildir string) error {
	uids, ok := found.All.(imap.UIDSet)
	if !ok || len(uids) == 0 {
		return nil
	}
	messages, err := s.Fetch(uids, &imap.FetchOptions{UID: true, Flags: true, Envelope: true, BodySection: []*imap.FetchItemBodySection{body}}).Collect()
	if err != nil {
		return fmt.Errorf("fetch: %w", err)
	}
	for _, m := range messages {
		if err := addFile(maildir, "new", m.FindBodySection(body)); err != nil {
			return err
		}
	}
	return nil
}

// goFound does something with the messages that have the subject.
func goFound(do func(*goSession, imap.UIDSet) error) func(*goSession) error {
	return func(s *goSession) error {
		subject := imap.SearchCriteriaHeaderField{Key: "Subject", Value: s.desk.subject}
		found, err := s.UIDSearch(&imap.SearchCriteria{Header: []imap.SearchCriteriaHeaderField{subject}}, nil).Wait()
		if err != nil {
			return fmt.Errorf("search: %w", err)
		}
		uids, ok := found.All.(imap.UIDSet)
		if !ok || len(uids) == 0 {
			return fmt.Errorf("no message %q", s.desk.subject)
		}
		return do(s, uids)
	}
}

func (s *goSession) flag(uids imap.UIDSet) error {
	add := imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagSeen, imap.FlagFlagged}}
	_, err := s.Store(uids, &add, nil).Collect()
	return err
}

func (s *goSession) remove(uids imap.UIDSet) error {
	add := imap.StoreFlags{Op: imap.StoreFlagsAdd, Silent: true, Flags: []imap.Flag{imap.FlagDeleted}}
	if err := s.Store(uids, &add, nil).Close(); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if _, err := s.UIDExpunge(uids).Collect(); err != nil {
		return fmt.Errorf("expunge: %w", err)
	}
	return nil
}

func (s *goSession) copy(uids imap.UIDSet) error {
	_, err := s.Copy(uids, Archive).Wait()
	return err
}

func (s *goSession) move(uids imap.UIDSet) error {
	_, err := s.Move(uids, Archive).Wait()
	return err
}

func (s *goSession) upload() error {
	text := s.desk.message()
	a := s.Append("INBOX", int64(len(text)), &imap.AppendOptions{Flags: []imap.Flag{imap.FlagSeen}})
	if _, err := a.Write(text); err != nil {
		return err
	}
	if err := a.Close(); err != nil {
		return err
	}
	_, err := a.Wait()
	return err
}

// Idle waits in IDLE until the server says that INBOX has more messages than
// when it was selected, and returns how many. deliver is called when IDLE runs.
func Idle(ctx context.Context, a Account, deliver func() error) (uint32, error) {
	exists := make(chan uint32, 8)
	events := &imapclient.UnilateralDataHandler{Mailbox: func(m *imapclient.UnilateralDataMailbox) {
		if m.NumMessages != nil {
			exists <- *m.NumMessages
		}
	}}
	s, err := desk{Account: a}.goLogIn(events)
	if err != nil {
		return 0, err
	}
	defer func() { _ = s.Close() }()
	idle, err := s.Idle()
	if err != nil {
		return 0, fmt.Errorf("idle: %w", err)
	}
	if err := deliver(); err != nil {
		return 0, err
	}
	var count uint32
	select {
	case count = <-exists:
	case <-ctx.Done():
		return 0, fmt.Errorf("idle, and nothing was said: %w", ctx.Err())
	}
	if err := idle.Close(); err != nil {
		return 0, err
	}
	if err := idle.Wait(); err != nil {
		return 0, err
	}
	return count, s.Logout().Wait()
}
