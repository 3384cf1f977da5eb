package views

import (
	"slices"
	"strings"
)

// back is that something has come back to a member, in a folder that sessions of
// the member may have open. Those that were told that it is gone are sent away: only
// another SELECT can show it. Those that were not told go on seeing it.
func (h *history) back(who string, at spot) {
	for _, s := range slices.Clone(h.sessions) {
		switch {
		case s.who != who || s.folder == nil || s.folder.place() != at.place || !s.hidden[at.uid]:
		case slices.Contains(s.names, at.uid):
			delete(s.hidden, at.uid)
		default:
			s.sentAway()
		}
	}
}

// sentAway waits for the goodbye.
func (s *session) sentAway() {
	var heard []string
	response, err := s.conn.Response()
	for ; err == nil; response, err = s.conn.Response() {
		heard = append(heard, response)
	}
	s.h.note("%s: is sent away", s.name)
	s.h.heard(heard, "")
	if len(heard) == 0 || !strings.HasPrefix(heard[len(heard)-1], "* BYE A message has come back") {
		s.h.fail("%s shows a folder that something has come back to, and hears %q, %v", s.name, heard, err)
	}
	_ = s.conn.Close()
	s.h.sessions = slices.DeleteFunc(slices.Clone(s.h.sessions), func(other *session) bool { return other == s })
	s.h.stage.sentAway++
}

// mayComeBack makes known what all sessions were told, before a command that may
// bring something back.
func (h *history) mayComeBack() {
	for _, s := range h.sessions {
		if s.folder == nil || len(s.hidden) == 0 {
			continue
		}
		idles := s.idle != ""
		if idles || slices.Contains(s.names, 0) {
			s.sync()
		}
		if idles {
			s.sleep()
		}
	}
}

// owes reports whether any member has copies again when originals go.
func (m *model) owes() bool {
	for _, p := range m.people {
		if len(p.undone) > 0 {
			return true
		}
	}
	return false
}
