package imap

import (
	"context"
	"slices"
	"strings"

	"mailguard/message"
	"mailguard/proxy/imap/command"
	"mailguard/proxy/imap/view"
	"mailguard/proxy/imap/wire"
)

// handleIdle is IDLE (RFC 9051, 6.3.13). The upstream's own IDLE is the guard's:
// it is ended and begun again where the guard has to say something, and the
// client notices nothing.
func (s *session) handleIdle(ctx context.Context, cmd command.Command) error {
	if err := s.releaseNow(ctx); err != nil {
		return err
	}
	refused, err := s.beginIdle(ctx)
	if err != nil {
		return err
	}
	if refused != nil {
		return s.reply(cmd.Tag + " " + s.filterResult(*refused))
	}
	s.idling = cmd.Tag
	return s.reply("+ idling")
}

// beginIdle sends IDLE and waits until the upstream has taken it: Cyrus does not
// notice a DONE that comes before. It returns the answer of an upstream that
// refuses.
func (s *session) beginIdle(ctx context.Context) (refused *result, err error) {
	c := &call{
		name:      "IDLE",
		continued: make(chan struct{}, 1), ended: make(chan struct{}), done: make(chan result, 1),
	}
	if err := s.send(ctx, c, command.None{}); err != nil {
		return nil, err
	}
	idles, err := s.asked(ctx, c)
	if err != nil {
		return nil, err
	}
	if idles {
		s.flight.lasts(c)
		s.idle = c
		return nil, nil
	}
	res, err := s.answerTo(ctx, c)
	return &res, err
}

// endUpstreamIdle ends the upstream's IDLE.
func (s *session) endUpstreamIdle(ctx context.Context) (result, error) {
	c := s.idle
	s.idle = nil
	if _, err := s.server.conn.Write([]byte("DONE\r\n")); err != nil {
		return result{}, err
	}
	return s.answerTo(ctx, c)
}

// endIdle reads the line that ends the client's IDLE. Anything but DONE ends it
// too, and is not run.
func (s *session) endIdle(ctx context.Context) error {
	s.in.within(s.Limits.Command)
	line, syntaxErr := s.parser.Line(maxDone)
	s.in.between()
	if syntaxErr != nil && !isSyntax(syntaxErr) {
		return syntaxErr
	}
	s.turn.Lock()
	defer s.turn.Unlock()
	tag := s.idling
	s.idling = ""
	res := result{word: "OK", text: "OK Idle completed"}
	if s.idle != nil {
		var err error
		if res, err = s.endUpstreamIdle(ctx); err != nil {
			return s.answerError(tag, err)
		}
	}
	switch {
	case syntaxErr != nil:
		return s.answerError(tag, syntaxErr)
	case !strings.EqualFold(string(line), "DONE"):
		return s.answerError(tag, &wire.SyntaxError{Text: "Expected DONE"})
	}
	return s.reply(tag + " " + s.filterResult(res))
}

// maxDone is the longest line that ends an IDLE, in octets; a longer one is no
// DONE.
const maxDone = 1000

// notify is called when another session of this member has changed marks in the
// folder, or hidden messages. It does not wait.
func (s *session) notify() {
	if before := s.news.Swap(true); before && !s.watched.Load().Stale() {
		return
	}
	s.client.Wake()
	go s.tellNews(context.Background()) // it ends with the upstream's connection
}

// tellNews tells a client in IDLE what another session of this member has
// marked, unmarked or hidden. Others hear of them with their next command, see
// hearNews: the upstream may tell an EXPUNGE while the guard asks where messages
// stand, and with no command in progress that would change numbers which the
// client is just using (RFC 9051, 7.5.1).
func (s *session) tellNews(ctx context.Context) {
	s.turn.Lock()
	defer s.turn.Unlock()
	if s.awake && s.isSentAway(ctx) {
		return
	}
	if !s.awake || s.idling == "" || !s.news.Swap(false) || !s.folder.tracks() {
		return
	}
	wasIdle := s.idle != nil
	err := s.drain(ctx)
	if err == nil {
		err = s.showChanges(ctx)
	}
	if isReply(err) {
		s.log.Warn().Err(err).Msg("changes of another session could not be told")
		err = nil
	}
	if err == nil && wasIdle {
		var refused *result
		if refused, err = s.beginIdle(ctx); refused != nil {
			s.log.Warn().Str("answer", refused.text).Msg("the upstream does not idle any more")
		}
	}
	if err == nil {
		err = s.flush()
	}
	if err != nil {
		s.log.Warn().Err(err).Msg("changes of another session could not be told")
	}
}

// isSentAway ends a session whose folder the client has to open anew, since a
// message has come back to it: an open folder can only grow at its end. Clients
// connect again when they next need the folder (Thunderbird: with a click on it, or
// its next check); one that has selected another folder meanwhile is left alone. It reports whether the session has been ended so.
func (s *session) isSentAway(ctx context.Context) bool {
	if s.sentAway {
		return true
	}
	if !s.folder.tracks() || !s.folder.guarded.Stale() || s.drain(ctx) != nil {
		return false
	}
	s.sentAway = true
	s.out.Lock()
	_ = s.writeLine("* BYE A message has come back to this folder; please open it again")
	_ = s.out.Flush()
	s.saidBye = true
	s.out.Unlock()
	s.client.Interrupt()
	return true
}

// newsMoments are the commands during which the client may be told of anything,
// an EXPUNGE too.
var newsMoments = map[string]bool{
	"NOOP": true, "CHECK": true, "IDLE": true, "EXPUNGE": true, "UID EXPUNGE": true,
	"UID FETCH": true, "UID STORE": true, "UID COPY": true,
}

// hearNews tells the client what other sessions of its member have marked,
// unmarked or hidden, before a command of its own.
func (s *session) hearNews(ctx context.Context, name string) error {
	if !newsMoments[name] || !s.folder.tracks() || !s.news.Swap(false) {
		return nil
	}
	err := s.drain(ctx)
	if err == nil {
		err = s.showChanges(ctx)
	}
	if isReply(err) {
		s.log.Warn().Err(err).Msg("changes of another session could not be told")
		return nil
	}
	return err
}

// showChanges tells the client what other sessions of its member have hidden,
// brings the marks up to date and lets it see the flags of the messages
// concerned.
func (s *session) showChanges(ctx context.Context) error {
	err := s.hideOthers(ctx)
	var changed []message.UID
	if err == nil {
		changed, err = s.learnChanges(ctx)
	}
	if isReply(err) {
		s.news.Store(true) // once more, at the next moment
	}
	if err != nil {
		return err
	}
	return s.showFlags(ctx, byUID(changed))
}

// learnChanges brings the marks up to date. It returns the messages concerned.
func (s *session) learnChanges(ctx context.Context) ([]message.UID, error) {
	n := &s.folder.news
	n.changes(s.folder.guarded.Changes())
	marked, unmarked := n.marked, n.unmarked
	if len(marked)+len(unmarked) == 0 {
		return nil, nil
	}
	places, err := s.locate(ctx, marked)
	if err == nil && len(places) < len(marked) { // one that this session has not been told of
		if err = s.mustSay(ctx, "NOOP", command.None{}, nil); err == nil {
			places, err = s.locate(ctx, marked)
		}
	}
	if err != nil {
		return nil, err
	}
	s.changeMarks(places, unmarked)
	n.marked, n.unmarked = nil, nil
	return append(uidsOf(places), unmarked...), nil
}

// news is what other sessions of the member have done and this one has not taken
// over yet: it is kept until that has worked.
type news struct{ hidden, marked, unmarked []message.UID }

// changes adds changes of marks, of which the last counts.
func (n *news) changes(marked, unmarked []message.UID) {
	n.marked = append(without(n.marked, unmarked), marked...)
	n.unmarked = append(without(n.unmarked, marked), unmarked...)
}

func without(all, some []message.UID) []message.UID {
	return slices.DeleteFunc(all, func(u message.UID) bool { return slices.Contains(some, u) })
}

// showFlags has the upstream tell the flags of messages; they pass to the
// client with this member's marks.
func (s *session) showFlags(ctx context.Context, m command.Messages) error {
	for _, chunk := range chunks(m) {
		args := command.Fetch{Messages: chunk, Items: []command.FetchItem{{Name: command.FetchFlags}}}
		if _, err := s.say(ctx, fetchName(m.UID), args, nil); err != nil { // a message that is gone has no flags
			return err
		}
	}
	return nil
}

// changeMarks brings the session's marks up to date.
func (s *session) changeMarks(add []view.Place, remove []message.UID) {
	s.out.Lock()
	defer s.out.Unlock()
	s.folder.marks.Add(add...)
	s.folder.marks.Remove(wireUIDs(remove)...)
}
