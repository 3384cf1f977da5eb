package policy

import "strings"

// enumerate writes a list as a sentence does: a, b and c.
func enumerate(words []string, last string) string {
	switch n := len(words); n {
	case 0:
		return ""
	case 1:
		return words[0]
	default:
		return strings.Join(words[:n-1], ", ") + " " + last + " " + words[n-1]
	}
}

// nearest is the word that somebody who wrote text most probably meant, or "".
func nearest(text string, words []string) string {
	found, least := "", 0
	for _, word := range words {
		d := distance(plain(text), plain(word))
		// One mistake in three characters still is the same word, up to three
		// mistakes; a word of one or two characters must be right.
		if word == "" || d > min(3, max(len(plain(text)), len(plain(word)))/3) {
			continue
		}
		if found == "" || d < least {
			found, least = word, d
		}
	}
	return found
}

// plain takes off what people write differently.
func plain(word string) string {
	return strings.ToLower(strings.TrimLeft(word, `\`))
}

// distance counts the characters to add, leave out or change to make one word
// of the other.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
