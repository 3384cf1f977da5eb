package upstream

import (
	"net"
	"slices"
	"strings"
)

// IMAPOptions change how the IMAP side behaves. The zero value is much like
// Dovecot 2.3.
type IMAPOptions struct {
	// Greeting stands behind "* ", such as "BYE not today". "" is an ordinary one.
	Greeting string
	// Without are capabilities that the server does not have: their commands
	// and forms are unknown to it. ACL, BINARY, ENABLE, ESEARCH, ID, IDLE,
	// LIST-EXTENDED, LITERAL+, MOVE, MULTIAPPEND, NAMESPACE, SASL-IR, SORT,
	// ESORT, SPECIAL-USE, UIDPLUS and UNSELECT can be left out, the algorithms
	// as THREAD=REFERENCES, and the mechanisms as AUTH=PLAIN. A server without LITERAL+ takes the content of {n+} for
	// commands, as Courier does.
	Without []string
	// Capabilities are announced besides, whether the server can or not.
	Capabilities []string
	// CapabilitiesLater leaves the capabilities out of the greeting and of the
	// answer to a login: a client has to ask.
	CapabilitiesLater bool
	// Prefix is in front of the personal folders, such as "INBOX.". "" is none.
	Prefix string
	// Delimiter parts levels on the wire. Zero is '/'.
	Delimiter byte
	// Others is in front of other users' folders, see Server.Grant. "" is
	// "shared" and the delimiter.
	Others string
	// SpecialFolders gives every mailbox Archive, Drafts, Junk, Sent and Trash
	// with their special uses (RFC 6154).
	SpecialFolders bool
	// LosesPipelined drops what has arrived behind a login, as Courier does.
	LosesPipelined bool
	// NoUIDNext and NoUnseen leave these lines out of what SELECT answers.
	NoUIDNext, NoUnseen bool
}

// capabilities are in the order in which they are announced. Those with AUTH=
// are not announced after the login, those of later not before it.
var (
	capabilities = []string{"IMAP4rev1", "SASL-IR", "ID", "ENABLE", "IDLE", "LITERAL+", "STARTTLS", "AUTH=PLAIN", "AUTH=LOGIN", "AUTH=XOAUTH2"}
	later        = []string{
		"SORT", "THREAD=REFERENCES", "THREAD=ORDEREDSUBJECT",
		"MULTIAPPEND", "UNSELECT", "CHILDREN", "NAMESPACE", "UIDPLUS", "LIST-EXTENDED", "ESEARCH", "ESORT", "WITHIN",
		"LIST-STATUS", "BINARY", "MOVE", "STATUS=SIZE", "ACL", "RIGHTS=texk", "SPECIAL-USE",
	}
)

// can reports whether the server has a capability.
func (s *Server) can(name string) bool {
	switch name {
	case "":
		return true
	case "STARTTLS":
		return s.TLS != nil
	case "SPECIAL-USE":
		return s.IMAP.SpecialFolders && !slices.Contains(s.IMAP.Without, name)
	case "RIGHTS=texk":
		name = "ACL"
	case "ESORT":
		return s.can("SORT") && !slices.Contains(s.IMAP.Without, name)
	case "LIST-STATUS":
		return s.can("LIST-EXTENDED") && !slices.Contains(s.IMAP.Without, name)
	}
	return !slices.Contains(s.IMAP.Without, name)
}

// capability is the list as a client sees it.
func (s *Server) capability(loggedIn, encrypted bool) string {
	var words []string
	for _, word := range slices.Concat(capabilities, later) {
		before := strings.HasPrefix(word, "AUTH=") || word == "STARTTLS"
		switch {
		case !s.can(word), before && loggedIn, word == "STARTTLS" && encrypted:
		case !loggedIn && slices.Contains(later, word):
		default:
			words = append(words, word)
		}
	}
	for _, word := range s.IMAP.Capabilities {
		if !slices.Contains(words, word) {
			words = append(words, word)
		}
	}
	return strings.Join(words, " ")
}

// delimiter parts levels on the wire.
func (s *Server) delimiter() string {
	if s.IMAP.Delimiter == 0 {
		return "/"
	}
	return string(s.IMAP.Delimiter)
}

// others is the other users' namespace.
func (s *Server) others() string {
	if s.IMAP.Others == "" {
		return "shared" + s.delimiter()
	}
	return s.IMAP.Others
}

// ServeIMAP takes IMAP connections until Close; then it returns nil.
func (s *Server) ServeIMAP(l net.Listener) error { return s.serve(l, s.ServeIMAPConn) }

// ServeIMAPConn serves one IMAP connection to its end, and closes it. For
// implicit TLS conn is a *tls.Conn.
func (s *Server) ServeIMAPConn(conn net.Conn) {
	if !s.add(conn) {
		_ = conn.Close()
		return
	}
	defer s.remove(conn)
	newIMAPSession(s, conn).run()
}
