package imapconn

import (
	"fmt"
	"strings"
)

// result notes that a response has come which only one of these commands can
// have asked for; it returns that command, nil for none. Of several it is the first
// that has no result yet: commands need not be carried out in their order
// (RFC 9051, 5.5), and an ESEARCH says which one it answers.
func (k *checker) result(name string) *command {
	c := k.scanner.first(name, "UID "+name)
	for _, other := range k.scanner.pending {
		if oneOf(other.name, name, "UID "+name) && other.results == 0 {
			c = other
			break
		}
	}
	if c != nil {
		c.results++
	}
	return c
}

// searched holds SEARCH, SORT and THREAD to their response (RFC 3501, 6.4.4; RFC
// 5256, 3). A result that is to be saved is not shown (RFC 9051, 6.4.4).
func (k *checker) searched(c *command) string {
	name := strings.TrimPrefix(c.name, "UID ")
	if c.results > 0 || !oneOf(name, "SEARCH", "SORT", "THREAD") || strings.Contains(strings.ToUpper(c.arguments), "SAVE") {
		return ""
	}
	return c.name + " is OK without a response"
}

// numbers checks what an old SEARCH or SORT found.
func (k *checker) numbers(name, arguments string) string {
	arguments, _, _ = strings.Cut(arguments, "(") // (MODSEQ n), RFC 7162, 3.1.5
	return k.found(name, strings.Fields(arguments))
}

// threads checks what THREAD found (RFC 5256, 4).
func (k *checker) threads(arguments string) string {
	inParentheses := strings.NewReplacer("(", " ", ")", " ")
	return k.found("THREAD", strings.Fields(inParentheses.Replace(arguments)))
}

// found checks message numbers, or UIDs where that was the question. Where both
// kinds are outstanding nobody can tell.
func (k *checker) found(name string, words []string) string {
	c := k.result(name)
	if c == nil {
		return name + " that nobody asked for"
	}
	mixed := k.scanner.first(name) != nil && k.scanner.first("UID "+name) != nil
	seen := make(map[int]bool)
	for _, word := range words {
		n, err := number(word)
		if err != nil || !mixed && !c.isUID() && n > k.folder.exists {
			return k.outOfRange(name)
		}
		if _, gone := k.folder.gone[n]; gone && !mixed && c.isUID() {
			return fmt.Sprintf("UID %d was reported as expunged, and %s finds it", n, name)
		}
		if seen[n] {
			return fmt.Sprintf("%s finds %d twice", name, n)
		}
		seen[n] = true
	}
	return ""
}

// extendedSearch checks an ESEARCH response (RFC 4731, 3.1): its tag, its
// numbers, and whether they go with each other.
func (k *checker) extendedSearch(arguments string) string {
	tag, rest, ok := strings.Cut(strings.TrimPrefix(arguments, `(TAG "`), `")`)
	c := k.scanner.byTag(tag)
	if ok && c == nil {
		return "ESEARCH for no outstanding command (RFC 4731, 3.1)"
	}
	if !ok {
		return ""
	}
	c.results++
	items := values(strings.TrimPrefix(rest, " "))
	byUID := len(items) > 0 && strings.EqualFold(items[0], "UID")
	if byUID {
		items = items[1:]
	}
	if byUID != c.isUID() {
		return "ESEARCH has UID exactly if it was UID " + strings.TrimPrefix(c.name, "UID ") + " (RFC 4731, 3.1)"
	}
	if len(items)%2 != 0 {
		return "an ESEARCH item without a value (RFC 4731, 4)"
	}
	return k.extendedItems(items, byUID, strings.HasSuffix(c.name, "SORT"))
}

func (k *checker) extendedItems(items []string, byUID, sorted bool) string {
	var e extended
	for i := 0; i < len(items); i += 2 {
		if err := e.read(strings.ToUpper(items[i]), items[i+1]); err != nil {
			return k.outOfRange("ESEARCH")
		}
	}
	if !byUID && max(e.min, e.max, e.last) > k.folder.exists || e.counted && e.count > k.folder.exists {
		return k.outOfRange("ESEARCH")
	}
	if byUID {
		for _, set := range []string{e.all, fmt.Sprint(e.min), fmt.Sprint(e.max)} {
			if uid := k.folder.goneIn(set, k.heard); uid > 0 {
				return fmt.Sprintf("UID %d was reported as expunged, and ESEARCH finds it", uid)
			}
		}
	}
	return e.agree(sorted)
}

// extended is what one ESEARCH response says; 0 and "" for nothing.
type extended struct {
	min, max    int
	all         string
	first, last int // of all
	size        int // of all
	counted     bool
	count       int
}

func (e *extended) read(item, value string) (err error) {
	switch item {
	case "MIN":
		e.min, err = number(value)
	case "MAX":
		e.max, err = number(value)
	case "COUNT":
		e.counted = true
		if value != "0" {
			e.count, err = number(value)
		}
	case "ALL":
		e.all = value
		e.size, err = setSize(value)
		if err == nil {
			e.first, e.last, err = bounds(value)
		}
	}
	return err
}

// agree compares what one response says with itself. In the answer to a SORT the
// first and the last are those of the order (RFC 5267, 3).
func (e *extended) agree(sorted bool) string {
	switch {
	case !sorted && e.min > 0 && e.max > 0 && e.min > e.max:
		return "ESEARCH: MIN is above MAX (RFC 4731, 3.1)"
	case !sorted && e.all != "" && (e.min > 0 && e.min != e.first || e.max > 0 && e.max != e.last):
		return "ESEARCH: MIN and MAX are not those of ALL (RFC 4731, 3.1)"
	case e.counted && e.all != "" && e.count != e.size:
		return "ESEARCH: COUNT is not the size of ALL (RFC 4731, 3.1)"
	case e.counted && e.count == 0 && e.min+e.max > 0:
		return "ESEARCH: MIN or MAX of nothing (RFC 4731, 3.1)"
	case e.counted && e.count == 1 && e.min > 0 && e.max > 0 && e.min != e.max:
		return "ESEARCH: one message is the first and the last (RFC 4731, 3.1)"
	}
	return ""
}
