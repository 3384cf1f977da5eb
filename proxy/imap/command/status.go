package command

import "mailguard/proxy/imap/wire"

// StatusItem is something that STATUS tells of a folder.
type StatusItem string

// The items of STATUS (RFC 9051, 6.3.11; RFC 3501; RFC 7162; RFC 7889; RFC
// 8474; RFC 9208).
const (
	StatusMessages       StatusItem = "MESSAGES"
	StatusRecent         StatusItem = "RECENT"
	StatusUIDNext        StatusItem = "UIDNEXT"
	StatusUIDValidity    StatusItem = "UIDVALIDITY"
	StatusUnseen         StatusItem = "UNSEEN"
	StatusDeleted        StatusItem = "DELETED"
	StatusSize           StatusItem = "SIZE"
	StatusHighestModSeq  StatusItem = "HIGHESTMODSEQ"
	StatusAppendLimit    StatusItem = "APPENDLIMIT"
	StatusMailboxID      StatusItem = "MAILBOXID"
	StatusDeletedStorage StatusItem = "DELETED-STORAGE"
)

var statusItems = makeSet(StatusMessages, StatusRecent, StatusUIDNext, StatusUIDValidity, StatusUnseen, StatusDeleted,
	StatusSize, StatusHighestModSeq, StatusAppendLimit, StatusMailboxID, StatusDeletedStorage)

// makeSet makes a table from the text of words to the words.
func makeSet[T ~string](words ...T) map[string]T {
	m := make(map[string]T, len(words))
	for _, w := range words {
		m[string(w)] = w
	}
	return m
}

// Status is the arguments of STATUS (RFC 9051, 6.3.11).
type Status struct {
	Folder string       // "" is no folder, but clients were seen to ask for it
	Items  []StatusItem // one or more
}

func (Status) args() {}

// Encode writes the folder and the items.
func (a Status) Encode(e *wire.Encoder) {
	e.Space()
	e.Folder(a.Folder)
	e.Space()
	encodeStatusItems(e, a.Items)
}

func encodeStatusItems(e *wire.Encoder, items []StatusItem) {
	encodeList(e, items, func(i StatusItem) { e.Raw(string(i)) })
}

// ParseStatus is the grammar of STATUS.
func ParseStatus(p *Parser) Args {
	a := Status{Folder: p.folderOrEmpty()}
	p.lex.Space()
	a.Items = p.statusItems()
	return a
}

func (p *Parser) statusItems() (items []StatusItem) {
	p.lex.List(1, func() {
		item, ok := statusItems[string(p.lex.Keyword())]
		if !ok {
			p.lex.Fail("Unknown item of STATUS")
		}
		items = append(items, item)
	})
	return items
}
