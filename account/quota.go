package account

import (
	"context"
	"strings"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

// Quota is how full the mailbox is, in whole percent rounded down: the fullest
// of the quotas of storage that hold for the INBOX (RFC 9208). It is -1 if the
// server does not say.
func (s *Session) Quota(ctx context.Context) (int, error) {
	used := -1
	err := s.run(ctx, func() error {
		if !s.caps.Has(imap.CapQuota) {
			return nil
		}
		roots, err := s.client.GetQuotaRoot(inbox).Wait()
		if err != nil && refused(err) == nil {
			return err
		}
		used = fullest(roots)
		return nil
	})
	return used, s.wrap("ask for the quota", err)
}

func fullest(roots []imapclient.QuotaData) int {
	most := -1
	for _, root := range roots {
		for name, r := range root.Resources {
			if strings.EqualFold(string(name), string(imap.QuotaResourceStorage)) {
				most = max(most, percent(r.Usage, r.Limit))
			}
		}
	}
	return most
}

// percent is the part of a limit that is used. A limit of nothing says nothing.
func percent(used, limit int64) int {
	const large = 1 << 50 // 100 times as much is still a number
	if limit <= 0 || used < 0 {
		return -1
	}
	for used > large {
		used, limit = used/2, limit/2
	}
	return int(used * 100 / max(limit, 1))
}
