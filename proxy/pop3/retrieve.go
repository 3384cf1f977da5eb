package pop3

import (
	"context"
	"strconv"
)

func (s *session) handleStat(context.Context, Command) error {
	count, octets := s.drop.stat()
	return s.ok("%d %d", count, octets)
}

func (s *session) handleList(_ context.Context, cmd Command) error {
	return s.listing(cmd, func(place int) string { return strconv.FormatInt(s.drop.listing[place].Size, 10) })
}

func (s *session) handleUIDL(_ context.Context, cmd Command) error {
	if l := s.drop.listing; len(l) > 0 && l[0].UniqueID == "" {
		return Reply{Text: "The mail server has no unique-ids"}
	}
	return s.listing(cmd, func(place int) string { return string(s.drop.listing[place].UniqueID) })
}

// listing answers LIST and UIDL, with and without a number.
func (s *session) listing(cmd Command, value func(place int) string) error {
	if cmd.Number != 0 {
		place, ok := s.drop.place(cmd.Number)
		if !ok {
			return replyNoMessage
		}
		s.listed[place] = true
		return s.ok("%d %s", cmd.Number, value(place))
	}
	count, octets := s.drop.stat()
	if err := s.ok("%d messages (%d octets)", count, octets); err != nil {
		return err
	}
	s.all = true
	w := s.client.Writer()
	var line []byte
	s.drop.each(func(n, place int) {
		line = append(strconv.AppendInt(line[:0], int64(n), 10), ' ')
		line = append(append(line, value(place)...), "\r\n"...)
		_, _ = w.Write(line) // the writer keeps its first error
	})
	_, err := w.WriteString(".\r\n")
	return err
}

// handleRetrieve is RETR and TOP.
func (s *session) handleRetrieve(_ context.Context, cmd Command) error {
	place, ok := s.drop.place(cmd.Number)
	if !ok {
		return replyNoMessage
	}
	cmd.Number = place + 1
	return s.retrieve(cmd, place)
}

// retrieve fetches a message from the upstream, which knows it under the
// command's number, and notes it as fetched if it came whole: by RETR, or by a
// TOP that asked for more lines than there are.
func (s *session) retrieve(cmd Command, place int) error {
	reply, err := s.server.command(cmd.String())
	if err != nil {
		return err
	}
	if !reply.OK {
		s.touched[place] = true // who wanted it and did not get it has not left it alone
		return reply
	}
	top := cmd.Verb == "TOP"
	seen := newObserver(top)
	if err := s.relayLines(reply, seen); err != nil {
		return err
	}
	if top && seen.bodyLines() >= cmd.Lines {
		return nil
	}
	s.counts.retrieved++
	s.touched[place] = true
	s.fetches.add(fetch{place: place, fingerprint: seen.fingerprint()})
	return nil
}

// relayLines passes a multi-line answer on to the client.
func (s *session) relayLines(reply Reply, seen *observer) error {
	if err := s.reply(reply); err != nil {
		return err
	}
	s.midAnswer = true
	err := s.server.copyLines(s.client.Writer(), seen)
	s.midAnswer = err != nil
	return err
}
