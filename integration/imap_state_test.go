package integration

import (
	"bufio"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mailguard/integration/clients"
)

// onServer is a message at the server: the files in its Maildir say so.
type onServer struct {
	clients.Message
	folder string
	uid    string // "" if Dovecot has not seen it yet
}

// maildir is the mailbox at the Dovecot.
func (r *reader) maildir() string { return filepath.Join(r.dovecot.Dir(), "mail", r.box, "Maildir") }

// folders are the folders at the server.
func (r *reader) folders(t testing.TB) []string {
	t.Helper()
	entries, err := os.ReadDir(r.maildir())
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"INBOX"}
	for _, e := range entries {
		if name, ok := strings.CutPrefix(e.Name(), "."); ok && e.IsDir() {
			names = append(names, name)
		}
	}
	return names
}

// remote are the messages at the server.
func (r *reader) remote(t testing.TB) []onServer {
	t.Helper()
	var all []onServer
	for _, folder := range r.folders(t) {
		dir := r.maildir()
		if folder != "INBOX" {
			dir = filepath.Join(dir, "."+folder)
		}
		messages := readSettled(t, dir)
		uids := dovecotUIDs(t, dir)
		for _, m := range messages {
			base, _, _ := strings.Cut(filepath.Base(m.Path), ":2,")
			all = append(all, onServer{Message: m, folder: folder, uid: uids[base]})
		}
	}
	return all
}

// readSettled reads a Maildir that Dovecot may be renaming files in.
func readSettled(t testing.TB, dir string) []clients.Message {
	t.Helper()
	var err error
	for range 20 {
		var all []clients.Message
		if all, err = clients.ReadMaildir(dir); err == nil {
			return all
		}
	}
	t.Fatal(err)
	return nil
}

// dovecotUIDs reads Dovecot's list of the UIDs of a folder's files.
func dovecotUIDs(t testing.TB, dir string) map[string]string {
	t.Helper()
	uids := make(map[string]string)
	f, err := os.Open(filepath.Join(dir, "dovecot-uidlist"))
	if os.IsNotExist(err) {
		return uids
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		before, name, ok := strings.Cut(lines.Text(), " :")
		base, _, _ := strings.Cut(name, ":2,")
		if uid, _, _ := strings.Cut(before, " "); ok {
			uids[base] = uid
		}
	}
	return uids
}

// state is everything that the client left, at the server and at home, in
// lines that do not depend on when and where it ran.
func (r *reader) state(t testing.TB) []string {
	t.Helper()
	var all []string
	for _, folder := range r.folders(t) {
		all = append(all, "server: folder "+folder)
	}
	for _, m := range r.remote(t) {
		all = append(all, fmt.Sprintf("server: %s uid=%s %s", m.folder, m.uid, m.Message))
	}
	subscribed, err := os.ReadFile(filepath.Join(r.maildir(), "subscriptions"))
	if err == nil {
		all = append(all, "server: subscribed "+string(subscribed))
	}
	all = append(all, r.home(t)...)
	slices.Sort(all)
	return all
}

// home is the client's own mail, and what it remembers of the server.
func (r *reader) home(t testing.TB) []string {
	t.Helper()
	folders, err := clients.Folders(r.dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, folder := range folders {
		messages, err := clients.ReadMaildir(filepath.Join(r.dir, "mail", folder))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, "home: folder "+folder)
		for _, m := range messages {
			all = append(all, fmt.Sprintf("home: %s %s", folder, m))
		}
	}
	return append(append(all, r.mbsyncState(t)...), r.offlineIMAPState(t)...)
}

// validity is the only line of mbsync's state that differs from server to
// server.
var validity = regexp.MustCompile(`UidValidity \d+`)

// mbsyncState is the list of pairs of UIDs in each folder.
func (r *reader) mbsyncState(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(r.dir, "mail", "*", ".mbsyncstate"))
	var all []string
	for _, f := range files {
		text, readErr := os.ReadFile(f)
		if readErr != nil {
			t.Fatal(readErr)
		}
		for line := range strings.Lines(validity.ReplaceAllString(string(text), "UidValidity")) {
			all = append(all, "mbsync: "+filepath.Base(filepath.Dir(f))+" "+strings.TrimSpace(line))
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// offlineIMAPState is its table of the messages that both sides had.
func (r *reader) offlineIMAPState(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(r.dir, "state", "Account-test", "LocalStatus-sqlite", "*"))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, f := range files {
		for _, row := range sqliteRows(t, f, "SELECT id || ' ' || flags FROM status ORDER BY id") {
			all = append(all, "offlineimap: "+filepath.Base(f)+" "+row)
		}
	}
	return all
}

func sqliteRows(t testing.TB, file, query string) []string {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	rows, err := db.Query(query)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	defer func() { _ = rows.Close() }()
	var all []string
	for rows.Next() {
		var row string
		if err := rows.Scan(&row); err != nil {
			t.Fatal(err)
		}
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}
