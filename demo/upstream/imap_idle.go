package upstream

import "strings"

// cmdIdle tells news as they come, until the client says DONE (RFC 2177).
func (s *imapSession) cmdIdle(c *command) string {
	if !s.goOn("idling") {
		return ""
	}
	var changes chan struct{}
	if s.open != nil {
		var stop func()
		changes, stop = s.open.folder.watch()
		defer stop()
	}
	s.tellNews(true, false)
	if s.w.Flush() != nil {
		s.lose()
		return ""
	}
	line, ok := s.waitIdle(changes)
	switch {
	case !ok:
		return ""
	case !strings.EqualFold(line, "DONE"):
		return "BAD Expected DONE."
	}
	return "OK Idle completed."
}

// waitIdle tells news until the client says something.
func (s *imapSession) waitIdle(changes chan struct{}) (line string, ok bool) {
	type read struct {
		line string
		err  error
	}
	lines := make(chan read, 1)
	s.idling = true
	go func() {
		line, err := s.readLine()
		lines <- read{line, err}
	}()
	defer func() { s.idling = false }()
	for {
		select {
		case r := <-lines:
			s.over = s.over || r.err != nil
			return r.line, r.err == nil
		case <-changes:
			s.tellNews(true, false)
			if s.w.Flush() != nil || s.over {
				s.lose()
				<-lines
				return "", false
			}
		}
	}
}
