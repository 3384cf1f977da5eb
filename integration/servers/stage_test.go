//go:build linux

package servers

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"mailguard/integration/imapconn"
)

var (
	support = User{Name: "support@example.com", Password: `a:b "c%d`}
	carla   = User{Name: "carla@personal.example.com", Password: "secret"}
)

// running is what the tests ask of both servers.
type running interface {
	IMAP() string
	POP3() string
	Deliver(user string, message []byte) error
	Messages(user string) ([]Message, error)
	Log() string
	Kill() error
	Close() error
}

var starters = map[string]func(context.Context, Options) (running, error){
	"Cyrus":   func(ctx context.Context, o Options) (running, error) { return orNil(StartCyrus(ctx, o)) },
	"Courier": func(ctx context.Context, o Options) (running, error) { return orNil(StartCourier(ctx, o)) },
}

func orNil[S running](s S, err error) (running, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

// need skips where the servers cannot be run, or fails where everything must
// run.
func need(t *testing.T) {
	t.Helper()
	err := Installed()
	if err != nil && (os.Getenv("CI") != "" || os.Getenv("MAILGUARD_REQUIRE_ALL") != "") {
		t.Fatal(err)
	}
	if err != nil {
		t.Skip(err)
	}
}

// eachServer runs a test with each of the two servers.
func eachServer(t *testing.T, test func(t *testing.T, s running)) {
	t.Helper()
	need(t)
	for name, start := range starters {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			s, err := start(ctx, Options{Users: []User{support, carla}})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if t.Failed() {
					t.Log(s.Log())
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
			test(t, s)
		})
	}
}

func deliver(t *testing.T, s running, user string, subjects ...string) {
	t.Helper()
	for _, subject := range subjects {
		if err := s.Deliver(user, fmt.Appendf(nil, "Subject: %s\n\nText\n", subject)); err != nil {
			t.Fatal(err)
		}
	}
}

func messages(t *testing.T, s running, user string) []Message {
	t.Helper()
	all, err := s.Messages(user)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func logIn(t *testing.T, s running, u User) *imapconn.Conn {
	t.Helper()
	conn, err := imapconn.Dial(t.Context(), s.IMAP(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.LogIn(u.Name, u.Password); err != nil {
		t.Fatal(err)
	}
	return conn
}

// do gives commands that have to be OK and returns what the last one brought.
func do(t *testing.T, conn *imapconn.Conn, commands ...string) string {
	t.Helper()
	var answers []string
	for _, command := range commands {
		untagged, tagged, err := conn.Do(command)
		if err != nil || !strings.HasPrefix(tagged, "OK") {
			t.Fatalf("%s: %s, %v\n%s", command, tagged, err, conn.Transcript())
		}
		answers = untagged
	}
	return strings.Join(answers, "\n")
}

// states are the UIDs, with a D behind those that are marked \Deleted.
func states(all []Message) string {
	var words []string
	for _, m := range all {
		word := strconv.Itoa(int(m.UID))
		if m.Deleted {
			word += "D"
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

func groupsOf(s running) []*process { return append([]*process{}, serverOf(s).processes...) }

func serverOf(s running) *server {
	if c, ok := s.(*Cyrus); ok {
		return c.server
	}
	return s.(*Courier).server
}

// inside counts the processes whose root directory it is, whatever group they
// are in.
func inside(dir string) int {
	count := 0
	links, _ := filepath.Glob("/proc/[0-9]*/root") // the pattern is a good one
	for _, link := range links {
		if root, err := os.Readlink(link); err == nil && strings.HasPrefix(root, dir) {
			count++
		}
	}
	return count
}
