package imap

import (
	"context"

	"github.com/emersion/go-imap/v2"

	"mailguard/proxy/imap/command"
)

// treatment says what the guard does about a command.
type treatment string

const (
	pass       treatment = "pass"        // written afresh and sent upstream
	decide     treatment = "decide"      // what may remove something, or shows a member's marks: the guard has its say
	answer     treatment = "answer"      // the guard answers it, or has a part of its own in it
	refuse     treatment = "refuse"      // passed on only where policy can never touch the folder
	notOffered treatment = "not offered" // known, and answered BAD: it could remove something, or would blind the guard
)

// spec is what the guard knows about a command. One that is not in the table
// is answered BAD and never reaches the upstream.
type spec struct {
	states     state
	treat      treatment
	capability string          // that the client was offered; "": every server has it
	grammar    command.Grammar // nil: not offered

	// barrier: it waits until everything before it has been answered, since it
	// changes what message numbers mean, or the guard has to ask the upstream
	// something before it can be answered.
	barrier bool

	// handle runs the command with the turn; nil: it is passed.
	handle func(*session, context.Context, command.Command) error
}

// commands is the table of all commands: RFC 9051, RFC 3501, and what Dovecot,
// Cyrus, Courier and Exchange have beside. docs/imap.md says how to add one.
var commands map[string]spec

func init() { // a handler looks into the table, so it cannot be a plain initialiser
	const (
		login   = notAuthenticated
		in      = authenticated | selected
		always  = notAuthenticated | authenticated | selected
		barrier = true
	)
	commands = map[string]spec{
		// Any state (RFC 9051, 6.1).
		"CAPABILITY": {always, answer, "", command.ParseNone, false, (*session).handleCapability},
		"NOOP":       {always, answer, "", command.ParseNone, false, (*session).handleNoop},
		"LOGOUT":     {always, answer, "", command.ParseNone, barrier, (*session).handleLogout},
		"ID":         {always, answer, "ID", command.ParseID, false, (*session).handleID},

		// Before the login (6.2).
		"STARTTLS":     {login, answer, "", command.ParseNone, false, (*session).handleSTARTTLS},
		"AUTHENTICATE": {login, answer, "", command.ParseAuthenticate, false, (*session).handleAuthenticate},
		"LOGIN":        {login, answer, "", command.ParseLogin, false, (*session).handleLogin},

		// After the login (6.3).
		"ENABLE":       {in, answer, "ENABLE", command.ParseEnable, barrier, (*session).handleEnable},
		"SELECT":       {in, answer, "", command.ParseSelect, barrier, (*session).handleSelect},
		"EXAMINE":      {in, answer, "", command.ParseSelect, barrier, (*session).handleSelect},
		"CREATE":       {in, pass, "", command.ParseCreate, false, nil},
		"DELETE":       {in, decide, "", command.ParseOneFolder, barrier, (*session).handleDelete},
		"RENAME":       {in, decide, "", command.ParseRename, barrier, (*session).handleRename},
		"SUBSCRIBE":    {in, pass, "", command.ParseOneFolder, false, nil},
		"UNSUBSCRIBE":  {in, pass, "", command.ParseOneFolder, false, nil},
		"LIST":         {in, answer, "", command.ParseList, false, (*session).handleList},
		"LSUB":         {in, pass, "", command.ParseLSub, false, nil},
		"XLIST":        {in, pass, "XLIST", command.ParseLSub, false, nil},
		"NAMESPACE":    {in, pass, "NAMESPACE", command.ParseNone, false, nil},
		"STATUS":       {in, answer, "", command.ParseStatus, false, (*session).handleStatus},
		"APPEND":       {in, answer, "", command.ParseAppend, false, (*session).handleAppend},
		"IDLE":         {in, answer, "IDLE", command.ParseNone, barrier, (*session).handleIdle},
		"GETACL":       {in, pass, "ACL", command.ParseOneFolder, false, nil},
		"LISTRIGHTS":   {in, pass, "ACL", command.ParseListRights, false, nil},
		"MYRIGHTS":     {in, pass, "ACL", command.ParseOneFolder, false, nil},
		"SETACL":       {in, refuse, "ACL", command.ParseSetACL, barrier, (*session).handleAdmin},
		"DELETEACL":    {in, refuse, "ACL", command.ParseDeleteACL, barrier, (*session).handleAdmin},
		"GETQUOTA":     {in, pass, "QUOTA", command.ParseGetQuota, false, nil},
		"GETQUOTAROOT": {in, pass, "QUOTA", command.ParseOneFolder, false, nil},
		"SETQUOTA":     {in, refuse, "QUOTA", command.ParseSetQuota, barrier, (*session).handleAdmin},
		"GETMETADATA":  {in, pass, "METADATA", command.ParseGetMetadata, false, nil},
		"SETMETADATA":  {in, refuse, "METADATA", command.ParseSetMetadata, barrier, (*session).handleSetMetadata},

		// With a folder selected (6.4).
		"CHECK":       {selected, pass, "", command.ParseNone, false, nil},
		"CLOSE":       {selected, decide, "", command.ParseNone, barrier, (*session).handleClose},
		"UNSELECT":    {selected, answer, "UNSELECT", command.ParseNone, barrier, (*session).handleUnselect},
		"EXPUNGE":     {selected, decide, "", command.ParseNone, barrier, (*session).handleExpunge},
		"UID EXPUNGE": {selected, decide, "UIDPLUS", command.ParseUIDExpunge, barrier, (*session).handleExpunge},
		"SEARCH":      {selected, decide, "", command.ParseSearch, false, (*session).handleSearch},
		"UID SEARCH":  {selected, decide, "", command.ParseSearch, false, (*session).handleSearch},
		"SORT":        {selected, decide, "SORT", command.ParseSort, false, (*session).handleSearch},
		"UID SORT":    {selected, decide, "SORT", command.ParseSort, false, (*session).handleSearch},
		"THREAD":      {selected, decide, "", command.ParseThread, false, (*session).handleSearch},
		"UID THREAD":  {selected, decide, "", command.ParseThread, false, (*session).handleSearch},
		"FETCH":       {selected, decide, "", command.ParseFetch, false, (*session).handleFetch},
		"UID FETCH":   {selected, decide, "", command.ParseFetch, false, (*session).handleFetch},
		"STORE":       {selected, decide, "", command.ParseStore, false, (*session).handleStore},
		"UID STORE":   {selected, decide, "", command.ParseStore, false, (*session).handleStore},
		"COPY":        {selected, decide, "", command.ParseCopy, false, (*session).handleCopy},
		"UID COPY":    {selected, decide, "", command.ParseCopy, false, (*session).handleCopy},
		"MOVE":        {selected, decide, "MOVE", command.ParseMove, barrier, (*session).handleMove},
		"UID MOVE":    {selected, decide, "MOVE", command.ParseMove, barrier, (*session).handleMove},
	}
	for _, name := range unoffered {
		commands[name] = spec{states: always, treat: notOffered}
	}
}

// unoffered are commands of extensions that servers have and the guard does not
// offer.
var unoffered = []string{
	"COMPRESS",               // RFC 4978: nothing could be read any more
	"NOTIFY",                 // RFC 5465: tells of folders that are not selected
	"REPLACE", "UID REPLACE", // RFC 8508: removes the message that it replaces
	"UNAUTHENTICATE",         // RFC 8437: another login in the same session
	"ESEARCH",                // RFC 7377: numbers of folders that are not selected
	"CANCELUPDATE",           // RFC 5267
	"GETFILTER", "SETFILTER", // RFC 5466
	"GENURLAUTH", "RESETKEY", "URLFETCH", // RFC 4467: reads past the ledger
	"GETANNOTATION", "SETANNOTATION", // Cyrus, before METADATA: sets expiry
	"XMOVE", "UID XMOVE", "XRENAME", "XFER", // Cyrus
	"XKILLMY", "XMEOW", "XWARMUP", "XBACKUP", // Cyrus
	"LOCALAPPEND", "LOCALCREATE", "LOCALDELETE", "RECONSTRUCT", "UNDUMP", "DUMP", "XRUNANNOTATOR", // Cyrus
	"SYNCAPPLY", "SYNCGET", "SYNCRESTART", "SYNCRESTORE", "SCAN", // Cyrus
	"XAPPLEPUSHSERVICE", "X-GM-LABELS", "RLIST", "RLSUB", // Apple, Gmail, RFC 2193
}

// run reads the arguments of a command and runs it: its form first, then
// whether it is legal now, then what it means.
func (s *session) run(ctx context.Context, tag, name string) error {
	row, known := commands[name]
	if !known || row.grammar == nil || !s.has(row.capability) {
		if err := s.parser.Skip(); err != nil {
			return err
		}
		return replyUnknown
	}
	args, err := s.parser.Args(row.grammar)
	if err != nil {
		return err
	}
	if row.states&s.state == 0 {
		return replyWrongState
	}
	s.turn.Lock()
	defer s.turn.Unlock()
	if s.isSentAway(ctx) {
		return errEnd
	}
	if err := s.readmit(ctx, name, args); err != nil {
		return err
	}
	if m, ok := command.MessagesOf(args); ok && s.guarding() && imap.IsSearchRes(m.Set) {
		return Reply{Word: "BAD", Text: "SEARCHRES is not offered in this folder"}
	}
	if row.barrier && s.state != notAuthenticated {
		s.client.SetBusy(true) // a server that stops waits for what is under way
		defer s.client.SetBusy(false)
		if err := s.drain(ctx); err != nil {
			return err
		}
	}
	if err := s.hearNews(ctx, name); err != nil {
		return err
	}
	cmd, done, err := s.translate(ctx, command.Command{Tag: tag, Name: name, Args: args})
	if done || err != nil {
		return err
	}
	if row.handle == nil {
		return s.passOn(ctx, cmd)
	}
	return row.handle(s, ctx, cmd)
}

// passOn sends a command upstream as it was read.
func (s *session) passOn(ctx context.Context, cmd command.Command) error {
	return s.forward(ctx, cmd.Tag, &call{name: cmd.Name}, cmd.Args)
}
