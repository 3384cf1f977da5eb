package imap

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"mailguard/proxy/imap/wire"
)

// parseResult reads what stands behind a tag. A word that is none of OK, NO
// and BAD gives the zero result.
func parseResult(line []byte) result {
	body := bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
	word, behind, _ := bytes.Cut(body, []byte(" "))
	res := result{word: strings.ToUpper(string(word)), text: strings.TrimRight(string(body), "\r")}
	if res.word != "OK" && res.word != "NO" && res.word != "BAD" {
		return result{}
	}
	name, arg, _ := wire.Code(behind)
	res.code, res.arg = strings.ToUpper(string(name)), string(arg)
	return res
}

// filterResult is the answer to a client's command: the upstream's, without
// what would lead the client past the guard.
func (s *session) filterResult(res result) string {
	switch {
	case res.code == "CAPABILITY":
		return res.word + " [CAPABILITY " + strings.Join(s.offer(strings.Fields(res.arg)), " ") + "] " + res.human()
	case hiddenCode(res.code), res.code == "HIGHESTMODSEQ" && s.guarding():
		return res.word + " " + res.human()
	}
	return res.text
}

// human is the text for people behind the code.
func (r result) human() string {
	_, behind, _ := strings.Cut(r.text, " ")
	_, _, rest := wire.Code([]byte(behind))
	if len(rest) == 0 {
		return "Done"
	}
	return string(rest)
}

// hiddenCode names response codes that would send a client somewhere else
// (RFC 2221, RFC 2193), past the guard.
func hiddenCode(code string) bool {
	return code == "REFERRAL" || code == "BADURL" || code == "URLMECH" || code == "NEWNAME"
}

// clean makes an upstream's or a client's text fit for a log and an answer.
func clean(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r == utf8.RuneError {
			return '?'
		}
		return r
	}, strings.TrimRight(s, "\r\n"))
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "")
	}
	return s
}
