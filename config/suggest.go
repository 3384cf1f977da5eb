package config

import (
	"fmt"
	"strings"
)

// alternatives returns "a, b or c".
func alternatives(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// nearest returns the word that was probably meant, or "".
func nearest(written string, words []string) string {
	best, distance := "", len(written)/3+2
	for _, w := range words {
		if d := edits(strings.ToLower(written), w); d < distance {
			best, distance = w, d
		}
	}
	return best
}

// edits counts the letters to add, drop, change or swap with their neighbour
// to get from a to b.
func edits(a, b string) int {
	var before []int // the row of two letters ago
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next := make([]int, len(b)+1)
		next[0] = i
		for j := 1; j <= len(b); j++ {
			change := row[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			next[j] = min(change, row[j]+1, next[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}

// quote returns a value as a message shows it. Long ones are cut: they are
// rarely what the message is about.
func quote(value string) string {
	const most = 60
	if runes := []rune(value); len(runes) > most {
		value = string(runes[:most-3]) + "..."
	}
	return fmt.Sprintf("%q", value)
}
