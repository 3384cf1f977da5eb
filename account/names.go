package account

import (
	"errors"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"
)

// inbox is the name of the folder that every mailbox has (RFC 9051, 5.1).
const inbox = "INBOX"

// spaces are the server's namespaces (RFC 2342). A server that tells none has
// names that the guard takes as they are.
type spaces struct {
	personal, foreign []imap.NamespaceDescriptor
}

// askSpaces asks for the namespaces, once.
func (s *Session) askSpaces() error {
	if s.spaces != nil {
		return nil
	}
	if !s.caps.Has(imap.CapNamespace) {
		s.spaces = &spaces{}
		return nil
	}
	data, err := s.client.Namespace().Wait()
	switch {
	case refused(err) != nil:
		s.spaces = &spaces{}
	case err != nil:
		return err
	default:
		s.spaces = &spaces{data.Personal, slices.Concat(data.Other, data.Shared)}
	}
	return nil
}

// names are what a folder of the mailbox's own may be called on the server: the
// reverse of how the guard's IMAP sessions make its canonical name. There are
// several only where there are several personal namespaces.
func (sp *spaces) names(folder string) ([]string, error) {
	switch {
	case folder == inbox:
		return []string{inbox}, nil
	case len(sp.personal) == 0:
		return []string{folder}, nil
	}
	var all []string
	for _, n := range sp.personal {
		if strings.Contains(n.Prefix, "&") { // encoded, and the client would encode it once more
			continue
		}
		name := n.Prefix + withDelimiter(folder, n.Delim)
		if back, own := sp.canonical(name); own && back == folder && !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	if len(all) == 0 {
		return nil, finding{errors.New("no folder of this server can have this name")}
	}
	return all, nil
}

// withDelimiter puts the server's delimiter between the levels of a canonical
// name. Zero: its names have no levels.
func withDelimiter(folder string, delimiter rune) string {
	if delimiter == 0 || delimiter == '/' {
		return folder
	}
	return strings.ReplaceAll(folder, "/", string(delimiter))
}

// canonical is the way back, by which each name is checked: a name that would be
// read as another folder, or as somebody else's, is not used.
func (sp *spaces) canonical(name string) (folder string, own bool) {
	for _, n := range sp.foreign {
		if root := strings.TrimSuffix(n.Prefix, delimiter(n)); root != "" && hasPrefixFold(name+delimiter(n), root+delimiter(n)) {
			return "", false
		}
	}
	byLength := slices.SortedFunc(slices.Values(sp.personal), func(a, b imap.NamespaceDescriptor) int { return len(b.Prefix) - len(a.Prefix) })
	for _, n := range byLength {
		rest, in := strings.CutPrefix(name, n.Prefix)
		if !in {
			continue
		}
		if d := delimiter(n); d != "" {
			rest = strings.ReplaceAll(rest, d, "/")
		}
		first, _, _ := strings.Cut(rest, "/")
		aside := n.Prefix != "" && strings.EqualFold(first, inbox) // on some servers the INBOX, on others a folder beside it
		return rest, rest != "" && !aside
	}
	return "", false
}

func delimiter(n imap.NamespaceDescriptor) string {
	if n.Delim == 0 {
		return ""
	}
	return string(n.Delim)
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// writable refuses what the client would write in another way than the server
// reads it: where IMAP4rev2 is announced it writes UTF-8, with "&" as in
// modified UTF-7.
func (s *Session) writable(name string) error {
	announced := s.caps.Has(imap.CapIMAP4rev2)
	beyondASCII := strings.ContainsFunc(name, func(r rune) bool { return r > 0x7e })
	if announced && s.rev2 && strings.Contains(name, "&") || announced && !s.rev2 && beyondASCII {
		return finding{errors.New("the folder's name cannot be written for this server")}
	}
	return nil
}
