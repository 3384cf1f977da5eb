package config

import (
	"time"

	"mailguard/guard"
	"mailguard/member"
	"mailguard/policy"
)

// Config is what a file without mistakes says, with all defaults filled in. It
// is not changed after Load has returned it.
type Config struct {
	Path  string // the file, as it was given to Load
	Dir   string // the file's folder, absolute: where relative paths of files that are read start
	State string // absolute: where the files that mailguard itself writes start

	Listeners      []Listener
	Certificates   []Certificate // the first is the default, the others are chosen by server name
	Upstreams      []Upstream    // the first whose Domains fit the login's domain
	Ledger         Ledger
	LedgerReadonly Readonly
	Identity       member.Options
	Mailboxes      []guard.Entry // first match wins
	LearnFor       time.Duration // how long a mailbox is watched before its learned members count as everyone
	Policy         *policy.Policy
	Mode           guard.Mode // of every mailbox that names none of its own
	Admin          Admin
	Audit          Audit
	Limits         Limits
	Log            Log

	Unavailable []Problem // parts of the file that this version does not have yet: the file is right, but cannot be served
	Warnings    []Problem // what works, and is probably not meant
}

// TLSMode says when a connection is encrypted.
type TLSMode string

// The three modes.
const (
	TLSNone     TLSMode = "none"
	TLSStart    TLSMode = "starttls" // no login before the client has upgraded
	TLSImplicit TLSMode = "implicit" // from the first byte
)

// Listener is one address that clients connect to.
type Listener struct {
	Protocol member.Protocol
	Address  string // host:port, the host may be empty
	TLS      TLSMode
}

// Certificate is a certificate with its key. The files were read and fit each
// other when the file was loaded.
type Certificate struct {
	CertFile string // absolute; PEM, the chain after the certificate itself
	KeyFile  string // absolute; PEM
}

// Upstream is one mail server behind the guard.
type Upstream struct {
	Name    string
	Domains []string  // patterns in lower case; "*" stands for any text
	POP3    *Endpoint // nil: the server does not offer it
	IMAP    *Endpoint // nil: the server does not offer it
	CAFile  string    // absolute; "" trusts the system's authorities

	Namespaces []Namespace       // whose mailbox a shared folder is
	FolderUses map[string]string // special use in lower case to the folder's name, "/" between its levels

	// AuthorizationIdentity says that the server logs in as the SASL
	// authorization identity. Some servers ignore it.
	AuthorizationIdentity bool

	ServiceAccount *ServiceAccount // nil: there is none
}

// ServiceAccount says how the guard logs in to a mailbox by itself. In Username
// and Authorization {mailbox} stands for the mailbox's name, {user} and {domain}
// for its parts.
type ServiceAccount struct {
	Mechanism     Mechanism
	Username      string
	Authorization string   // the SASL authorization identity of PLAIN; "" for none
	PasswordFile  string   // absolute; of PLAIN
	TokenFile     string   // absolute; of XOAUTH2; so is the next, where this one is ""
	TokenCommand  []string // the program with its arguments, an absolute path first
}

// Mechanism is what a service account logs in by.
type Mechanism string

// What `mechanism` may say.
const (
	MechanismPlain   Mechanism = "plain"
	MechanismXOAUTH2 Mechanism = "xoauth2"
)

// Namespace says whose mailbox the folders below a prefix are.
type Namespace struct {
	Prefix  string // with "{user}" in it, which stands for the owner
	Mailbox string // made of {user}
}

// Endpoint is where and how an upstream is reached by one protocol.
type Endpoint struct {
	Address    string // host:port
	TLS        TLSMode
	ServerName string // the name that its certificate must bear
}

// Ledger says where the durable record is kept.
type Ledger struct {
	Path string // absolute: the SQLite file; "" where the file names a server
}

// Readonly says what a new POP3 session on a guarded mailbox gets while the
// ledger cannot be written.
type Readonly string

// What `ledger_readonly` may say.
const (
	ReadonlyRefuse Readonly = "refuse" // told at login to come back later
	ReadonlyRead   Readonly = "read"   // may read, deletes nothing
)

// Admin says where the administrator reaches the running server.
type Admin struct {
	Socket    string // absolute: the Unix socket of the command line
	Address   string // host:port of page, API and metrics; "" for none
	TokenFile string // absolute: what the API asks for; "" for none
}

// Audit says what is kept of the record of decisions.
type Audit struct {
	Keep    time.Duration // how long an entry is kept
	Sender  bool          // keep whom a message is from
	Subject bool          // keep what it is about
}

// Limits bound what one client can cost.
type Limits struct {
	POP3LockWait time.Duration // how long a POP3 login waits for another session of the same mailbox to end
	LoginTime    time.Duration // from the connection to the login
	Handshake    time.Duration // of TLS
	Idle         time.Duration // between two POP3 commands; RFC 1939, 3 asks for 10 minutes at least
	IMAPIdle     time.Duration // between two IMAP commands; RFC 9051, 5.4 asks for 30 minutes at least
	Command      time.Duration // for an IMAP client to send one command, or the next piece of a message
	Answer       time.Duration // for an upstream to say something while an IMAP client's command waits
	Upstream     time.Duration // for one answer of the upstream
	Drain        time.Duration // for open sessions when the server stops
	Connections  int           // of all clients together
}

// Log says how the server logs.
type Log struct {
	Level  string // debug, info, warn or error
	Format string // json or text
}
