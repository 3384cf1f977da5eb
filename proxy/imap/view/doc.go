// Package view is what one member sees of a folder. It is pure: message
// numbers and UIDs in, message numbers and UIDs out.
//
// A UID names a message for as long as the folder has its UIDVALIDITY. A message
// number is only its place of this moment: it moves with every EXPUNGE.
package view
