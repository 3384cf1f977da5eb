// Package admin answers an administrator's questions about a ledger (what is
// held and why it is not released yet, who uses which mailbox, what was decided)
// and carries out orders about messages: approve, restore, purge, pin and unpin.
// Backend does that with a ledger, Handler offers it as an HTTP API on a Unix
// socket that file rights guard, and Client asks that API. The command line asks
// a running server through Client, and opens the ledger itself only when none
// runs.
package admin
