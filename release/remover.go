package release

import (
	"context"

	"mailguard/message"
)

// Remover looks at messages of one folder and removes them, on a connection on
// which the folder is open. A session of a member's is one, and the service
// account's. It is used by one goroutine at a time.
type Remover interface {
	// Look reads messages, with their fingerprints if headers is set. What is not
	// there is left out of the answer; the error says that nobody knows.
	Look(ctx context.Context, uids []message.UID, headers bool) ([]message.Found, error)
	// Remove removes exactly these messages. Whether it returns an error or not,
	// only Look tells what became of them.
	Remove(ctx context.Context, uids []message.UID) error
	// Unmark takes \Deleted off messages whose removal did not happen: somebody
	// else's EXPUNGE would take them.
	Unmark(ctx context.Context, uids []message.UID) error
	// Quota is how full the mailbox is, in whole percent, -1 if that cannot be
	// told.
	Quota(ctx context.Context) (int, error)
}
