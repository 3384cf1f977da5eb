package imap

import (
	"context"
	"slices"
	"strings"
	"sync"

	"mailguard/guard"
)

// capabilities are the words of a CAPABILITY answer, in upper case.
type capabilities map[string]bool

func parseCapabilities(words string) capabilities {
	c := make(capabilities)
	for _, w := range strings.Fields(strings.ToUpper(words)) {
		c[w] = true
	}
	return c
}

func (c capabilities) has(word string) bool { return c[word] }

// announced says what the guard makes of a capability that the upstream
// announces. What is not in the table is not passed on: it could remove
// messages, or hide what is done (COMPRESS, NOTIFY, REPLACE, CATENATE, URLAUTH,
// MULTISEARCH, CONTEXT, UIDONLY, FILTER, UNAUTHENTICATE, referrals).
type announced struct {
	guarded bool // also where policy can touch the mailbox
	before  bool // also before the login
	alone   bool // only where no namespace leads to other mailboxes, which policy may touch
}

// passedCapabilities is the table of the capabilities that are passed on as
// the upstream announces them. A name that ends in "=" stands for a family.
// What changes numbers or modification sequences in ways that a mark does not
// have stays out of guarded mailboxes: a mark has no MODSEQ of its own, and to
// invent one would hide the next real change.
var passedCapabilities = map[string]announced{
	"IMAP4REV1": {true, true, false}, "IMAP4REV2": {false, false, true},
	"SASL-IR": {true, true, false}, "ID": {true, true, false}, "ENABLE": {true, true, false}, "IDLE": {true, true, false},
	"NAMESPACE": {true, false, false}, "CHILDREN": {true, false, false}, "UIDPLUS": {true, false, false}, "UNSELECT": {true, false, false},
	"MOVE": {true, false, false}, "MULTIAPPEND": {true, false, false}, "BINARY": {true, false, false}, "UTF8=ACCEPT": {true, false, false},
	"SORT": {true, false, false}, "SORT=": {true, false, false}, "THREAD=": {true, false, false}, "ESEARCH": {true, false, false}, "ESORT": {true, false, false},
	"SEARCHRES": {false, false, true}, "CONDSTORE": {false, false, false}, "QRESYNC": {false, false, true},
	"WITHIN": {true, false, false}, "SEARCH=FUZZY": {true, false, false}, "I18NLEVEL=": {true, false, false},
	"LIST-EXTENDED": {true, false, false}, "LIST-STATUS": {true, false, false}, "LIST-MYRIGHTS": {true, false, false},
	"SPECIAL-USE": {true, false, false}, "CREATE-SPECIAL-USE": {true, false, false}, "XLIST": {true, false, false}, "STATUS=SIZE": {true, false, false},
	"OBJECTID": {true, false, false}, "SAVEDATE": {true, false, false}, "PREVIEW": {true, false, false}, "PREVIEW=": {true, false, false},
	"QUOTA": {true, false, false}, "QUOTA=": {true, false, false}, "ACL": {true, false, false}, "ACL2=": {true, false, false}, "RIGHTS=": {true, false, false},
	"METADATA": {true, false, false}, "METADATA-SERVER": {true, false, false}, "APPENDLIMIT": {true, false, false}, "APPENDLIMIT=": {true, false, false},
	"INPROGRESS": {true, false, false},
}

// offer is what of the upstream's capabilities the client is told, in the
// upstream's order, and what the guard has of its own: literals end at the
// guard, and so LITERAL+ is always there.
func (s *session) offer(words []string) []string {
	var offered []string
	for _, w := range words {
		row, known := passed(w)
		if known && s.offers(row) && (row.before || s.server != nil) {
			offered = append(offered, w)
		}
	}
	return append(offered, s.ownCapabilities(offered)...)
}

// passed looks a capability up.
func passed(word string) (announced, bool) {
	word = strings.ToUpper(word)
	if row, known := passedCapabilities[word]; known {
		return row, true
	}
	if family, _, ok := strings.Cut(word, "="); ok {
		row, known := passedCapabilities[family+"="]
		return row, known
	}
	return announced{}, false
}

// ownCapabilities are those that the guard provides, whatever the upstream has.
func (s *session) ownCapabilities(have []string) []string {
	own := []string{"LITERAL+"}
	if s.server == nil {
		own = append(own, "SASL-IR")
		own = append(own, s.loginCapabilities()...)
	} else if s.stance == guard.Protect { // emulated where the upstream lacks them
		own = append(own, "UNSELECT", "MOVE")
	}
	return slices.DeleteFunc(own, func(w string) bool { return slices.Contains(have, w) })
}

// loginCapabilities say how a client can log in on this listener as it is.
func (s *session) loginCapabilities() []string {
	if s.needsTLS() {
		return []string{"STARTTLS", "LOGINDISABLED"}
	}
	var auth []string
	for _, m := range s.mechanisms() {
		auth = append(auth, "AUTH="+m)
	}
	if _, on := s.client.TLS(); s.STARTTLS != nil && !on {
		auth = append(auth, "STARTTLS")
	}
	return auth
}

// has reports whether the client may use what needs a capability: the upstream
// has it and it is offered, or the guard provides it, as it does everything that
// is legal before the login.
func (s *session) has(capability string) bool {
	if s.server == nil || capability == "" || slices.Contains(s.ownCapabilities(nil), capability) {
		return true
	}
	row, known := passed(capability)
	return known && s.offers(row) && s.upstreamHas(capability)
}

// offers reports whether the client is offered a capability that the upstream
// has.
func (s *session) offers(row announced) bool {
	elsewhere := s.upstream != nil && len(s.upstream.Namespaces) > 0
	return (row.guarded || s.stance != guard.Protect) && !(row.alone && elsewhere)
}

// upstreamHas reports whether the upstream announced a capability after the
// login.
func (s *session) upstreamHas(capability string) bool {
	return s.server != nil && s.server.caps.has(capability)
}

// beforeLogin are the capabilities of the greeting: those of the first
// upstream, which is the only one as a rule. A client that asks again after the
// login, as it must (RFC 9051, 6.2.3), hears those of its own.
func (s *session) beforeLogin(ctx context.Context) []string {
	var asked sync.WaitGroup
	for _, u := range s.Upstreams {
		asked.Go(func() { u.capabilities(ctx) })
	}
	asked.Wait()
	words := []string{"IMAP4rev1", "ID"}
	if len(s.Upstreams) > 0 {
		if known := s.Upstreams[0].lastWords(); known != nil {
			words = known
		}
	}
	return s.offer(words)
}
