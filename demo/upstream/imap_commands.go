package upstream

// When a session needs to be in which state.
type state int

const (
	anyTime  state = iota
	before         // before the login
	loggedIn       // behind it
	selected       // with a folder open
)

// When a command tells what other sessions did.
type newsRule int

const (
	never         newsRule = iota
	all                    // also EXPUNGE
	notBySequence          // EXPUNGE only for the UID form (RFC 9051, 7.5.1)
)

// row is one command.
type row struct {
	state state
	needs string // a capability, or ""
	news  newsRule
	run   func(*imapSession, *command) string // answers without the tag; "" says nothing
}

// rows are all commands.
var rows map[string]row

func init() { // not a variable's value: UID FETCH and others come back here
	rows = map[string]row{
		"CAPABILITY":   {anyTime, "", never, (*imapSession).cmdCapability},
		"NOOP":         {anyTime, "", all, func(*imapSession, *command) string { return "OK NOOP completed." }},
		"LOGOUT":       {anyTime, "", never, (*imapSession).cmdLogout},
		"ID":           {anyTime, "ID", never, (*imapSession).cmdID},
		"LOGIN":        {before, "", never, (*imapSession).cmdLogin},
		"AUTHENTICATE": {before, "", never, (*imapSession).cmdAuthenticate},
		"STARTTLS":     {before, "", never, (*imapSession).cmdStartTLS},

		"ENABLE":      {loggedIn, "ENABLE", never, (*imapSession).cmdEnable},
		"NAMESPACE":   {loggedIn, "NAMESPACE", never, (*imapSession).cmdNamespace},
		"MYRIGHTS":    {loggedIn, "ACL", never, (*imapSession).cmdMyRights},
		"GETACL":      {loggedIn, "ACL", never, (*imapSession).cmdGetACL},
		"SELECT":      {loggedIn, "", never, (*imapSession).cmdSelect},
		"EXAMINE":     {loggedIn, "", never, (*imapSession).cmdSelect},
		"CREATE":      {loggedIn, "", never, (*imapSession).cmdCreate},
		"DELETE":      {loggedIn, "", never, (*imapSession).cmdDelete},
		"RENAME":      {loggedIn, "", never, (*imapSession).cmdRename},
		"SUBSCRIBE":   {loggedIn, "", never, (*imapSession).cmdSubscribe},
		"UNSUBSCRIBE": {loggedIn, "", never, (*imapSession).cmdUnsubscribe},
		"LIST":        {loggedIn, "", never, (*imapSession).cmdList},
		"LSUB":        {loggedIn, "", never, (*imapSession).cmdLsub},
		"STATUS":      {loggedIn, "", never, (*imapSession).cmdStatus},
		"APPEND":      {loggedIn, "", all, (*imapSession).cmdAppend},
		"IDLE":        {loggedIn, "IDLE", all, (*imapSession).cmdIdle},

		"CHECK":       {selected, "", all, func(*imapSession, *command) string { return "OK Check completed." }},
		"CLOSE":       {selected, "", never, (*imapSession).cmdClose},
		"UNSELECT":    {selected, "UNSELECT", never, (*imapSession).cmdUnselect},
		"EXPUNGE":     {selected, "", all, (*imapSession).cmdExpunge},
		"UID EXPUNGE": {selected, "UIDPLUS", all, (*imapSession).cmdExpunge},
		"FETCH":       {selected, "", notBySequence, (*imapSession).cmdFetch},
		"UID FETCH":   {selected, "", notBySequence, (*imapSession).cmdFetch},
		"STORE":       {selected, "", notBySequence, (*imapSession).cmdStore},
		"UID STORE":   {selected, "", notBySequence, (*imapSession).cmdStore},
		"SEARCH":      {selected, "", notBySequence, (*imapSession).cmdSearch},
		"UID SEARCH":  {selected, "", notBySequence, (*imapSession).cmdSearch},
		"SORT":        {selected, "SORT", notBySequence, (*imapSession).cmdSort},
		"UID SORT":    {selected, "SORT", notBySequence, (*imapSession).cmdSort},
		"THREAD":      {selected, "", notBySequence, (*imapSession).cmdThread},
		"UID THREAD":  {selected, "", notBySequence, (*imapSession).cmdThread},
		"COPY":        {selected, "", all, (*imapSession).cmdCopy},
		"UID COPY":    {selected, "", all, (*imapSession).cmdCopy},
		"MOVE":        {selected, "MOVE", all, (*imapSession).cmdMove},
		"UID MOVE":    {selected, "MOVE", all, (*imapSession).cmdMove},
	}
}

// check finds a command, or says why it cannot be run now.
func (s *imapSession) check(c *command) (row, string) {
	r, known := rows[c.name]
	known = known && s.can(r.needs)
	switch {
	case c.problem != "":
		return r, c.problem
	case s.account == nil && (!known || r.state > before):
		return r, "BAD Error in IMAP command received by server."
	case !known, s.account != nil && r.state == before:
		return r, "BAD Error in IMAP command " + c.name + ": Unknown command."
	case r.state == selected && s.open == nil:
		return r, "BAD No mailbox selected."
	}
	return r, ""
}

// bad is the answer to a command that makes no sense.
func (c *command) bad(why string) string {
	return "BAD Error in IMAP command " + c.name + ": " + why + "."
}
