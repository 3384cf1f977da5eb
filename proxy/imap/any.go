package imap

import (
	"context"
	"slices"
	"strings"

	"mailguard/proxy/imap/command"
)

// handleCapability is CAPABILITY (RFC 9051, 6.1.1).
func (s *session) handleCapability(ctx context.Context, cmd command.Command) error {
	if s.state != notAuthenticated {
		return s.passOn(ctx, cmd) // the pump filters the answer
	}
	if err := s.reply("* CAPABILITY " + strings.Join(s.beforeLogin(ctx), " ")); err != nil {
		return err
	}
	return s.reply(cmd.Tag + " OK Capability completed")
}

// handleNoop is NOOP (RFC 9051, 6.1.2).
func (s *session) handleNoop(ctx context.Context, cmd command.Command) error {
	if s.state == notAuthenticated {
		return s.reply(cmd.Tag + " OK Noop completed")
	}
	if err := s.releaseNow(ctx); err != nil {
		return err
	}
	return s.passOn(ctx, cmd)
}

// handleLogout is LOGOUT (RFC 9051, 6.1.3), which deletes nothing.
func (s *session) handleLogout(ctx context.Context, cmd command.Command) error {
	s.counts.logout = true
	s.ending.Store(true)
	if s.state != notAuthenticated {
		var res result
		err := s.lookOnce(ctx)
		if err == nil {
			err = s.release(ctx)
		}
		if err == nil {
			res, err = s.say(ctx, "LOGOUT", command.None{}, nil) // its BYE passes
		}
		if err == nil {
			_ = s.reply(cmd.Tag + " " + s.filterResult(res))
			return errEnd
		}
	}
	_ = s.reply("* BYE Logging out")
	_ = s.reply(cmd.Tag + " OK Logout completed")
	return errEnd
}

// handleID is ID (RFC 2971). What the client says of itself is kept; its words
// for the upstream go without those that servers believe a proxy.
func (s *session) handleID(ctx context.Context, cmd command.Command) error {
	args := cmd.Args.(command.ID)
	args.Pairs = slices.DeleteFunc(slices.Clone(args.Pairs), func(p command.IDPair) bool {
		return strings.HasPrefix(strings.ToLower(p.Key), "x-")
	})
	s.clientName = clientName(args)
	s.visitor.Client = s.clientName
	if s.state != notAuthenticated {
		cmd.Args = args
		return s.passOn(ctx, cmd)
	}
	if err := s.reply(`* ID ("name" "mailguard")`); err != nil {
		return err
	}
	return s.reply(cmd.Tag + " OK ID completed")
}

// clientName is name and version, as the log and the ledger keep them.
func clientName(id command.ID) string {
	var words []string
	for _, key := range []string{"name", "version"} {
		for _, p := range id.Pairs {
			if strings.EqualFold(p.Key, key) && p.Value != "" {
				words = append(words, p.Value)
			}
		}
	}
	return clean(strings.Join(words, " "), 100)
}

// handleSTARTTLS is STARTTLS (RFC 9051, 6.2.1). If anything lies behind the
// command, it was put there by a stranger: nothing is answered, and the
// connection is closed.
func (s *session) handleSTARTTLS(ctx context.Context, cmd command.Command) error {
	if _, on := s.client.TLS(); on || s.STARTTLS == nil {
		return replyWrongState
	}
	if s.in.r.Buffered() > 0 {
		s.log.Warn().Msg("something was sent behind STARTTLS: connection closed")
		return errEnd
	}
	if err := s.reply(cmd.Tag + " OK Begin TLS negotiation now"); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.Limits.Handshake)
	defer cancel()
	s.clientName = "" // what was said in clear is forgotten
	return s.client.StartTLSServer(ctx, s.STARTTLS)
}

// handleEnable is ENABLE (RFC 5161). Only what the client was offered is
// enabled.
func (s *session) handleEnable(ctx context.Context, cmd command.Command) error {
	var wanted []string
	for _, w := range cmd.Args.(command.Enable).Capabilities {
		if row, known := passed(w); known && s.offers(row) {
			wanted = append(wanted, w)
		}
	}
	if len(wanted) == 0 {
		if err := s.reply("* ENABLED"); err != nil {
			return err
		}
		return s.reply(cmd.Tag + " OK Enabled")
	}
	utf8, qresync := false, false
	res, err := s.say(ctx, "ENABLE", command.Enable{Capabilities: wanted}, func(r *response) bool {
		if r.Is("ENABLED") {
			words := strings.ToUpper(string(r.text()))
			utf8 = utf8 || enablesUTF8(words)
			qresync = qresync || slices.Contains(strings.Fields(words), "QRESYNC")
		}
		return false // the client hears of it as well
	})
	if err != nil {
		return err
	}
	s.out.Lock()
	s.qresync = s.qresync || qresync
	s.out.Unlock()
	s.utf8 = s.utf8 || utf8
	s.parser.SetUTF8(s.utf8)
	return s.reply(cmd.Tag + " " + s.filterResult(res))
}

// enablesUTF8 reports whether names of folders are in UTF-8 from now on
// (RFC 6855, 3; RFC 9051, 5.1).
func enablesUTF8(words string) bool {
	for w := range strings.FieldsSeq(strings.ToUpper(words)) {
		if w == "UTF8=ACCEPT" || w == "IMAP4REV2" {
			return true
		}
	}
	return false
}
