package release

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"mailguard/member"
	"mailguard/message"
)

// account is a service account over one folder in memory.
type account struct {
	*folder

	logins   int
	closed   int
	refuses  bool
	validity uint32
	folders  []string
}

func (a *account) login(context.Context, member.Mailbox) (Folders, error) {
	a.logins++
	if a.refuses {
		return nil, errors.New("refused")
	}
	return a, nil
}

func (a *account) Open(_ context.Context, name string) (message.Opened, error) {
	a.folders = append(a.folders, name)
	return message.Opened{UIDValidity: a.validity}, nil
}

func (a *account) Copy(_ context.Context, uid message.UID) (message.UID, error) {
	a.there[uid+100] = a.there[uid]
	return uid + 100, nil
}

func (a *account) Close() error { a.closed++; return nil }

func (s *scene) service(a *account) *Service {
	of := &Account{Upstream: "main", Login: a.login}
	return &Service{Releaser: s.Releaser, Account: func(member.Mailbox) *Account { return of }, Log: zerolog.Nop()}
}

func (s *scene) once(service *Service) {
	s.t.Helper()
	if err := service.Once(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

func TestServiceReleases(t *testing.T) {
	s := newScene(t, everyoneDone(""))
	a := &account{folder: newFolder(5, 6), validity: key.UIDValidity}
	service := s.service(a)
	s.once(service)
	if a.logins != 0 {
		t.Error("it logs in where nothing is held")
	}
	s.expunges("alice", "r", 5, 6)
	s.expunges("bob", "r", 5)
	s.once(service)
	if len(a.removed) != 1 || a.logins != 1 || a.closed != 1 {
		t.Errorf("removed %v, %d logins, %d closed", a.removed, a.logins, a.closed)
	}
	s.once(service)
	if a.logins != 1 {
		t.Error("it logs in where nothing has changed")
	}
}

// What was held in a life of the folder that is over is not touched.
func TestServiceInAnotherLife(t *testing.T) {
	s := newScene(t, everyoneDone(""))
	s.expunges("alice", "r", 5)
	s.expunges("bob", "r", 5)
	a := &account{folder: newFolder(5), validity: key.UIDValidity + 1}
	service := s.service(a)
	s.once(service)
	s.once(service)
	if len(a.removed) != 0 || a.logins != 1 {
		t.Errorf("removed %v, %d logins", a.removed, a.logins)
	}
}

func TestServiceWaitsAfterFailures(t *testing.T) {
	s := newScene(t, everyoneDone(""))
	s.expunges("alice", "r", 5)
	s.expunges("bob", "r", 5)
	a := &account{folder: newFolder(5), validity: key.UIDValidity, refuses: true}
	service := s.service(a)
	for range 10 * 60 { // ten hours
		s.once(service)
		s.pass(time.Minute)
	}
	if a.logins < 10 || a.logins > 16 {
		t.Errorf("%d logins in ten hours", a.logins)
	}
	a.refuses = false
	s.pass(time.Hour)
	s.once(service)
	if len(a.removed) != 1 {
		t.Errorf("removed %v", a.removed)
	}
}

func TestServiceCopies(t *testing.T) {
	s := newScene(t, everyoneDone(""))
	s.expunges("alice", "r", 5)
	a := &account{folder: newFolder(5), validity: key.UIDValidity}
	service := s.service(a)
	copyOf := func() error {
		found, err := s.Ledger.LookupFolder(t.Context(), box, key, []message.UID{5})
		if err != nil {
			t.Fatal(err)
		}
		return service.Copy(t.Context(), found[5])
	}
	if err := copyOf(); err != nil || len(a.there) != 2 {
		t.Errorf("%v, %d messages", err, len(a.there))
	}
	a.there[5].Size++
	if err := copyOf(); err == nil {
		t.Error("another message is copied")
	}
	a.validity++
	if err := copyOf(); !errors.Is(err, errOtherLife) {
		t.Errorf("%v", err)
	}
}
