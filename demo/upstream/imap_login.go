package upstream

import (
	"crypto/tls"
	"encoding/base64"
	"strings"
)

const loginRefused = "NO [AUTHENTICATIONFAILED] Authentication failed."

func (s *imapSession) cmdCapability(*command) string {
	s.say("* CAPABILITY " + s.capability(s.account != nil, s.encrypted()))
	return "OK Capability completed."
}

func (s *imapSession) cmdLogout(*command) string {
	s.say("* BYE Logging out")
	s.over = true
	return "OK Logout completed."
}

func (s *imapSession) cmdID(*command) string {
	s.say(`* ID ("name" "upstream")`)
	return "OK ID completed."
}

// cmdEnable knows nothing that could be enabled.
func (s *imapSession) cmdEnable(c *command) string {
	if len(c.args) == 0 {
		return c.bad("No arguments given")
	}
	return "OK Enabled."
}

func (s *imapSession) cmdStartTLS(c *command) string {
	if s.TLS == nil || s.encrypted() {
		return "BAD TLS support isn't enabled."
	}
	s.say(c.tag + " OK Begin TLS negotiation now.")
	if s.w.Flush() != nil || s.r.Buffered() > 0 {
		s.lose()
		return ""
	}
	s.use(tls.Server(s.conn, s.TLS))
	return ""
}

func (s *imapSession) cmdLogin(c *command) string {
	if len(c.args) != 2 || !c.args[0].word() || !c.args[1].word() {
		return "BAD Error in IMAP command received by server."
	}
	return s.logIn(c.args[0].text, c.args[1].text)
}

// logIn checks a password or a token.
func (s *imapSession) logIn(user, password string) string {
	box := s.mailbox(user)
	if box == nil || box.password != password {
		return loginRefused
	}
	s.user, s.account = user, box
	if s.IMAP.LosesPipelined {
		_, _ = s.r.Discard(s.r.Buffered()) // so much is there
	}
	return "OK " + s.capabilityCode(true) + "Logged in"
}

func (s *imapSession) cmdAuthenticate(c *command) string {
	if len(c.args) == 0 || len(c.args) > 2 || !c.args[0].word() {
		return "BAD Error in IMAP command received by server."
	}
	mechanism := strings.ToUpper(c.args[0].text)
	exchange := map[string]func(*command, []byte) string{"PLAIN": s.plain, "LOGIN": s.login, "XOAUTH2": s.xoauth2}[mechanism]
	if exchange == nil || !s.can("AUTH="+mechanism) {
		return "NO [ALERT] Unsupported authentication mechanism."
	}
	if len(c.args) == 1 {
		return exchange(c, nil)
	}
	if !s.can("SASL-IR") {
		return "BAD Error in IMAP command received by server."
	}
	response, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(c.args[1].text, "="))
	if c.args[1].text != "=" { // RFC 4959, 3: that is an empty one
		response, err = base64.StdEncoding.DecodeString(c.args[1].text)
	}
	if err != nil {
		return "BAD Invalid base64 data in initial response"
	}
	return exchange(c, append([]byte{}, response...))
}

// challenge asks the client for one answer. problem is the end of the command,
// "-" where it was told already.
func (s *imapSession) challenge(text string) (response []byte, problem string) {
	if !s.goOn(base64.StdEncoding.EncodeToString([]byte(text))) {
		return nil, "-"
	}
	line, err := s.readLine()
	if err != nil {
		s.over = true
		return nil, "-"
	}
	if line == "*" {
		return nil, "BAD Authentication aborted by client."
	}
	response, err = base64.StdEncoding.DecodeString(line)
	if err != nil {
		return nil, "BAD Invalid base64 data in continued response"
	}
	return response, ""
}

// ended gives the answer that stands for a problem.
func ended(problem string) string { return strings.TrimPrefix(problem, "-") }

// plain is RFC 4616. Somebody else's mailbox is nobody's.
func (s *imapSession) plain(_ *command, response []byte) string {
	if response == nil {
		var problem string
		if response, problem = s.challenge(""); problem != "" {
			return ended(problem)
		}
	}
	parts := strings.Split(string(response), "\x00")
	if len(parts) != 3 || parts[0] != "" && parts[0] != parts[1] {
		return loginRefused
	}
	return s.logIn(parts[1], parts[2])
}

func (s *imapSession) login(_ *command, user []byte) string {
	var problem string
	if user == nil {
		if user, problem = s.challenge("Username:"); problem != "" {
			return ended(problem)
		}
	}
	password, problem := s.challenge("Password:")
	if problem != "" {
		return ended(problem)
	}
	return s.logIn(string(user), string(password))
}

// xoauth2 takes the password for the token.
func (s *imapSession) xoauth2(_ *command, response []byte) string {
	if response == nil {
		var problem string
		if response, problem = s.challenge(""); problem != "" {
			return ended(problem)
		}
	}
	fields := strings.Split(string(response), "\x01")
	if len(fields) == 4 {
		user, named := strings.CutPrefix(fields[0], "user=")
		token, bearer := strings.CutPrefix(fields[1], "auth=Bearer ")
		if box := s.mailbox(user); named && bearer && box != nil && box.password == token {
			return s.logIn(user, token)
		}
	}
	if _, problem := s.challenge(`{"status":"401","schemes":"bearer","scope":"mail"}`); problem != "" {
		return ended(problem)
	}
	return loginRefused
}
