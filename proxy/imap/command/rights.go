package command

import (
	"strings"

	"mailguard/proxy/imap/wire"
)

// ListRights is the arguments of LISTRIGHTS (RFC 4314, 3.7).
type ListRights struct {
	Folder, Identifier string
}

func (ListRights) args() {}

// Encode writes the folder and the identifier.
func (a ListRights) Encode(e *wire.Encoder) { encodeACL(e, a.Folder, a.Identifier) }

// ParseListRights is the grammar of LISTRIGHTS.
func ParseListRights(p *Parser) Args {
	folder := p.folder()
	return ListRights{Folder: folder, Identifier: p.text()}
}

// SetACL is the arguments of SETACL (RFC 4314, 3.1).
type SetACL struct {
	Folder, Identifier string

	// Rights are letters and digits, behind "+" or "-" where they are added
	// or taken away.
	Rights string
}

func (SetACL) args() {}

// Encode writes the folder, the identifier and the rights.
func (a SetACL) Encode(e *wire.Encoder) {
	encodeACL(e, a.Folder, a.Identifier)
	e.Space()
	e.String(a.Rights)
}

func encodeACL(e *wire.Encoder, folder, identifier string) {
	e.Space()
	e.Folder(folder)
	e.Space()
	e.AString(identifier)
}

// ParseSetACL is the grammar of SETACL.
func ParseSetACL(p *Parser) Args {
	a := SetACL{Folder: p.folder()}
	a.Identifier = p.text()
	a.Rights = p.text()
	letters := strings.TrimPrefix(strings.TrimPrefix(a.Rights, "-"), "+")
	if len(a.Rights)-len(letters) > 1 || strings.ContainsFunc(letters, notRight) {
		p.lex.Fail("Not rights")
	}
	return a
}

func notRight(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') }

// DeleteACL is the arguments of DELETEACL (RFC 4314, 3.2).
type DeleteACL struct {
	Folder, Identifier string
}

func (DeleteACL) args() {}

// Encode writes the folder and the identifier.
func (a DeleteACL) Encode(e *wire.Encoder) { encodeACL(e, a.Folder, a.Identifier) }

// ParseDeleteACL is the grammar of DELETEACL.
func ParseDeleteACL(p *Parser) Args {
	folder := p.folder()
	return DeleteACL{Folder: folder, Identifier: p.text()}
}

// GetQuota is the arguments of GETQUOTA (RFC 9208, 4.1.2).
type GetQuota struct {
	Root string // of the quota, which is no folder; may be empty
}

func (GetQuota) args() {}

// Encode writes the root.
func (a GetQuota) Encode(e *wire.Encoder) {
	e.Space()
	e.AString(a.Root)
}

// ParseGetQuota is the grammar of GETQUOTA.
func ParseGetQuota(p *Parser) Args { return GetQuota{Root: p.text()} }

// SetQuota is the arguments of SETQUOTA (RFC 9208, 4.1.3).
type SetQuota struct {
	Root   string
	Limits []QuotaLimit
}

// QuotaLimit is the limit of a resource, in its own unit.
type QuotaLimit struct {
	Resource string // upper case
	Limit    uint64
}

func (SetQuota) args() {}

// Encode writes the root and the limits.
func (a SetQuota) Encode(e *wire.Encoder) {
	e.Space()
	e.AString(a.Root)
	e.Space()
	encodeList(e, a.Limits, func(q QuotaLimit) {
		e.Raw(q.Resource)
		e.Space()
		e.Number(q.Limit)
	})
}

// ParseSetQuota is the grammar of SETQUOTA.
func ParseSetQuota(p *Parser) Args {
	a := SetQuota{Root: p.text()}
	p.lex.Space()
	p.lex.List(0, func() {
		resource := string(p.lex.Keyword())
		p.lex.Space()
		a.Limits = append(a.Limits, QuotaLimit{Resource: resource, Limit: p.lex.Number()})
	})
	return a
}
