package imapconn

import (
	"fmt"
	"slices"
	"strings"
)

// mostWanted bounds the sets that are followed one message after the other.
const mostWanted = 1000

// want notes which messages a FETCH has to show: those which the client knows,
// where nothing is in flight that could change their numbers.
func (k *checker) want(c *command) {
	if !k.selected || len(k.scanner.pending) > 1 || !oneOf(c.name, "FETCH", "UID FETCH") || strings.Contains(strings.ToUpper(c.arguments), "CHANGEDSINCE") {
		return
	}
	set, _, _ := strings.Cut(c.arguments, " ")
	if c.isUID() {
		for _, m := range k.folder.known {
			if len(c.wanted) < mostWanted && covers(set, m.uid) {
				c.wanted = append(c.wanted, m.uid)
			}
		}
		return
	}
	_ = eachRange(set, func(low, high int) { // of what is no set nothing is wanted
		for n := low; n <= high && n <= k.folder.exists && len(c.wanted) < mostWanted; n++ {
			c.wanted = append(c.wanted, n)
		}
	})
}

// fetched follows a FETCH response for a message that is there.
func (k *checker) fetched(n int, data string) string {
	uid, onlyFlags := 0, true
	items := values(data)
	for i := 0; i+1 < len(items); i += 2 {
		switch strings.ToUpper(items[i]) {
		case "UID":
			var err error
			if uid, err = number(items[i+1]); err != nil {
				return "a UID that is none (RFC 9051, 2.3.1.1)"
			}
		case "FLAGS", "MODSEQ":
		default:
			onlyFlags = false
		}
	}
	if len(items)%2 != 0 {
		return "a FETCH item without a value (RFC 9051, 7.5.2)"
	}
	if uid > 0 {
		if rule := k.folder.learn(n, uid); rule != "" {
			return rule
		}
	}
	return k.asked(n, uid, onlyFlags)
}

// asked says whether a FETCH response goes with the command that is in
// progress.
func (k *checker) asked(n, uid int, onlyFlags bool) string {
	if k.folder.missing[n] {
		delete(k.folder.missing, n)
		return fmt.Sprintf("a FETCH was OK without message %d, which is there (RFC 9051, 6.4.5)", n)
	}
	c := k.scanner.oldest()
	if c == nil {
		return ""
	}
	known := k.folder.uid(n)
	shown := n
	if c.isUID() {
		shown = known
	}
	c.wanted = slices.DeleteFunc(c.wanted, func(w int) bool { return w == shown })
	if uid > 0 || !oneOf(c.name, "UID FETCH", "UID STORE") || onlyFlags { // flags may be news from elsewhere
		return ""
	}
	return "a FETCH response without UID during " + c.name + " (RFC 9051, 6.4.9)"
}

// answered follows an OK. What a command asked for must have come.
func (k *checker) answered(c *command, rest string) string {
	switch c.name {
	case "FETCH", "UID FETCH":
		k.miss(c)
	case "NOOP", "CHECK": // now everything is told that has been expunged
		for n := range k.folder.missing {
			delete(k.folder.missing, n)
			return fmt.Sprintf("a FETCH was OK without message %d, which is there after %s (RFC 9051, 6.4.5)", n, c.name)
		}
	case "STATUS":
		if c.results == 0 {
			return "STATUS is OK without a response (RFC 9051, 6.3.11)"
		}
	case "COPY", "UID COPY":
		code, ok := strings.CutPrefix(strings.ToUpper(rest), "OK [COPYUID ")
		if code, _, _ = strings.Cut(code, "]"); ok {
			return k.copied(c, code)
		}
	}
	return k.searched(c)
}

// miss notes messages that were not shown. Somebody may have expunged them;
// if not, that is a violation, and one learns of it later.
func (k *checker) miss(c *command) {
	for _, n := range c.wanted {
		if c.isUID() {
			n = k.folder.number(n)
		}
		if n > 0 && n <= k.folder.exists {
			k.folder.missing[n] = true
		}
	}
}

// copied follows COPYUID (RFC 9051, 7.1): as many sources as copies, none of
// them gone before the command.
func (k *checker) copied(c *command, argument string) string {
	parts := strings.Fields(argument)
	if len(parts) != 3 {
		return "COPYUID has three arguments (RFC 9051, 7.1)"
	}
	from, errFrom := setSize(parts[1])
	to, errTo := setSize(parts[2])
	if errFrom != nil || errTo != nil || from != to {
		return "COPYUID has as many UIDs of copies as of sources (RFC 9051, 7.1)"
	}
	if c == nil {
		return ""
	}
	if uid := k.folder.goneIn(parts[1], c.begun+1); uid > 0 {
		return fmt.Sprintf("UID %d was reported as expunged, and COPYUID has it", uid)
	}
	return ""
}
