// Package view is what one member sees of a folder: what is upstream, less what
// this member has deleted. It is pure: message numbers and UIDs in, message
// numbers and UIDs out.
//
// A UID names a message for as long as the folder has its UIDVALIDITY. A message
// number is only its place of this moment: it moves with every EXPUNGE. There
// are two countings, and a type for each: [UpstreamSeq] and [ClientSeq].
//
// A [View] is told everything that the upstream says of its numbers, in the order
// in which it is said, and what it answers is passed to the client in that
// order. Then both sides agree at every moment. A command of the client's with
// message numbers in it is to be translated when no command is under way that
// may change them; the view cannot know that.
package view
