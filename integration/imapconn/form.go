package imapconn

import (
	"regexp"
	"strings"
)

// dataNames are the untagged responses which RFC 9051 and its extensions know,
// beside those with a number.
const dataNames = " ACL CAPABILITY COMPARATOR ENABLED ESEARCH FLAGS GENURLAUTH ID LANGUAGE LIST LISTRIGHTS LSUB METADATA" +
	" MYRIGHTS NAMESPACE QUOTA QUOTAROOT SEARCH SORT STATUS THREAD URLFETCH VANISHED XLIST "

var (
	tagged   = regexp.MustCompile(`^[!#-&',-Z^-z|}~\[]+ (?i:OK|NO|BAD) `)
	numbered = regexp.MustCompile(`^\* \d{1,10} (?i:(EXISTS|RECENT|EXPUNGE)$|FETCH \()`)
	named    = regexp.MustCompile(`^\* ([A-Za-z]+)( |$)`)
	text     = regexp.MustCompile(`^(\* (?i:OK|NO|BAD|BYE|PREAUTH) |\+ )`)
)

// form says which rule of RFC 9051, 9 the form of a response breaks: one of
// tagged, untagged, continuation; literals, strings and parentheses closed.
func form(response string) string {
	line, ok := strings.CutSuffix(response, "\r\n")
	if !ok {
		return "a line that does not end in CRLF (RFC 9051, 2.2)"
	}
	if strings.HasPrefix(line, "* ") && !text.MatchString(line) {
		return formOfData(line)
	}
	if strings.ContainsAny(line, "\r\n\x00") {
		return "CR, LF or NUL in a line (RFC 9051, 9)"
	}
	after := tagged.FindString(line) + text.FindString(line)
	if after == "" {
		return "neither tagged nor untagged nor a continuation (RFC 9051, 2.2.2)"
	}
	if rest := line[len(after):]; strings.HasPrefix(rest, "[") && !strings.Contains(rest, "]") {
		return "a response code that does not end (RFC 9051, 7.1)"
	}
	return ""
}

func formOfData(line string) string {
	if found := named.FindStringSubmatch(line); found != nil {
		if !strings.Contains(dataNames, " "+strings.ToUpper(found[1])+" ") {
			return "an untagged response that no RFC knows"
		}
	} else if !numbered.MatchString(line) {
		return "an untagged response of no known form (RFC 9051, 7)"
	}
	return nesting(line)
}

// nesting walks over strings, literals and parentheses.
func nesting(line string) string {
	depth := 0
	for i := 0; i < len(line); i++ {
		switch line[i] {
		case '(':
			depth++
		case ')':
			if depth--; depth < 0 {
				return "a parenthesis too many"
			}
		case '"':
			size := quotedSize(line[i:])
			if size == 0 {
				return "a quoted string that does not end, or with CR, LF or NUL in it (RFC 9051, 4.3)"
			}
			i += size - 1
		case '{':
			i += max(literalSize(line[i:])-1, 0)
		case '\r', '\n', 0:
			return "CR, LF or NUL outside a literal (RFC 9051, 9)"
		}
	}
	if depth != 0 {
		return "a parenthesis that does not end"
	}
	return ""
}

// quotedSize is the length of the quoted string at the front, 0 where it does
// not end.
func quotedSize(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		case '\r', '\n', 0:
			return 0
		}
	}
	return 0
}
