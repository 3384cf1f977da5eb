package imap

import (
	"strconv"
	"strings"
)

// storageUsed reads a QUOTA response (RFC 9208, 4.2.1): how much of STORAGE is
// used, in whole percent, -1 if it does not say.
func storageUsed(text []byte) int {
	line := string(text)
	from, to := strings.LastIndexByte(line, '('), strings.LastIndexByte(line, ')')
	if from < 0 || to < from {
		return -1
	}
	words := strings.Fields(line[from+1 : to])
	for ; len(words) >= 3; words = words[3:] {
		if !strings.EqualFold(words[0], "STORAGE") {
			continue
		}
		used, err := strconv.ParseUint(words[1], 10, 63)
		limit, failed := strconv.ParseUint(words[2], 10, 63)
		if err != nil || failed != nil || limit == 0 || used > 1<<50 || limit > 1<<50 {
			return -1
		}
		return int(min(used*100/limit, 1000))
	}
	return -1
}
