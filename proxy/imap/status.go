package imap

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"mailguard/guard"
	"mailguard/member"
	"mailguard/proxy/imap/command"
	"mailguard/proxy/imap/wire"
)

// handleStatus is STATUS (RFC 9051, 6.3.11). A member counts what it sees.
func (s *session) handleStatus(ctx context.Context, cmd command.Command) error {
	args := cmd.Args.(command.Status)
	if err := s.checkStatus(args.Items); err != nil {
		return err
	}
	t := s.resolve(args.Folder)
	if s.stanceTo(ctx, t) != guard.Protect {
		return s.passOn(ctx, cmd)
	}
	var counts guard.HiddenCounts
	var err error
	if !s.folder.is(t) || slices.Contains(args.Items, command.StatusSize) { // else the session knows it all
		counts, err = s.Guard.HiddenIn(ctx, s.visitorTo(t), t.folder)
	}
	c := &counting{hidden: func(target) guard.HiddenCounts { return counts }}
	if err == nil && s.folder.is(t) {
		err = s.countSelected(ctx, c, args.Items)
	}
	if err = fatal(err); err != nil {
		return err
	}
	if len(counts) == 0 && c.selected == nil { // if the ledger cannot be read everything is shown, as in SELECT
		return s.passOn(ctx, cmd)
	}
	args.Items = c.ask(args.Items)
	cmd.Args = args
	return s.countView(ctx, cmd, c)
}

// handleList is LIST, with STATUS perhaps (RFC 5819).
func (s *session) handleList(ctx context.Context, cmd command.Command) error {
	args := cmd.Args.(command.List)
	if args.Return == nil || len(args.Return.Status) == 0 {
		return s.passOn(ctx, cmd)
	}
	if err := s.checkStatus(args.Return.Status); err != nil {
		return err
	}
	if s.stance != guard.Protect && len(s.upstream.Namespaces) == 0 {
		return s.passOn(ctx, cmd)
	}
	c := &counting{hidden: s.hiddenEverywhere(ctx)}
	if s.folder.protects() {
		if err := fatal(s.countSelected(ctx, c, args.Return.Status)); err != nil {
			return err
		}
	}
	returns := *args.Return
	returns.Status = c.ask(returns.Status)
	args.Return = &returns
	cmd.Args = args
	return s.countView(ctx, cmd, c)
}

// hiddenEverywhere counts what is hidden in the folders of a listing, which are this
// mailbox's and those of others that namespaces lead to. Each mailbox is asked
// about once, when the first of its folders is told: the pump waits for the ledger
// meanwhile.
func (s *session) hiddenEverywhere(ctx context.Context) func(target) guard.HiddenCounts {
	known := make(map[member.Mailbox]map[string]guard.HiddenCounts)
	return func(t target) guard.HiddenCounts {
		counts, asked := known[t.mailbox]
		if !asked && t.mailbox != "" && s.stanceTo(ctx, t) == guard.Protect {
			counts, _ = s.Guard.HiddenEverywhere(ctx, s.visitorTo(t)) // if it cannot be read everything is shown, as in SELECT
		}
		known[t.mailbox] = counts
		return counts[t.folder]
	}
}

// checkStatus refuses what is not offered where policy can touch the mailbox:
// how many messages are marked is not the same for every member.
func (s *session) checkStatus(items []command.StatusItem) error {
	if s.stance == guard.Protect && (slices.Contains(items, command.StatusHighestModSeq) || slices.Contains(items, command.StatusDeleted)) {
		return Reply{Word: "BAD", Text: "This is not offered"}
	}
	return nil
}

// counting is a command under way whose STATUS responses are brought down to what
// this member sees.
type counting struct {
	hidden   func(target) guard.HiddenCounts
	added    bool // only the guard asked for UIDVALIDITY
	selected *guard.HiddenCount
}

// ask adds UIDVALIDITY, which says of which life of a folder the counts are.
func (c *counting) ask(items []command.StatusItem) []command.StatusItem {
	if slices.Contains(items, command.StatusUIDValidity) {
		return items
	}
	c.added = true
	return append(slices.Clone(items), command.StatusUIDValidity)
}

// countView runs a command with STATUS responses.
func (s *session) countView(ctx context.Context, cmd command.Command, c *counting) error {
	if err := s.drain(ctx); err != nil {
		return err
	}
	s.setCounting(c)
	res, err := s.sayForClient(ctx, cmd.Name, cmd.Args, nil)
	s.setCounting(nil)
	if err != nil {
		return err
	}
	return s.reply(cmd.Tag + " " + s.filterResult(res))
}

func (s *session) setCounting(c *counting) {
	s.out.Lock()
	defer s.out.Unlock()
	s.counting = c
}

// countSelected counts what is hidden in the selected folder: of that the session
// knows more than the ledger.
func (s *session) countSelected(ctx context.Context, c *counting, items []command.StatusItem) error {
	if !s.hides() {
		return nil
	}
	if err := s.drain(ctx); err != nil {
		return err
	}
	unseen := 0
	if slices.Contains(items, command.StatusUnseen) {
		var err error
		if unseen, err = s.unseenHidden(ctx); err != nil {
			return err
		}
	}
	f := s.folder
	var octets int64
	if slices.Contains(items, command.StatusSize) {
		octets = c.hidden(f.target).In(f.uidValidity).Octets
	}
	s.out.Lock()
	defer s.out.Unlock()
	c.selected = &guard.HiddenCount{UIDValidity: f.uidValidity, Messages: f.view.Len(), Unseen: unseen, Octets: octets}
	return nil
}

// status passes a STATUS response on with this member's counts. It runs in the
// pump.
func (s *session) status(r *response) error {
	if _, err := s.whole(r); err != nil {
		return err
	}
	seg, named := r.seg, r.text()
	var name string
	var err error
	if seg.Literal >= 0 {
		name, seg, err = s.literalName(seg)
		if err != nil || !seg.Last() {
			return err
		}
		named = seg.Text
	} else {
		name, named = cutName(named)
	}
	at := bytes.IndexByte(named, '(')
	if at < 0 {
		return s.pass(&response{seg: seg})
	}
	list := s.counting.rewrite(s.resolve(s.decodeName(name)), s.folder, parseCounts(named[at:]))
	return s.writeLine(string(seg.Text[:len(seg.Text)-len(named)+at]) + list)
}

// maxName is the longest name of a folder that may come as a literal, in octets.
const maxName = 8 << 10

// literalName passes the beginning of a response on up to a literal, which is a
// folder's name. It returns the name and what is behind it; what does not end the
// response has been passed on as well.
func (s *session) literalName(seg wire.Segment) (name string, behind wire.Segment, err error) {
	if seg.Literal > maxName {
		return "", seg, fmt.Errorf("%w: a folder's name of %d octets", wire.ErrNonsense, seg.Literal)
	}
	var b strings.Builder
	if _, err = s.out.Write(seg.Text); err == nil {
		err = s.copyLiteral(seg, &b)
	}
	if err == nil {
		_, err = s.out.WriteString(b.String())
	}
	if err == nil {
		behind, err = s.nextPiece()
	}
	if err == nil && !behind.Last() {
		err = s.copyRest(behind, &s.out)
	}
	return b.String(), behind, err
}

// cutName cuts a folder's name off the beginning of a text.
func cutName(text []byte) (name string, behind []byte) {
	if value, rest, quoted := cutQuoted(string(text)); quoted {
		return value, text[len(text)-len(rest):]
	}
	atom, rest, _ := bytes.Cut(text, []byte(" "))
	return string(atom), rest
}

// decodeName is a folder's name as the upstream writes it, in UTF-8.
func (s *session) decodeName(name string) string {
	if s.utf8 {
		return name
	}
	if decoded, err := wire.DecodeUTF7(name); err == nil {
		return decoded
	}
	return name
}

// statusCounts are the items of a STATUS response with their values, in its order.
type statusCounts []statusCount

type statusCount struct {
	item  command.StatusItem // in upper case
	value string
}

// parseCounts reads the list of a STATUS response, which is in brackets; some values
// are lists themselves (RFC 8474: MAILBOXID).
func parseCounts(list []byte) (counts statusCounts) {
	words := splitValues(strings.Trim(string(list), "\r\n"))
	for i := 0; i+1 < len(words); i += 2 {
		counts = append(counts, statusCount{command.StatusItem(strings.ToUpper(words[i])), words[i+1]})
	}
	return counts
}

// splitValues cuts a list in brackets into its words; what is in brackets within it
// is one.
func splitValues(list string) (words []string) {
	depth, start := 0, 0
	list = strings.TrimSuffix(strings.TrimPrefix(list, "("), ")")
	for i := 0; i <= len(list); i++ {
		switch {
		case i == len(list), list[i] == ' ' && depth == 0:
			if i > start {
				words = append(words, list[start:i])
			}
			start = i + 1
		case list[i] == '(':
			depth++
		case list[i] == ')':
			depth--
		}
	}
	return words
}

// value is that of an item, 0 if it is not there.
func (c statusCounts) value(item command.StatusItem) int64 {
	for _, one := range c {
		if one.item == item {
			return parseSize([]byte(one.value))
		}
	}
	return 0
}

// rewrite is the list of a STATUS response with what is hidden taken off.
func (c *counting) rewrite(t target, selected *folder, counts statusCounts) string {
	hidden := c.hidden(t).In(uint32(counts.value(command.StatusUIDValidity)))
	if c.selected != nil && selected.is(t) {
		hidden = *c.selected
	}
	most := int64(math.MaxInt64) // no count is above that of the messages
	if counts.has(command.StatusMessages) {
		most = max(counts.value(command.StatusMessages)-int64(hidden.Messages), 0)
	}
	less := map[command.StatusItem]int64{
		command.StatusMessages: int64(hidden.Messages), command.StatusUnseen: int64(hidden.Unseen), command.StatusSize: hidden.Octets,
	}
	var items []string
	for _, one := range counts {
		n := max(parseSize([]byte(one.value))-less[one.item], 0)
		switch one.item {
		case command.StatusUIDValidity:
			if c.added {
				continue
			}
		case command.StatusMessages, command.StatusSize:
			one.value = strconv.FormatInt(n, 10)
		case command.StatusUnseen, command.StatusRecent:
			one.value = strconv.FormatInt(min(n, most), 10)
		}
		items = append(items, string(one.item)+" "+one.value)
	}
	return "(" + strings.Join(items, " ") + ")"
}

func (c statusCounts) has(item command.StatusItem) bool {
	return slices.ContainsFunc(c, func(one statusCount) bool { return one.item == item })
}
