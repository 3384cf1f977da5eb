package imap

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"mailguard/demo/upstream"
)

// box makes a mailbox with messages of these sizes, with UIDs from 1, and
// returns its name.
func (w *world) box(name string, sizes ...int) string {
	w.upstream.AddUser(name, password)
	for i, size := range sizes {
		w.upstream.Deliver(name, mail(i+1, size))
	}
	return name
}

// mail is a message of so many octets.
func mail(n, size int) []byte {
	head := fmt.Sprintf("From: customer@example.net\r\nSubject: message %d\r\n\r\n", n)
	line := "A line of text, as long as it takes.\r\n"
	body := strings.Repeat(line, size/len(line)+1)
	return []byte(head + body[:size-len(head)-2] + "\r\n")
}

// on sets what happens to a user's commands at the upstream.
func (w *world) on(user string, h hook) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hooks[user] = h
}

// once is a hook for the first command that begins with prefix.
func once(prefix string, a upstream.Action) hook {
	var done atomic.Bool
	return func(command string) upstream.Action {
		if strings.HasPrefix(command, prefix) && done.CompareAndSwap(false, true) {
			return a
		}
		return upstream.Action{}
	}
}

// has fails the test unless a folder holds exactly these UIDs upstream, and
// none of them has \Deleted there.
func (w *world) has(tb testing.TB, box, folder string, uids ...uint32) {
	tb.Helper()
	var got []uint32
	for _, m := range w.upstream.Messages(box, folder) {
		got = append(got, m.UID)
		if slices.Contains(m.Flags, deleted) {
			tb.Errorf("%s of %s: message %d has %s upstream", folder, box, m.UID, deleted)
		}
	}
	if !slices.Equal(got, uids) {
		tb.Errorf("%s of %s has %v upstream, want %v", folder, box, got, uids)
	}
}

// removed lists the UIDs that left a mailbox's INBOX.
func (w *world) removed(box string) (uids []uint32) {
	for _, r := range w.upstream.Removed() {
		if r.Mailbox == box && r.Folder == inbox {
			uids = append(uids, r.UID)
		}
	}
	return uids
}

// flags gives a message flags upstream.
func (w *world) flags(tb testing.TB, box string, uid uint32, flags ...string) {
	tb.Helper()
	if err := w.upstream.SetFlags(box, inbox, uid, flags...); err != nil {
		tb.Fatal(err)
	}
}

// received lists the commands that reached the upstream, those that begin with
// one of these words if there are any.
func (w *world) received(words ...string) []string {
	return slices.DeleteFunc(w.upstream.Received(), func(line string) bool {
		return len(words) > 0 && !slices.ContainsFunc(words, func(word string) bool { return strings.HasPrefix(line, word) })
	})
}

// upstreamSays is an action that puts lines in front of an answer.
func upstreamSays(lines string) upstream.Action { return upstream.Action{Before: lines} }
