package config

import "time"

// ParseDuration reads a length of time as the file writes it (90s, 15m, 36h,
// 30d, 1d12h), so that the command line takes the same form.
func ParseDuration(text string) (time.Duration, error) {
	var d duration
	err := d.UnmarshalText([]byte(text))
	return time.Duration(d), err
}
