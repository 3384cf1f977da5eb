package ledger

import (
	"errors"
	"strconv"
	"strings"
)

// Cursor is where the next page of a list begins: "" is the beginning. It is
// made by the list that it is for.
type Cursor string

// ErrCursor is the error of a cursor that no list has made.
var ErrCursor = errors.New("this is not where a page ends")

func newCursor(numbers ...int64) Cursor {
	text := make([]string, len(numbers))
	for i, n := range numbers {
		text[i] = strconv.FormatInt(n, 10)
	}
	return Cursor(strings.Join(text, "."))
}

func (c Cursor) numbers(want int) ([]int64, error) {
	parts := strings.Split(string(c), ".")
	if len(parts) != want {
		return nil, ErrCursor
	}
	all := make([]int64, want)
	for i, p := range parts {
		n, err := strconv.ParseInt(p, 10, 64)
		if err != nil {
			return nil, ErrCursor
		}
		all[i] = n
	}
	return all, nil
}

// conditions are what a list's rows have to meet.
type conditions struct {
	all  []string
	args []any
}

func (c *conditions) add(condition string, args ...any) {
	c.all, c.args = append(c.all, condition), append(c.args, args...)
}

func (c *conditions) addIf(wanted bool, condition string, arg any) {
	if wanted {
		c.add(condition, arg)
	}
}

func (c *conditions) where() string {
	if len(c.all) == 0 {
		return "true"
	}
	return strings.Join(c.all, " AND ")
}

// limited is the end of a query for a page of at most so many rows, 0 all.
func limited(limit int) string {
	if limit == 0 {
		return ""
	}
	return " LIMIT " + strconv.Itoa(limit)
}
