// Package proxy is the plumbing below the protocols: it accepts connections,
// wraps them with deadlines and side-marked errors, upgrades them to TLS, dials
// the upstream and drains sessions when the server stops. It knows no verb, no
// tag and no message number; a third text protocol could use it unchanged.
//
// # Who owns what
//
// A [Server] owns its listener and one goroutine for each connection. That
// goroutine runs the [Handler]; when the handler returns (or panics), the server
// closes the connection and gives its slot back. The handler owns everything
// else that belongs to the session: the upstream [Conn], timers and any
// goroutine of its own, all of which have ended when ServeConn returns.
//
// A session that has nothing to do may return a [Parked]: it keeps its slot and its
// connections, but has no goroutine until something happens. The server's poller, one
// goroutine for all of them, starts a new one then. The old one, the poller and the
// new one never work on a session at the same time.
//
// A [Conn] belongs to the session. One goroutine may read while another one
// writes; the TLS upgrade needs both halves at once. [Conn.Interrupt], [Conn.Pause],
// [Conn.Wake], [Conn.Close] and the setters of deadlines may be called from any
// goroutine.
//
// The context of ServeConn ends when the session must go: when the server
// drains and the session is not busy, or when the time for draining is over. An
// upstream connection is tied to it by [Conn.CloseWith].
//
// # Memory
//
// An idle session holds the small buffers of its two Conns, where it asked for
// them, and nothing else. A session that is parked holds what TLS keeps, less than
// 10 KiB in all. Message bodies pass through 32 KiB buffers borrowed from
// [GetBuffer] for as long as bytes flow.
package proxy
