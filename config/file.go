package config

// The types of this file are the file as it is written: one field for each
// key, with the key's own documentation. Three tags speak to the shape pass:
// `words` lists the only values of a text, `secret` keeps a value out of every
// message. A key that is left out leaves its field empty; the defaults are
// filled in where the section is checked.

// file is a whole configuration file.
type file struct {
	// Include names further files with mailboxes and upstreams, as a pattern.
	Include string `yaml:"include"`
	// State is the folder for what mailguard itself writes. Default: $STATE_DIRECTORY, else this file's folder.
	State string `yaml:"state"`
	// Listeners are the addresses that clients connect to.
	Listeners []listenerKeys `yaml:"listeners"`
	// TLS holds the certificates that clients are shown.
	TLS tlsKeys `yaml:"tls"`
	// Upstreams are the mail servers behind; the first whose domains fit the login's domain is taken.
	Upstreams []upstreamKeys `yaml:"upstreams"`
	// Ledger is where the durable record is kept. Default: sqlite:ledger.db.
	Ledger string `yaml:"ledger" secret:"true"`
	// LedgerReadonly is what new POP3 sessions get while the ledger cannot be written. Default: refuse.
	LedgerReadonly string `yaml:"ledger_readonly" words:"refuse,read"`
	// Identity lists how members are told apart; the first that answers counts. Default: [login].
	Identity []string `yaml:"identity" words:"login,password,certificate,network,address"`
	// LoginSeparator stands between login name and member. Default: #.
	LoginSeparator string `yaml:"login_separator"`
	// DefaultDomain completes login names that have no domain.
	DefaultDomain string `yaml:"default_domain"`
	// LoginDomains maps short (Windows) domains to mail domains.
	LoginDomains map[string]string `yaml:"login_domains"`
	// Networks name one member for each network, for the identity `network`.
	Networks []networkKeys `yaml:"networks"`
	// Mailboxes say which mailboxes are shared, and by whom; first match wins.
	Mailboxes []mailboxKeys `yaml:"mailboxes"`
	// LearnFor is how long a mailbox is watched before learned members count as everyone. Default: 30d.
	LearnFor duration `yaml:"learn_for"`
	// Policy holds the rules.
	Policy policyKeys `yaml:"policy"`
	// Admin is how the administrator reaches the running server.
	Admin adminKeys `yaml:"admin"`
	// Audit is the record of every verdict, of what was released, and of what administrators did.
	Audit auditKeys `yaml:"audit"`
	// Limits bound what clients can cost.
	Limits limitKeys `yaml:"limits"`
	// Log says how the server logs.
	Log logKeys `yaml:"log"`
}

type listenerKeys struct {
	// Protocol is what clients speak here.
	Protocol string `yaml:"protocol" words:"pop3,imap"`
	// Address is HOST:PORT, or :PORT for all addresses of the machine.
	Address string `yaml:"address"`
	// TLS: none is for loopback addresses only; starttls allows no login before the upgrade.
	TLS string `yaml:"tls" words:"none,starttls,implicit"`
	// ProxyProtocol lists the load balancers whose PROXY header is believed.
	ProxyProtocol []string `yaml:"proxy_protocol"`
}

type tlsKeys struct {
	// Certificates: the first is the default, the others are chosen by server name.
	Certificates []certificateKeys `yaml:"certificates"`
	// ACME fetches certificates by itself.
	ACME *acmeKeys `yaml:"acme"`
	// ClientCA signs the members' certificates, for the identity `certificate`.
	ClientCA string `yaml:"client_ca"`
}

type certificateKeys struct {
	// Cert is a PEM file: the certificate, then its chain.
	Cert string `yaml:"cert" secret:"true"`
	// Key is a PEM file with the certificate's private key.
	Key string `yaml:"key" secret:"true"`
}

type acmeKeys struct {
	// Email is whom the authority writes to.
	Email string `yaml:"email"`
	// Hosts are the names that certificates are fetched for.
	Hosts []string `yaml:"hosts"`
}

type upstreamKeys struct {
	// Name is what logs and metrics call this server.
	Name string `yaml:"name"`
	// Domains are patterns of login domains, such as example.com or "*".
	Domains []string `yaml:"domains"`
	// IMAP is how the server is reached by IMAP.
	IMAP *endpointKeys `yaml:"imap"`
	// POP3 is how the server is reached by POP3.
	POP3 *endpointKeys `yaml:"pop3"`
	// CA is a PEM file of authorities to trust instead of the system's.
	CA string `yaml:"ca"`
	// AuthorizationIdentity: the server logs in as the SASL authorization identity. Default: false.
	AuthorizationIdentity bool `yaml:"authorization_identity"`
	// ServiceAccount releases messages with nobody logged in.
	ServiceAccount *serviceKeys `yaml:"service_account"`
	// Namespaces say whose mailbox a shared folder is.
	Namespaces []namespaceKeys `yaml:"namespaces"`
	// FolderUses name the folders of a use, where the server does not say.
	FolderUses *folderUseKeys `yaml:"folder_uses"`
	// ExpungeWithoutUIDPlus releases over IMAP on servers without UID EXPUNGE. Default: false.
	ExpungeWithoutUIDPlus bool `yaml:"expunge_without_uidplus"`
}

type endpointKeys struct {
	// Address is HOST:PORT.
	Address string `yaml:"address"`
	// TLS says when the connection is encrypted.
	TLS string `yaml:"tls" words:"none,starttls,implicit"`
	// ServerName is the name that the server's certificate must bear. Default: the address's host.
	ServerName string `yaml:"server_name"`
}

type serviceKeys struct {
	// Username logs in for a mailbox; {mailbox} stands for its name, {user} and {domain} for its parts.
	Username string `yaml:"username"`
	// Mechanism is how it logs in: with a password, or with a token. Default: plain.
	Mechanism string `yaml:"mechanism" words:"plain,xoauth2"`
	// Authorization is the SASL authorization identity, as "{mailbox}". Default: none.
	Authorization string `yaml:"authorization"`
	// PasswordFile holds the service account's password.
	PasswordFile string `yaml:"password_file" secret:"true"`
	// TokenFile holds the token of xoauth2; it is read at each login.
	TokenFile string `yaml:"token_file" secret:"true"`
	// TokenCommand is a program with its arguments that writes the token of xoauth2 to its standard output.
	TokenCommand []string `yaml:"token_command" secret:"true"`
}

type namespaceKeys struct {
	// Prefix is how such a folder's name begins; {user} stands for the owner.
	Prefix string `yaml:"prefix"`
	// Mailbox is the owner's mailbox, made of {user}.
	Mailbox string `yaml:"mailbox"`
}

type folderUseKeys struct {
	// Trash is the folder for deleted messages.
	Trash string `yaml:"trash"`
	// Junk is the folder for spam.
	Junk string `yaml:"junk"`
	// Drafts is the folder for messages that are not yet sent.
	Drafts string `yaml:"drafts"`
	// Sent is the folder for messages that were sent.
	Sent string `yaml:"sent"`
	// Archive is the folder for messages to keep.
	Archive string `yaml:"archive"`
}

type networkKeys struct {
	// CIDR is the network, or one address.
	CIDR string `yaml:"cidr"`
	// Member is who comes from there.
	Member string `yaml:"member"`
}

type mailboxKeys struct {
	// Match is a mailbox's name in lower case; "*" stands for any text.
	Match string `yaml:"match"`
	// Shared says whether several people use it. Default: auto, once two named members have used it.
	Shared string `yaml:"shared" words:"true,false,auto"`
	// Members are who `everyone` is; learned from use if left out.
	Members []string `yaml:"members"`
	// AbsentAfter: who stays away so long counts as done. Default: never.
	AbsentAfter duration `yaml:"absent_after"`
	// Mode is this mailbox's own. Default: the policy's.
	Mode string `yaml:"mode" words:"enforce,observe"`
	// SecretFile holds the mailbox's own password, for the identity `password`.
	SecretFile string `yaml:"secret_file" secret:"true"`
}

type policyKeys struct {
	// Mode: observe passes deletions on and records what would have been decided. Default: enforce.
	Mode string `yaml:"mode" words:"enforce,observe"`
	// Preset names rules that come after these.
	Preset string `yaml:"preset"`
	// Breaker stops a member who deletes too much at once.
	Breaker *breakerKeys `yaml:"breaker"`
	// Rules: first match wins.
	Rules []ruleKeys `yaml:"rules"`
}

type breakerKeys struct {
	// Messages is how many deletions are too many.
	Messages *int `yaml:"messages"`
	// Share is which part of a folder is too much, in percent.
	Share *int `yaml:"share"`
	// Within is the time in which they are counted.
	Within duration `yaml:"within"`
}

type ruleKeys struct {
	// Name is what logs, records and `explain` call the rule.
	Name string `yaml:"name"`
	// When is a CEL expression: whether the rule applies.
	When string `yaml:"when"`
	// Then is the verdict.
	Then string `yaml:"then" words:"allow,refuse,defer"`
	// Message is the sentence that a refused client shows.
	Message string `yaml:"message"`
	// Anonymous is what a deferral does to somebody who cannot be told apart. Default: hide.
	Anonymous string `yaml:"anonymous" words:"hide,refuse,accept"`
	// Release says when a deferred message really goes; never, if left out.
	Release *releaseKeys `yaml:"release"`
}

type releaseKeys struct {
	// When is a CEL expression.
	When string `yaml:"when"`
	// After is a time since the first deletion. It also takes the message from those who have not deleted it.
	After duration `yaml:"after"`
	// Unless is a CEL expression: while it holds nothing is released.
	Unless string `yaml:"unless"`
}

type adminKeys struct {
	// Address is HOST:PORT of page, API and metrics.
	Address string `yaml:"address"`
	// TokenFile holds what the API asks for; created if absent.
	TokenFile string `yaml:"token_file" secret:"true"`
	// Socket is the Unix socket of the command line. Default: mailguard.sock.
	Socket string `yaml:"socket"`
}

type auditKeys struct {
	// Keep is how long its entries are kept. Default: 365d.
	Keep duration `yaml:"keep"`
	// Headers is what of a message is kept to recognise it by: none, or from, subject, or both as "from,subject". Default: none.
	Headers headerList `yaml:"headers"`
}

type limitKeys struct {
	// POP3LockWait is how long a login waits for another session of the mailbox to end. Default: 30s.
	POP3LockWait duration `yaml:"pop3_lock_wait"`
	// LoginTime is the time from the connection to the login. Default: 60s.
	LoginTime duration `yaml:"login_time"`
	// HandshakeTime is the time for the TLS handshake. Default: 10s.
	HandshakeTime duration `yaml:"handshake_time"`
	// IdleTime is the time between two POP3 commands. Default: 10m, which RFC 1939 makes the least.
	IdleTime duration `yaml:"idle_time"`
	// IMAPIdleTime is the time between two IMAP commands. Default: 30m, which RFC 9051 makes the least.
	IMAPIdleTime duration `yaml:"imap_idle_time"`
	// CommandTime is the time for an IMAP client to send one command, or the next piece of a message. Default: 1m.
	CommandTime duration `yaml:"command_time"`
	// AnswerTime is how long an upstream may say nothing while an IMAP client's command waits. Default: 5m.
	AnswerTime duration `yaml:"answer_time"`
	// UpstreamTime is the time for one answer of the upstream to the guard itself. Default: 60s.
	UpstreamTime duration `yaml:"upstream_time"`
	// DrainTime is what open sessions are given when the server stops. Default: 30s.
	DrainTime duration `yaml:"drain_time"`
	// Connections is how many clients are served at once. Default: 8000.
	Connections *int `yaml:"connections"`
}

type logKeys struct {
	// Level is the least that is logged. Default: info.
	Level string `yaml:"level" words:"debug,info,warn,error"`
	// Format is json for machines, text for people. Default: json.
	Format string `yaml:"format" words:"json,text"`
}
