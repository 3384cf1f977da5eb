package views

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// picture is what a strict client knows of its folder, from nothing but the
// responses that it got. It is pure.
type picture struct {
	uids     []uint32        // by message number less one; 0 not known
	flags    []string        // as flagsOf spells them; unknownFlags
	gone     map[uint32]bool // UIDs that EXPUNGE took
	validity uint32
	next     uint32 // UIDNEXT
	unseen   int    // the first unseen message, as SELECT told; 0 none
}

// unknownFlags is no flags that a message can have.
const unknownFlags = "?"

// event is what a response changed.
type event struct {
	kind string // EXISTS, EXPUNGE, FETCH, "" anything else
	n    int    // the message's number; for EXISTS how many are new
	uid  uint32 // as told by this response, or before; 0 not known
	text string // of FETCH: what it holds
}

var (
	numbered  = regexp.MustCompile(`(?s)^\* (\d{1,9}) (EXISTS|EXPUNGE|FETCH \()(.*)$`)
	code      = regexp.MustCompile(`^\* OK \[(UIDVALIDITY|UIDNEXT|UNSEEN) (\d+)\]`)
	uidItem   = regexp.MustCompile(`(?:^|[( ])UID (\d+)`)
	flagsItem = regexp.MustCompile(`(?:^|[( ])FLAGS \(([^)]*)\)`)
)

// selecting begins a new picture.
func (p *picture) selecting() { *p = picture{gone: make(map[uint32]bool)} }

// hear follows a response. The error says what of it makes no sense.
func (p *picture) hear(response string) (event, error) {
	if found := code.FindStringSubmatch(response); found != nil {
		p.code(found[1], number(found[2]))
		return event{}, nil
	}
	found := numbered.FindStringSubmatch(response)
	if found == nil {
		return event{}, nil
	}
	n := int(number(found[1]))
	switch found[2] {
	case "EXISTS":
		return p.exists(n)
	case "EXPUNGE":
		return p.expunge(n)
	}
	return p.fetch(n, found[3])
}

func (p *picture) code(name string, n uint32) {
	switch name {
	case "UIDVALIDITY":
		p.validity = n
	case "UIDNEXT":
		p.next = n
	case "UNSEEN":
		p.unseen = int(n)
	}
}

// exists is RFC 9051, 7.4.1: only EXPUNGE makes a folder smaller.
func (p *picture) exists(n int) (event, error) {
	more := n - len(p.uids)
	if more < 0 {
		return event{}, fmt.Errorf("%d EXISTS after %d", n, len(p.uids))
	}
	for range more {
		p.uids, p.flags = append(p.uids, 0), append(p.flags, unknownFlags)
	}
	return event{kind: "EXISTS", n: more}, nil
}

func (p *picture) expunge(n int) (event, error) {
	if n < 1 || n > len(p.uids) {
		return event{}, fmt.Errorf("%d EXPUNGE of %d", n, len(p.uids))
	}
	uid := p.uids[n-1]
	p.uids, p.flags = slices.Delete(p.uids, n-1, n), slices.Delete(p.flags, n-1, n)
	if uid != 0 {
		p.gone[uid] = true
	}
	return event{kind: "EXPUNGE", n: n, uid: uid}, nil
}

func (p *picture) fetch(n int, items string) (event, error) {
	if n < 1 || n > len(p.uids) {
		return event{}, fmt.Errorf("%d FETCH of %d", n, len(p.uids))
	}
	if found := uidItem.FindStringSubmatch(items); found != nil {
		if err := p.learn(n, number(found[1])); err != nil {
			return event{}, err
		}
	}
	if found := flagsItem.FindStringSubmatch(items); found != nil {
		p.flags[n-1] = flagsOf(strings.Fields(found[1]))
	}
	return event{kind: "FETCH", n: n, uid: p.uids[n-1], text: items}, nil
}

// learn takes in a message's UID: it never changes, ascends with the numbers
// and does not come back (RFC 9051, 2.3.1.1).
func (p *picture) learn(n int, uid uint32) error {
	switch known := p.uids[n-1]; {
	case known == uid:
		return nil
	case known != 0:
		return fmt.Errorf("message %d has the UID %d, and had %d", n, uid, known)
	case p.gone[uid]:
		return fmt.Errorf("message %d has the UID %d, of which an EXPUNGE was told", n, uid)
	}
	for i, other := range p.uids {
		if other != 0 && (other == uid || (i < n-1) != (other < uid)) {
			return fmt.Errorf("message %d has the UID %d, message %d has %d", n, uid, i+1, other)
		}
	}
	p.uids[n-1] = uid
	return nil
}

// forget is that the client stored flags silently.
func (p *picture) forget(uid uint32) {
	for i, u := range p.uids {
		if u == uid || u == 0 {
			p.flags[i] = unknownFlags
		}
	}
}

// forgetAll is forget for everything.
func (p *picture) forgetAll() {
	for i := range p.flags {
		p.flags[i] = unknownFlags
	}
}

// flagsOf spells a message's flags in one way, without \Recent: which session
// has that is not ours to know.
func flagsOf(words []string) string {
	words = slices.DeleteFunc(slices.Clone(words), func(w string) bool { return strings.EqualFold(w, `\Recent`) })
	slices.Sort(words)
	return strings.Join(words, " ")
}

// number reads what a regular expression found to be one.
func number(digits string) uint32 {
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil {
		return 0
	}
	return uint32(n)
}
