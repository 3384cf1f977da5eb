package command

// grammars are the commands by their names, as a session's table has them.
var grammars = map[string]Grammar{
	"CAPABILITY": ParseNone, "NOOP": ParseNone, "LOGOUT": ParseNone, "STARTTLS": ParseNone, "NAMESPACE": ParseNone,
	"CHECK": ParseNone, "CLOSE": ParseNone, "UNSELECT": ParseNone, "EXPUNGE": ParseNone, "IDLE": ParseNone,
	"LOGIN": ParseLogin, "AUTHENTICATE": ParseAuthenticate, "ID": ParseID, "ENABLE": ParseEnable,
	"SELECT": ParseSelect, "EXAMINE": ParseSelect, "CREATE": ParseCreate, "DELETE": ParseOneFolder, "RENAME": ParseRename,
	"SUBSCRIBE": ParseOneFolder, "UNSUBSCRIBE": ParseOneFolder, "LIST": ParseList, "LSUB": ParseLSub, "XLIST": ParseLSub,
	"STATUS": ParseStatus, "APPEND": ParseAppend, "UID EXPUNGE": ParseUIDExpunge,
	"SEARCH": ParseSearch, "UID SEARCH": ParseSearch, "SORT": ParseSort, "UID SORT": ParseSort,
	"THREAD": ParseThread, "UID THREAD": ParseThread, "FETCH": ParseFetch, "UID FETCH": ParseFetch,
	"STORE": ParseStore, "UID STORE": ParseStore, "COPY": ParseCopy, "UID COPY": ParseCopy,
	"MOVE": ParseMove, "UID MOVE": ParseMove, "GETACL": ParseOneFolder, "MYRIGHTS": ParseOneFolder,
	"LISTRIGHTS": ParseListRights, "SETACL": ParseSetACL, "DELETEACL": ParseDeleteACL,
	"GETQUOTA": ParseGetQuota, "GETQUOTAROOT": ParseOneFolder, "SETQUOTA": ParseSetQuota,
	"GETMETADATA": ParseGetMetadata, "SETMETADATA": ParseSetMetadata,
}
