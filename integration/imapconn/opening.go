package imapconn

import (
	"fmt"
	"strconv"
	"strings"
)

// selecting says that a folder is being opened now: what comes belongs to it.
func (k *checker) selecting() bool {
	c := k.scanner.oldest()
	if k.scanner.lost { // nobody knows which one is being answered
		c = k.scanner.first("SELECT", "EXAMINE")
	}
	return c != nil && oneOf(c.name, "SELECT", "EXAMINE") || k.opening.begun
}

// code follows an untagged OK that may have a response code (RFC 9051, 7.1).
func (k *checker) code(text string) string {
	inner, _, ok := strings.Cut(strings.TrimPrefix(text, "["), "]")
	if !ok || !strings.HasPrefix(text, "[") {
		return ""
	}
	name, argument, _ := strings.Cut(inner, " ")
	switch strings.ToUpper(name) {
	case "CLOSED":
		if k.scanner.first("SELECT", "EXAMINE") != nil {
			k.opening = opening{begun: true}
		}
	case "UNSEEN":
		return k.numberOfCode("UNSEEN", argument, &k.opening.unseen)
	case "UIDNEXT":
		return k.numberOfCode("UIDNEXT", argument, &k.opening.next)
	case "COPYUID":
		return k.copied(k.scanner.first("MOVE", "UID MOVE"), argument)
	}
	return ""
}

func (k *checker) numberOfCode(name, argument string, to *int) string {
	n, err := number(argument)
	if err != nil {
		return fmt.Sprintf("%s is no number from 1 on: %q (RFC 9051, 7.1)", name, argument)
	}
	if k.selecting() {
		*to = n
	}
	return ""
}

// opened follows the reply to SELECT: a failed one leaves nothing selected (RFC
// 9051, 6.3.2). Whoever gets a good one knows the folder, and knows that the
// server has read the command, whatever was sent before it.
func (k *checker) opened(c *command, good bool) string {
	said := k.opening
	k.close()
	if !good {
		return ""
	}
	k.scanner.found(c)
	k.selected = true
	k.name, _ = value(c.arguments)
	k.folder = newFolder(said.messages)
	k.folder.next, k.folder.old = said.next, said.messages
	switch {
	case !said.flags:
		return c.name + " is OK without FLAGS (RFC 9051, 6.3.2)"
	case !said.exists:
		return c.name + " is OK without EXISTS (RFC 9051, 6.3.2)"
	case said.unseen > said.messages:
		return fmt.Sprintf("UNSEEN %d, and there are %d messages (RFC 3501, 7.1)", said.unseen, said.messages)
	}
	return ""
}

func (k *checker) close() {
	k.selected, k.name, k.folder, k.opening = false, "", newFolder(0), opening{}
}

// statusItems are those of RFC 9051, 6.3.11 and of extensions, and whether they
// count messages.
var statusItems = map[string]bool{
	"MESSAGES": true, "RECENT": true, "UNSEEN": true, "DELETED": true, "UIDNEXT": false, "UIDVALIDITY": false,
	"SIZE": false, "HIGHESTMODSEQ": false, "APPENDLIMIT": false, "MAILBOXID": false, "DELETED-STORAGE": false,
}

// status follows a STATUS response: well formed, no count larger than that of
// all messages, and UIDNEXT above what the client knows.
func (k *checker) status(arguments string) string {
	name, rest := value(arguments)
	items := values(rest)
	if c := k.scanner.first("STATUS", "LIST"); c != nil {
		c.results++
	}
	if name == "" || !strings.HasPrefix(rest, "(") || !strings.HasSuffix(rest, ")") || len(items)%2 != 0 {
		return "STATUS has no list of items with their values (RFC 9051, 7.3.4)"
	}
	numbers := make(map[string]uint64)
	for i := 0; i < len(items); i += 2 {
		item := strings.ToUpper(items[i])
		_, known := statusItems[item]
		n, err := strconv.ParseUint(items[i+1], 10, 63)
		noNumber := err != nil && item != "MAILBOXID" && (item != "APPENDLIMIT" || !oneOf(items[i+1], "NIL"))
		if _, twice := numbers[item]; !known || twice || noNumber {
			return fmt.Sprintf("STATUS has an item without sense: %s %s (RFC 9051, 7.3.4)", items[i], items[i+1])
		}
		numbers[item] = n
	}
	return k.statusNumbers(name, numbers)
}

func (k *checker) statusNumbers(name string, numbers map[string]uint64) string {
	all, told := numbers["MESSAGES"]
	for item, n := range numbers {
		if told && statusItems[item] && n > all {
			return fmt.Sprintf("STATUS: %d %s of %d messages", n, item, all)
		}
	}
	next, told := numbers["UIDNEXT"]
	if highest := k.folder.highest(); told && k.selected && unquoted(name) == unquoted(k.name) && next <= uint64(highest) {
		return fmt.Sprintf("UIDNEXT %d, and UID %d is known (RFC 9051, 2.3.1.1)", next, highest)
	}
	return ""
}

// unquoted is a folder's name for comparison. Of a literal it is nobody's.
func unquoted(name string) string {
	if strings.EqualFold(strings.Trim(name, `"`), "INBOX") {
		return "INBOX"
	}
	if strings.HasPrefix(name, `"`) {
		return strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(strings.Trim(name, `"`))
	}
	return name
}
