package config

import (
	"errors"
	"fmt"
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
	n, err := parseUnits(string(text), durationUnits)
	switch {
	case err != nil:
		return fmt.Errorf("is a duration such as 90s, 15m, 36h or 30d%w", err)
	case n == 0:
		return errors.New("is a duration of more than 0, such as 90s or 30d")
	}
	*d = duration(n)
	return nil
}

// UnmarshalText reads a size.
func (s *size) UnmarshalText(text []byte) error {
	n, err := parseUnits(string(text), sizeUnits)
	if err != nil {
		return fmt.Errorf("is a size such as 512KiB or 64MiB%w", err)
	}
	*s = size(n)
	return nil
}

// parseUnits adds up whole numbers with units that get smaller. Its errors
// continue a sentence.
func parseUnits(text string, units []unit) (int64, error) {
	var sum int64
	for first := true; first || text != ""; first = false {
		digits := len(text) - len(strings.TrimLeft(text, "0123456789"))
		n, err := strconv.ParseInt(text[:digits], 10, 64)
		if digits == 0 || text == "" {
			return 0, errors.New("")
		}
		if text = text[digits:]; text == "" {
			return 0, errors.New("; the unit is missing")
		}
		at := unitOf(text, units)
		if at < 0 {
			return 0, errors.New("")
		}
		if err != nil || n > (math.MaxInt64-sum)/units[at].factor {
			return 0, errors.New("; this one is too large")
		}
		sum += n * units[at].factor
		text, units = text[len(units[at].name):], units[at+1:]
	}
	return sum, nil
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
