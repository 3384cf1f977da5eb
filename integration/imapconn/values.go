package imapconn

import (
	"fmt"
	"strconv"
	"strings"
)

// value cuts an IMAP value off the front: a string, a literal, a list, or a
// word, which may have a section in brackets. Of what has no form all is the
// value.
func value(s string) (value, rest string) {
	depth, brackets := 0, 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '(':
			depth++
		case ')':
			if depth--; depth < 0 {
				return s[:i], s[i:]
			}
		case '[':
			brackets++
		case ']':
			brackets--
		case '"':
			i += max(quotedSize(s[i:])-1, 0)
		case '{':
			i += max(literalSize(s[i:])-1, 0)
		case ' ':
			if depth == 0 && brackets <= 0 {
				return s[:i], s[i+1:]
			}
		}
	}
	return s, ""
}

// literalSize is the length of the literal at the front with its announcement,
// 0 where there is none.
func literalSize(s string) int {
	found := inCommand.FindStringSubmatchIndex(s)
	if found == nil || found[0] != 0 {
		return 0
	}
	size, _ := strconv.Atoi(s[found[2]:found[3]]) // nine digits at most
	return min(found[1]+size, len(s))
}

// values are those of a list in parentheses, or of a row without them.
func values(list string) []string {
	if inner, ok := strings.CutPrefix(list, "("); ok {
		list = strings.TrimSuffix(inner, ")")
	}
	var all []string
	for list != "" {
		var v string
		before := list
		if v, list = value(list); len(list) == len(before) {
			break // a parenthesis too many
		}
		all = append(all, v)
	}
	return all
}

// setSize counts the numbers in a set without "*".
func setSize(set string) (int, error) {
	size := 0
	err := eachRange(set, func(low, high int) { size += high - low + 1 })
	return size, err
}

// bounds are the smallest and the largest number of a set.
func bounds(set string) (smallest, largest int, err error) {
	err = eachRange(set, func(low, high int) {
		if smallest == 0 || low < smallest {
			smallest = low
		}
		largest = max(largest, high)
	})
	return smallest, largest, err
}

// covers reports whether a set as a client writes it has a number, where
// "*" may stand in it. Of what is no set the answer is false.
func covers(set string, number int) bool {
	found := false
	_ = eachRange(strings.ReplaceAll(set, "*", "4294967295"), func(low, high int) {
		found = found || low <= number && number <= high
	})
	return found
}

func eachRange(set string, do func(low, high int)) error {
	for part := range strings.SplitSeq(set, ",") {
		first, second, isRange := strings.Cut(part, ":")
		low, err := number(first)
		high := low
		if isRange && err == nil {
			high, err = number(second)
		}
		if err != nil {
			return fmt.Errorf("%q is no set", set)
		}
		do(min(low, high), max(low, high))
	}
	return nil
}

// number reads an nz-number (RFC 9051, 9).
func number(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%q is no number", s)
	}
	return int(n), nil
}

func oneOf(word string, words ...string) bool {
	for _, w := range words {
		if strings.EqualFold(word, w) {
			return true
		}
	}
	return false
}
