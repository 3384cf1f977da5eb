package main

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The big folder whose views are measured. Every bodyEvery-th message is of
// bodySize, and nobody has hidden it; of every ten one is unseen.
const (
	viewCount = 100_000
	bodyEvery = 100
	bodySize  = 4 << 10

	viewed   = "views@example.com"
	complete = "complete@example.com"
	relayed  = "views@personal.example.com"
	observed = "views@observed.example.com"
)

// viewsWay is a way to the big folder.
type viewsWay struct {
	way
	hidden int // messages that this member has deleted
	client *imapClient
}

// viewsCommand is a command whose cost is measured where the INBOX is selected.
type viewsCommand struct {
	name string
	text string
}

// viewsCommands are what is measured of views. Each shows what a client does:
// opening a folder, synchronising it, searching it, reading in it.
func viewsCommands() []viewsCommand {
	return []viewsCommand{
		{"SELECT, opened again", "SELECT INBOX"},
		{"UID FETCH 1:* (FLAGS)", "UID FETCH 1:* (FLAGS)"},
		{"FETCH 1:* (UID FLAGS)", "FETCH 1:* (UID FLAGS)"},
		{"UID SEARCH ALL", "UID SEARCH ALL"},
		{"SEARCH UNSEEN", "SEARCH UNSEEN"},
		{"SEARCH RETURN (COUNT MIN MAX)", "SEARCH RETURN (COUNT MIN MAX) UNSEEN"},
		{"UID FETCH, 1,000 bodies of 4 kB", "UID FETCH " + bodies() + " (BODY.PEEK[])"},
		{"UID FETCH, one body", "UID FETCH " + strconv.Itoa(viewCount/2/bodyEvery*bodyEvery) + " (BODY.PEEK[])"},
		{"STORE by number", "STORE 50000 +FLAGS.SILENT (\\Flagged)"},
		{"STATUS of the folder, selected", `STATUS INBOX (MESSAGES UNSEEN UIDNEXT)`},
		{"NOOP", "NOOP"},
		{"STATUS of the folder, not selected", `STATUS INBOX (MESSAGES UNSEEN UIDNEXT)`}, // UNSELECT is before it
	}
}

// bodies is the set of the messages that have a body worth the name.
func bodies() string {
	var uids []string
	for uid := bodyEvery; uid <= viewCount; uid += bodyEvery {
		uids = append(uids, strconv.Itoa(uid))
	}
	return strings.Join(uids, ",")
}

// viewsMail is a message of the big folder, with the flags that it has.
func viewsMail(i int) (mail []byte, flags []string) {
	if i%10 != 1 {
		flags = []string{`\Seen`}
	}
	if i%bodyEvery == 0 {
		return bodyMail, flags
	}
	return tinyMail, flags
}

var bodyMail, tinyMail = message(bodySize), message(tiny)

// fillViews delivers the big folder, once for each of its kinds of guard, and
// once where nobody hides anything.
func (b *bench) fillViews() error {
	if b.dovecot != nil {
		return b.fillDovecot()
	}
	for _, user := range viewsUsers {
		b.upstream.AddUser(user, password)
		for i := 1; i <= viewCount; i++ {
			mail, flags := viewsMail(i)
			if _, err := b.upstream.Append(user, "INBOX", mail, time.Time{}, flags...); err != nil {
				return err
			}
		}
	}
	return nil
}

// viewsWays are the ways to the big folder, the direct one first.
func (b *bench) viewsWays() []*viewsWay {
	to := func(name string, w way, user string, hidden int) *viewsWay {
		w.name, w.user = name, user
		return &viewsWay{way: w, hidden: hidden}
	}
	return []*viewsWay{
		to("direct", b.ways[0], relayed, 0),
		to("unguarded", b.ways[unguarded], relayed, 0),
		to("watching", b.ways[guarded], observed+"#alice", 0),
		to("0 hidden", b.ways[guarded], complete+"#alice", 0),
		to("hidden to others", b.ways[guarded], viewed+"#zero", 0),
		to("10 hidden", b.ways[guarded], viewed+"#ten", 10),
		to("10,000 hidden", b.ways[guarded], viewed+"#many", 10_000),
	}
}

// openViews is a session in the big folder. Its lines are long: an answer to
// SEARCH is one.
func (b *bench) openViews(w way) (*imapClient, error) {
	c, err := b.opensIMAP(w, w.user)()
	if err == nil {
		c.r = bufio.NewReaderSize(c.conn, viewCount*8) // nothing is under way
	}
	return c, err
}

// hide deletes messages at random places of the folder for this member.
func (w *viewsWay) hide() error {
	if w.hidden == 0 {
		return nil
	}
	random := rand.New(rand.NewPCG(1, uint64(w.hidden)))
	taken := make(map[int]bool)
	for len(taken) < w.hidden {
		if uid := 1 + random.IntN(viewCount); uid%bodyEvery != 0 {
			taken[uid] = true
		}
	}
	var uids []int
	for uid := range taken {
		uids = append(uids, uid)
	}
	slices.Sort(uids)
	begin := time.Now()
	if err := w.client.inChunks(uids, "UID STORE ", ` +FLAGS.SILENT (\Deleted)`); err != nil {
		return err
	}
	marked := time.Now()
	a, err := w.client.command("EXPUNGE")
	if err == nil && a.responses != w.hidden {
		err = fmt.Errorf("%d responses to EXPUNGE of %d messages", a.responses, w.hidden)
	}
	fmt.Printf("%-40s %s to mark, %s to expunge\n", "views: "+w.name, marked.Sub(begin).Round(time.Millisecond), time.Since(marked).Round(time.Millisecond))
	return err
}

// inChunks runs a command for some messages after the other.
func (c *imapClient) inChunks(uids []int, before, behind string) error {
	for chunk := range slices.Chunk(uids, 1000) {
		set := strings.Trim(strings.Join(strings.Fields(fmt.Sprint(chunk)), ","), "[]")
		if _, err := c.command(before + set + behind); err != nil {
			return err
		}
	}
	return nil
}

// measureViews measures what a view costs.
func (b *bench) measureViews(rounds int, fits *regexp.Regexp) (err error) {
	commands := slices.DeleteFunc(viewsCommands(), func(c viewsCommand) bool { return !fits.MatchString("views: " + c.name) })
	memory := fits.MatchString(viewsMemory)
	if len(commands) == 0 && !memory {
		return nil
	}
	if err := b.fillViews(); err != nil {
		return err
	}
	ways := b.viewsWays()
	defer func() { err = errors.Join(err, quitViews(ways)) }()
	for _, w := range ways {
		if w.client, err = b.openViews(w.way); err == nil {
			err = w.hide()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
	}
	if err := b.measureCommands(ways, commands, rounds); err != nil || !memory {
		return err
	}
	return b.measureViewsMemory(ways)
}

func quitViews(ways []*viewsWay) (err error) {
	for _, w := range ways {
		if w.client != nil {
			err = errors.Join(err, w.client.quit())
			w.client = nil
		}
	}
	return err
}
