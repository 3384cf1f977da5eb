// Package wire is the text of IMAP (RFC 9051, RFC 3501): lines, literals,
// atoms, number sets and folder names (an RFC's "mailbox" is our folder). It
// is pure: it reads from a reader that it is given and knows no socket, clock
// or file.
//
// Both sides of the guard need it. A client's command is read strictly: the
// Lexer takes a text in which two parsers could see different commands for an
// error. What goes upstream is written afresh by an Encoder, which cannot be
// made to write a line end, a NUL or an announcement of a literal that was not
// asked for. A server's responses are cut by the Framer, and pass on as bytes.
package wire
