// Package admin answers an administrator's questions about a ledger: what is
// held and why it is not released yet, and who uses which mailbox. Reader
// answers them from a ledger, Handler offers the answers as an HTTP API on a
// Unix socket that file rights guard, and Client asks that API. The command
// line asks a running server through Client, and opens the ledger itself only
// when none runs.
package admin
