package servers

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// Messages returns what is really in the user's INBOX, by UID: what Cyrus'
// index file lists as not expunged, and what has its file in the spool. One
// without the other is an error.
func (c *Cyrus) Messages(user string) ([]Message, error) {
	// mbexamine prints the index file of a folder. It takes the lock that
	// imapd takes, too, and so sees no half of a change.
	listing, err := c.root.run(nil, cyrusBin+"mbexamine", "-C", "/etc/imapd.conf", "user/"+user)
	if err != nil {
		return nil, fmt.Errorf("messages of %s: %w", user, err)
	}
	folder, messages, err := parseIndex(listing)
	if err != nil {
		return nil, fmt.Errorf("messages of %s: %w", user, err)
	}
	for i, m := range messages {
		messages[i].Path = c.root.path(fmt.Sprintf("%s/%d.", folder, m.UID))
		if _, err := os.Stat(messages[i].Path); err != nil {
			return nil, fmt.Errorf("messages of %s: UID %d is in the index and its file is not there: %w", user, m.UID, err)
		}
	}
	return messages, nil
}

var (
	indexFolder = regexp.MustCompile(`(?m)^  Path to mailbox: (/\S+)$`)
	indexCount  = regexp.MustCompile(`(?m)^  Number of Messages: (\d+) `)
	indexRecord = regexp.MustCompile(`(?m)^\d+> UID:(\d+) `)
	indexFlags  = regexp.MustCompile(`(?m)^ +> INTERNALFLAGS:(.*)> SYSTEMFLAGS:(.*)$`)
)

// parseIndex reads what mbexamine prints: the folder's directory, and the
// messages that are not expunged, without their paths.
func parseIndex(listing string) (folder string, messages []Message, err error) {
	path, count := indexFolder.FindStringSubmatch(listing), indexCount.FindStringSubmatch(listing)
	records, flags := indexRecord.FindAllStringSubmatch(listing, -1), indexFlags.FindAllStringSubmatch(listing, -1)
	if path == nil || count == nil || len(records) != len(flags) {
		return "", nil, fmt.Errorf("mbexamine prints something unknown:\n%s", listing)
	}
	for i, record := range records {
		uid, err := strconv.ParseUint(record[1], 10, 32)
		if err != nil {
			return "", nil, fmt.Errorf("mbexamine's UID %q: %w", record[1], err)
		}
		if strings.Contains(flags[i][1], "EXPUNGED") {
			continue
		}
		messages = append(messages, Message{UID: uint32(uid), Deleted: strings.Contains(flags[i][2], "FLAG_DELETED")})
	}
	if count[1] != strconv.Itoa(len(messages)) {
		return "", nil, fmt.Errorf("mbexamine counts %s messages and lists %d", count[1], len(messages))
	}
	return path[1], messages, nil
}
