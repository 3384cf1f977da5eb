package imap

import (
	"context"
	"strings"

	"mailguard/message"
	"mailguard/proxy/imap/command"
)

// passNamed passes on a command that names messages. Where the client does not
// see all of the folder its few words may have become a long set, which servers
// do not take in one line: then the command goes in pieces, and the client gets
// one answer. c is the call of each piece, not sent yet.
func (s *session) passNamed(ctx context.Context, cmd command.Command, c call) error {
	c.name = cmd.Name
	pieces := s.pieces(cmd.Args)
	if len(pieces) < 2 {
		return s.forward(ctx, cmd.Tag, &c, cmd.Args)
	}
	if err := s.drain(ctx); err != nil {
		return err
	}
	if cmd.Name == "COPY" {
		var err error
		if pieces, err = s.named(ctx, pieces); err != nil {
			return err
		}
		c.name = "UID COPY"
	}
	res, err := s.sayPieces(ctx, pieces, cmd, c)
	if err != nil {
		return err
	}
	return s.reply(cmd.Tag + " " + s.filterResult(res))
}

// pieces are a command's messages in sets that every server takes. Without
// anything hidden they are the client's own words, and stay in one.
func (s *session) pieces(args command.Args) []command.Messages {
	m, _ := command.MessagesOf(args)
	if !s.hides() {
		return []command.Messages{m}
	}
	return chunks(m)
}

// named are messages by their UIDs: the answer to a COPY may tell an EXPUNGE, and
// the numbers of the next piece would be other messages'.
func (s *session) named(ctx context.Context, pieces []command.Messages) ([]command.Messages, error) {
	var uids []message.UID
	for _, p := range pieces {
		found, err := s.fetch(ctx, p, locateItems, hasUID)
		if err != nil {
			return nil, err
		}
		uids = append(uids, uidsOf(placesOf(found))...)
	}
	return chunks(byUID(uids)), nil
}

// sayPieces runs a command piece by piece. The first that fails is the answer, and
// the end of a COPY: what was copied would be copied again. What COPYUID says of
// the pieces becomes one (RFC 4315, 3).
func (s *session) sayPieces(ctx context.Context, pieces []command.Messages, cmd command.Command, c call) (res result, err error) {
	var copied copyUID
	c.forClient = true
	res.word, res.text = "OK", "OK "+emptyText(cmd.Args)
	for _, p := range pieces {
		one := c
		last, err := s.sayCall(ctx, &one, withMessages(cmd.Args, p))
		if err != nil {
			return last, err
		}
		if res.ok() {
			res = last
		}
		if _, copies := cmd.Args.(command.Copy); copies && !last.ok() {
			break
		}
		copied.add(last)
	}
	if text, some := copied.code(); some && res.ok() {
		res = result{word: "OK", text: "OK [" + text + "] Copy completed"}
	}
	return res, nil
}

// copyUID is what several commands say of the copies that they made.
type copyUID struct {
	validity        string
	sources, copies []string
}

// add takes a command's response code.
func (c *copyUID) add(res result) {
	words := strings.Fields(res.arg)
	if res.code != "COPYUID" || len(words) != 3 {
		return
	}
	c.validity = words[0]
	c.sources, c.copies = append(c.sources, words[1]), append(c.copies, words[2])
}

// code is the response code for all of them.
func (c *copyUID) code() (text string, some bool) {
	return "COPYUID " + c.validity + " " + strings.Join(c.sources, ",") + " " + strings.Join(c.copies, ","), len(c.sources) > 0
}
