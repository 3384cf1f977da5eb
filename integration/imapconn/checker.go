package imapconn

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Violation is a response that breaks a rule of RFC 9051.
type Violation struct{ Rule, Response string }

func (v *Violation) Error() string { return fmt.Sprintf("%s: %.300q", v.Rule, v.Response) }

// checker follows a session from both sides and says which rule a response
// breaks. It is pure. It never stops following: a broken rule is told once.
type checker struct {
	scanner  scanner
	greeted  bool
	bye      bool
	selected bool
	exists   int // messages in the selected folder, as the client was told
}

// sent follows what the client sends.
func (k *checker) sent(raw string) { k.scanner.feed(raw) }

// received follows a response with its line end. It returns the broken rule,
// "" for none.
func (k *checker) received(response string) string {
	if rule := form(response); rule != "" {
		return rule
	}
	response = strings.TrimSuffix(response, "\r\n")
	first, rest, _ := strings.Cut(response, " ")
	if !k.greeted {
		return k.greeting(first, rest)
	}
	switch first {
	case "+":
		return k.continuation()
	case "*":
		return k.untagged(rest)
	}
	return k.tagged(first, rest)
}

func (k *checker) greeting(first, rest string) string {
	k.greeted = true
	word, _, _ := strings.Cut(rest, " ")
	if first != "*" || !oneOf(word, "OK", "PREAUTH", "BYE") {
		return "the greeting is OK, PREAUTH or BYE (RFC 9051, 7.1)"
	}
	k.bye = strings.EqualFold(word, "BYE")
	return ""
}

func (k *checker) continuation() string {
	if !k.scanner.continued() {
		return "a continuation that no command waits for (RFC 9051, 7.6)"
	}
	return ""
}

// tagged follows a reply: there is exactly one to each command.
func (k *checker) tagged(tag, rest string) string {
	c, ok := k.scanner.done(tag)
	if !ok {
		return "a tagged reply to no outstanding command, or a second one (RFC 9051, 2.2.2)"
	}
	good := isOK(rest)
	switch c.name {
	case "SELECT", "EXAMINE":
		k.selected = good // RFC 9051, 6.3.2: a failed one leaves nothing selected
	case "CLOSE", "UNSELECT":
		k.selected = k.selected && !good
	case "LOGOUT":
		if good && !k.bye {
			return "LOGOUT is OK without a BYE before (RFC 9051, 6.1.3)"
		}
		if left := k.scanner.tags(); good && left != "" {
			return "the session ends without a reply to " + left
		}
	}
	return ""
}

func (k *checker) untagged(rest string) string {
	word, arguments, _ := strings.Cut(rest, " ")
	if n, err := strconv.ParseUint(word, 10, 32); err == nil {
		name, data, _ := strings.Cut(arguments, " ")
		return k.numbered(int(n), strings.ToUpper(name), data)
	}
	switch strings.ToUpper(word) {
	case "BYE":
		k.bye = true
	case "SEARCH", "SORT":
		return k.numbers(strings.ToUpper(word), arguments)
	case "ESEARCH":
		return k.extendedSearch(arguments)
	case "VANISHED":
		return k.vanished(arguments)
	}
	return ""
}

func (k *checker) numbered(n int, name, _ string) string {
	switch name {
	case "EXISTS":
		return k.existing(n)
	case "EXPUNGE":
		if rule := k.mayExpunge(); rule != "" {
			return rule
		}
		if n < 1 || n > k.exists {
			return k.outOfRange(name)
		}
		k.exists--
	case "FETCH":
		if n < 1 || n > k.exists || !k.open() {
			return k.outOfRange(name)
		}
	case "RECENT":
		if !k.selecting() && n > k.exists {
			return k.outOfRange(name)
		}
	}
	return ""
}

func (k *checker) existing(n int) string {
	before := k.exists
	k.exists = n
	if !k.open() {
		return "EXISTS while no folder is selected (RFC 9051, 7.4.1)"
	}
	if n < before && !k.selecting() {
		return fmt.Sprintf("EXISTS shrinks from %d without EXPUNGE (RFC 9051, 7.5.1)", before)
	}
	return ""
}

// mayExpunge holds EXPUNGE to its times (RFC 9051, 7.5.1).
func (k *checker) mayExpunge() string {
	c, ok := k.scanner.oldest()
	if !ok {
		return "EXPUNGE while no command is in progress (RFC 9051, 7.5.1)"
	}
	if oneOf(c.name, "FETCH", "STORE", "SEARCH", "SORT", "THREAD") { // the last two: RFC 5256, 3
		return "EXPUNGE during " + c.name + " (RFC 9051, 7.5.1)"
	}
	if !k.open() {
		return "EXPUNGE while no folder is selected (RFC 9051, 7.5.1)"
	}
	return ""
}

// vanished is EXPUNGE by UIDs (RFC 7162, 3.2.10).
func (k *checker) vanished(arguments string) string {
	if strings.HasPrefix(strings.ToUpper(arguments), "(EARLIER) ") {
		return ""
	}
	if rule := k.mayExpunge(); rule != "" {
		return rule
	}
	size, err := setSize(arguments)
	if err != nil || size > k.exists {
		return k.outOfRange("VANISHED")
	}
	k.exists -= size
	return ""
}

// numbers checks what an old SEARCH or SORT found. With UID they are no
// message numbers; where both kinds are outstanding nobody can tell.
func (k *checker) numbers(name, arguments string) string {
	arguments, _, _ = strings.Cut(arguments, "(") // (MODSEQ n), RFC 7162, 3.1.5
	byUID := k.scanner.outstanding("UID " + name)
	for _, word := range strings.Fields(arguments) {
		n, err := strconv.ParseUint(word, 10, 32)
		if err != nil || n == 0 || !byUID && int(n) > k.exists {
			return k.outOfRange(name)
		}
	}
	return ""
}

// extendedSearch checks the tag of an ESEARCH response and its numbers (RFC 4731, 3.1).
func (k *checker) extendedSearch(arguments string) string {
	tag, rest, ok := strings.Cut(strings.TrimPrefix(arguments, `(TAG "`), `")`)
	if ok && !k.scanner.has(tag) {
		return "ESEARCH for no outstanding command (RFC 4731, 3.1)"
	}
	words := strings.Fields(rest)
	if !ok || len(words) > 0 && strings.EqualFold(words[0], "UID") {
		return ""
	}
	for i := 0; i+1 < len(words); i += 2 {
		if !oneOf(words[i], "MIN", "MAX", "ALL") {
			continue
		}
		largest, err := largestOf(words[i+1])
		if err != nil || largest > k.exists {
			return k.outOfRange("ESEARCH")
		}
	}
	return ""
}

func (k *checker) outOfRange(name string) string {
	if !k.open() {
		return name + " while no folder is selected"
	}
	return fmt.Sprintf("%s with a number out of range: there are %d messages", name, k.exists)
}

// selecting says that the folder may be changing right now.
func (k *checker) selecting() bool {
	return k.scanner.outstanding("SELECT") || k.scanner.outstanding("EXAMINE")
}

func (k *checker) open() bool { return k.selected || k.selecting() }

// ended makes the end of the connection an error of its own where commands
// were left without a reply and nobody said BYE.
func (k *checker) ended(err error, strict bool) error {
	left := k.scanner.tags()
	if !strict || left == "" || k.bye || !errors.Is(err, io.EOF) {
		return err
	}
	return fmt.Errorf("%w: no BYE, and no reply to %s", err, left)
}
