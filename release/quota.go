package release

import "context"

// quotaAtOnce is how many messages are released at most before it is asked again
// how full the mailbox is, where a rule rests on it: else one that is a little too
// full would be emptied.
const quotaAtOnce = 10

// quota has it noted how full the mailbox is, where a rule asks for it, and
// returns how many messages the pass may release.
func (p *pass) quota(ctx context.Context) (limit int, err error) {
	if !p.Policy.Asks("mailbox.quota_used") {
		return atOnce, nil
	}
	used, err := p.remover.Quota(ctx)
	if err != nil {
		return 0, err
	}
	return quotaAtOnce, p.Ledger.NoteQuota(ctx, p.mailbox, used, p.Now())
}
