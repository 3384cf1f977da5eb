package pop3

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"mailguard/guard"
	"mailguard/message"
)

// maxMessages bounds a maildrop: beyond it a listing is not held in memory.
const maxMessages = 1_000_000

// openMailbox decides how the session is run, and in a mailbox that policy can
// touch lists the maildrop and opens it in the ledger.
func (s *session) openMailbox(ctx context.Context) error {
	s.stance = s.Guard.Admit(ctx, s.visitor)
	if s.stance == guard.Relay {
		return nil
	}
	listing, err := s.server.listing()
	if err != nil {
		return err
	}
	if !identified(listing) {
		s.log.Warn().Msg("upstream has no UIDL: deletions are refused, since nothing can be remembered")
	}
	s.guarded, err = s.Guard.OpenMaildrop(ctx, s.visitor, s.stance, s.since, listing)
	if err != nil {
		return err
	}
	s.drop = newMaildrop(listing, s.guarded.Hidden())
	s.rulings = make(map[int]guard.Ruling)
	s.touched = make(map[int]bool)
	s.listed = make(map[int]bool)
	return nil
}

// passing reports whether commands pass to the upstream as they are.
func (s *session) passing() bool { return s.stance != guard.Protect }

// errListing is the error of a listing that makes no sense: a view built on
// it could show one message under another's name.
var errListing = errors.New("the upstream's listing makes no sense")

// listing reads the whole maildrop. A server without UIDL gives no unique-ids:
// everything can be read then, and nothing be deleted.
func (s *server) listing() ([]message.Listed, error) {
	var listing []message.Listed
	reply, err := s.list("LIST", func(line string) error {
		n, size, err := parseListing(line)
		if err == nil && n != len(listing)+1 || len(listing) >= maxMessages {
			err = fmt.Errorf("%w: %q comes behind %d messages", errListing, clean(line, 80), len(listing))
		}
		octets, convErr := strconv.ParseUint(size, 10, 62)             // no sign, and no sum overflows in practice
		listing = append(listing, message.Listed{Size: int64(octets)}) //nolint:gosec // 62 bits fit
		return errors.Join(err, convErr)
	})
	if err != nil {
		return nil, err
	}
	if !reply.OK {
		return nil, fmt.Errorf("upstream does not list the maildrop: %w", reply)
	}
	return listing, s.listUniqueIDs(listing)
}

func (s *server) listUniqueIDs(listing []message.Listed) error {
	count := 0
	reply, err := s.list("UIDL", func(line string) error {
		n, id, err := parseListing(line)
		if err != nil || n != count+1 || n > len(listing) {
			return errors.Join(err, fmt.Errorf("%w: UIDL %q comes behind %d of %d messages", errListing, clean(line, 80), count, len(listing)))
		}
		listing[count].UniqueID = message.UniqueID(id)
		count++
		return nil
	})
	switch {
	case err != nil:
		return err
	case !reply.OK:
		return nil
	case count != len(listing):
		return fmt.Errorf("%w: UIDL has %d messages, LIST %d", errListing, count, len(listing))
	}
	return nil
}

// identified reports whether the messages of a listing have unique-ids.
func identified(listing []message.Listed) bool {
	return len(listing) == 0 || listing[0].UniqueID != ""
}

// parseListing reads a line of LIST or UIDL: a number, a blank, the rest up to
// the next blank (RFC 1939, 5: a scan listing may have more behind it).
func parseListing(line string) (n int, rest string, err error) {
	number, rest, ok := strings.Cut(line, " ")
	n, valid := parseNumber(number)
	if !ok || !valid {
		return 0, "", fmt.Errorf("%w: %q", errListing, clean(line, 80))
	}
	rest, _, _ = strings.Cut(rest, " ")
	return n, rest, nil
}
