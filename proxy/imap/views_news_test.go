package imap

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mailguard/demo/upstream"
)

const notNow = "{tag} NO [UNAVAILABLE] Not now"

// What another session has done is told at a later moment if the upstream refuses
// what the guard has to ask first.
func TestNewsOutlastARefusal(t *testing.T) {
	mark := func(first, _ *client) { first.ok(`STORE 2 +FLAGS.SILENT (\Deleted)`) }
	for name, test := range map[string]struct {
		do   func(first, second *client)
		told string
		then string
	}{
		"marked": {mark, `* 2 FETCH (UID 2 FLAGS (\Deleted))`, `1 (), 2 (\Deleted), 3 ()`},
		"hidden": {func(first, second *client) {
			mark(first, second)
			second.ok("NOOP")
			first.ok("EXPUNGE")
		}, "* 2 EXPUNGE", "1 (), 2 ()"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			box := w.box("plain@example.com", 100, 200, 300)
			first, second := w.enter(t, box, "alice"), w.enter(t, box, "alice")
			test.do(first, second)
			w.on(box, once("UID FETCH 2 ", upstream.Action{Answer: notNow}))
			second.say("NOOP", "OK*", nothing...)
			second.says("NOOP", test.told)
			second.shows(test.then)
		})
	}
}

// A client in IDLE goes on hearing of what happens, though the upstream has refused
// what the guard asked in between.
func TestIdleOutlastsARefusal(t *testing.T) {
	w := newWorld(t)
	box := w.box("plain@example.com", 100, 200, 300, 400)
	first, idling := w.enter(t, box, "alice"), w.enter(t, box, "alice")
	tag := idling.idle()
	refuse := once("UID FETCH 2 ", upstream.Action{Answer: notNow})
	var refused atomic.Bool
	again := make(chan struct{})
	idles := sync.OnceFunc(func() { close(again) })
	w.on(box, func(command string) upstream.Action {
		a := refuse(command)
		switch {
		case a.Answer != "":
			refused.Store(true)
		case command == "IDLE" && refused.Load():
			idles()
		}
		return a
	})
	first.ok(`STORE 2 +FLAGS.SILENT (\Deleted)`)
	await(t, again, "the guard does not idle again")
	w.on(box, nil)
	w.upstream.Deliver(box, mail(5, 500))
	idling.sees("* 5 EXISTS")
	idling.done(tag)
	idling.says("NOOP", `* 2 FETCH (UID 2 FLAGS (\Deleted))`)
}

// await waits for an event.
func await(t *testing.T, event <-chan struct{}, otherwise string) {
	t.Helper()
	select {
	case <-event:
	case <-time.After(patience):
		t.Fatal(otherwise)
	}
}

// wentAndCame has two sessions of alice, both of which have seen message 2 of the
// INBOX go to Keep. The mover has Keep selected, where the message is number 2.
func (w *world) wentAndCame(t *testing.T) (box string, mover, reading *client) {
	t.Helper()
	box = w.box("plain@example.com", 100, 200, 300)
	w.folder(t, box, "Keep")
	mover, reading = w.enter(t, box, "alice"), w.enter(t, box, "alice")
	mover.ok("MOVE 2 Keep")
	reading.says("NOOP", "* 2 EXPUNGE")
	return box, mover, reading
}

const cameBack = "* BYE A message has come back to this folder; please open it again"

// A session that has other news to hear, and does nothing, is sent away all the same
// when a message comes back to its folder.
func TestWhatComesBackBehindOtherNews(t *testing.T) {
	w := newWorld(t)
	_, mover, reading := w.wentAndCame(t)
	mover.ok(`STORE 1 +FLAGS.SILENT (\Deleted)`)
	mover.ok("SELECT Keep")
	mover.ok("UID MOVE 2 INBOX")
	reading.sees(cameBack)
	reading.ended()
}

// Nothing follows a BYE, and nothing is done that came behind it: the client counts
// another folder than there is.
func TestNothingFollowsTheBye(t *testing.T) {
	w := newWorld(t)
	box, mover, reading := w.wentAndCame(t)
	mover.ok("SELECT Keep")
	entered, held := make(chan struct{}), make(chan struct{})
	release := sync.OnceFunc(func() { close(held) })
	defer release()
	w.on(box, before("NOOP", func() { close(entered); <-held }))
	tag := reading.begin("NOOP")
	await(t, entered, "NOOP does not reach the upstream")
	mover.ok("UID MOVE 2 INBOX")
	reading.send("b UID STORE 1 +FLAGS (\\Seen \\Deleted)\r\nc EXPUNGE\r\n")
	release()
	if got, want := reading.remainder(), fmt.Sprintf("%s OK NOOP completed.\r\n%s\r\n", tag, cameBack); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	for _, m := range w.upstream.Messages(box, inbox) {
		if strings.Contains(strings.Join(m.Flags, " "), `\Seen`) {
			t.Errorf("message %d has been changed: %v", m.UID, m.Flags)
		}
	}
	w.enter(t, box, "alice").shows("1 (), 2 (), 3 ()")
}
