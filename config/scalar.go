package config

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// duration is a length of time as the file writes it: 90s, 15m, 36h, 30d, or
// several of them, the longest first: 1d12h. It is more than nothing.
type duration time.Duration

// size is a number of octets as the file writes it: 512KiB, 64MiB.
type size int64

// The units, the longest first.
var durationUnits = []unit{{"d", int64(24 * time.Hour)}, {"h", int64(time.Hour)}, {"m", int64(time.Minute)}, {"s", int64(time.Second)}}
var sizeUnits = []unit{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

type unit struct {
	name   string
	factor int64
}

// UnmarshalText reads a duration.
func (d *duration) UnmarshalText(text []byte) error {
	n, why := parseUnits(string(text), durationUnits)
	if why == "" && n == 0 {
		why = "it must be more than 0"
	}
	if why != "" {
		return &formError{"a duration such as 90s, 15m, 36h or 30d", why}
	}
	*d = duration(n)
	return nil
}

// UnmarshalText reads a size.
func (s *size) UnmarshalText(text []byte) error {
	n, why := parseUnits(string(text), sizeUnits)
	if why != "" {
		return &formError{"a size such as 512KiB or 64MiB", why}
	}
	*s = size(n)
	return nil
}

// formError says that a text does not have its type's form.
type formError struct {
	form string // what the value should be: "a duration such as 90s"
	why  string // what is wrong with this one
}

func (e *formError) Error() string { return "not " + e.form + ": " + e.why }

// headerList names headers of a message: none, or several with commas between.
type headerList struct{ from, subject bool }

// UnmarshalText reads the names of headers.
func (h *headerList) UnmarshalText(text []byte) error {
	*h = headerList{}
	if string(text) == "none" {
		return nil
	}
	for name := range strings.SplitSeq(string(text), ",") {
		var had *bool
		switch strings.TrimSpace(name) {
		case "from":
			had = &h.from
		case "subject":
			had = &h.subject
		default:
			return &formError{headerListForm, "nothing else is kept"}
		}
		if *had {
			return &formError{headerListForm, "one is written twice"}
		}
		*had = true
	}
	return nil
}

const headerListForm = "none, from, subject or from,subject"

// parseUnits adds up whole numbers with units that get smaller, and says what
// is wrong where it cannot.
func parseUnits(text string, units []unit) (sum int64, wrong string) {
	for first := true; first || text != ""; first = false {
		digits := len(text) - len(strings.TrimLeft(text, "0123456789"))
		if digits == 0 {
			return 0, "a whole number is missing"
		}
		n, err := strconv.ParseInt(text[:digits], 10, 64)
		text = text[digits:]
		at := unitOf(text, units)
		switch {
		case text == "":
			return 0, "the unit is missing"
		case at < 0:
			return 0, "this is no unit, or one that belongs before the others"
		case err != nil || n > (math.MaxInt64-sum)/units[at].factor:
			return 0, "it is too large"
		}
		sum += n * units[at].factor
		text, units = text[len(units[at].name):], units[at+1:]
	}
	return sum, ""
}

// unitOf returns the index of the unit that the text begins with, or -1.
func unitOf(text string, units []unit) int {
	for i, u := range units {
		if strings.HasPrefix(text, u.name) {
			return i
		}
	}
	return -1
}
