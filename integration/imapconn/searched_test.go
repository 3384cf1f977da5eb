package imapconn

import (
	"strings"
	"testing"
)

const (
	returns   = opened + `C:a SEARCH RETURN (MIN MAX COUNT ALL) ALL|S:* ESEARCH (TAG "a") `
	returnsOf = opened + `C:a UID SEARCH RETURN (MIN MAX COUNT ALL) ALL|S:* ESEARCH (TAG "a") `
)

var searchRules = []ruleTest{
	{"SEARCH of nothing", opened + "C:a SEARCH ALL|S:* SEARCH|S:a OK done", ""},
	{"SEARCH without a response", opened + "C:a SEARCH ALL|S:a OK done", "SEARCH is OK without a response"},
	{"SEARCH without a response is NO", opened + "C:a SEARCH ALL|S:a NO not now", ""},
	{"SEARCH whose result is saved", opened + "C:a SEARCH RETURN (SAVE) ALL|S:a OK done", ""},
	{"SEARCH that nobody asked for", opened + "C:a NOOP|S:* SEARCH 1", "nobody asked for"},
	{"SEARCH twice the same", opened + "C:a SEARCH ALL|S:* SEARCH 1 2 1", "finds 1 twice"},
	{"SEARCH of 0", opened + "C:a SEARCH ALL|S:* SEARCH 0", "out of range"},
	{"SORT twice the same", opened + "C:a SORT (DATE) UTF-8 ALL|S:* SORT 3 1 3", "finds 3 twice"},
	{"SORT", opened + "C:a SORT (DATE) UTF-8 ALL|S:* SORT 3 1 2|S:a OK done", ""},
	{"UID SORT above", opened + "C:a UID SORT (DATE) UTF-8 ALL|S:* SORT 300|S:a OK done", ""},
	{"THREAD", opened + "C:a THREAD REFS UTF-8 ALL|S:* THREAD (3)(1 2)|S:a OK done", ""},
	{"THREAD without a response", opened + "C:a UID THREAD REFS UTF-8 ALL|S:a OK done", "UID THREAD is OK without a response"},
	{"THREAD above", opened + "C:a THREAD REFS UTF-8 ALL|S:* THREAD (3 (4)(1))", "out of range"},
	{"THREAD twice the same", opened + "C:a THREAD REFS UTF-8 ALL|S:* THREAD (3 (1)(1))", "finds 1 twice"},
	{"UID THREAD above", opened + "C:a UID THREAD REFS UTF-8 ALL|S:* THREAD (300)|S:a OK done", ""},

	{"ESEARCH of all items", returns + "MIN 1 MAX 3 COUNT 2 ALL 1,3|S:a OK done", ""},
	{"ESEARCH of nothing", returns + "COUNT 0|S:a OK done", ""},
	{"ESEARCH, MIN above MAX", returns + "MIN 3 MAX 1", "MIN is above MAX"},
	{"ESEARCH, MIN not in ALL", returns + "MIN 2 ALL 1,3", "not those of ALL"},
	{"ESEARCH, MAX not in ALL", returns + "MAX 2 ALL 1,3", "not those of ALL"},
	{"ESEARCH, COUNT too small", returns + "COUNT 1 ALL 1,3", "not the size of ALL"},
	{"ESEARCH, COUNT too small for UIDs", returnsOf + "UID COUNT 1 ALL 10,30", "not the size of ALL"},
	{"ESEARCH, COUNT above", returns + "COUNT 4", "out of range"},
	{"ESEARCH by UID, COUNT above", returnsOf + "UID COUNT 4", "out of range"},
	{"ESEARCH, MIN of nothing", returns + "MIN 1 COUNT 0", "of nothing"},
	{"ESEARCH, one message", returns + "MIN 1 MAX 2 COUNT 1", "the first and the last"},
	{"ESEARCH, MIN above", returns + "MIN 4", "out of range"},
	{"ESEARCH, MIN 0", returns + "MIN 0", "out of range"},
	{"ESEARCH, no value", returns + "MIN", "without a value"},
	{"ESEARCH of UIDs for numbers", returns + "UID MIN 1", "has UID exactly if"},
	{"ESEARCH of numbers for UIDs", returnsOf + "MIN 1", "has UID exactly if"},
	{"ESEARCH, MODSEQ", returns + "MIN 1 MODSEQ 917|S:a OK done", ""},
}

func TestSearchRules(t *testing.T) { checkRules(t, searchRules) }

const toStatus = opened + "C:a STATUS b (MESSAGES)|S:* STATUS b "

// The answers to SELECT and STATUS, and what a client sends that a server may
// read otherwise.
var openingRules = []ruleTest{
	{"SELECT without FLAGS", "S:* OK hello|C:a SELECT b|S:* 1 EXISTS|S:a OK done", "without FLAGS"},
	{"SELECT without EXISTS", "S:* OK hello|C:a EXAMINE b|S:* FLAGS ()|S:a OK done", "EXAMINE is OK without EXISTS"},
	{"SELECT after FLAGS of another folder", opened + "S:* FLAGS (x)|C:a SELECT b|S:* 1 EXISTS|S:a OK done", "without FLAGS"},
	{"SELECT is NO", "S:* OK hello|C:a SELECT b|S:a NO none", ""},
	{"SELECT is BAD", opened + "C:a SELECT (|S:a BAD what?|C:b NOOP|S:* 3 EXPUNGE|S:b OK done", ""},
	{"UNSEEN", "S:* OK hello|C:a SELECT b|S:* FLAGS ()|S:* OK [UNSEEN 2] first|S:* 2 EXISTS|S:a OK done", ""},
	{"UNSEEN above", "S:* OK hello|C:a SELECT b|S:* FLAGS ()|S:* OK [UNSEEN 3] first|S:* 2 EXISTS|S:a OK done", "UNSEEN 3, and there are 2"},
	{"UNSEEN 0", "S:* OK hello|C:a SELECT b|S:* FLAGS ()|S:* OK [UNSEEN 0] first", "UNSEEN is no number"},
	{"UIDNEXT without a number", "S:* OK hello|C:a SELECT b|S:* FLAGS ()|S:* OK [UIDNEXT] next", "UIDNEXT is no number"},
	{"EXPUNGE during CLOSE", opened + "C:a CLOSE|S:* 1 EXPUNGE", "EXPUNGE during CLOSE"},
	{"EXPUNGE during EXPUNGE, CLOSE waits", opened + "C:a EXPUNGE|C:b CLOSE|S:* 1 EXPUNGE|S:a OK done|S:b OK done", ""},
	{"EXPUNGE during the negotiation of a literal", opened + "C:a APPEND x {5}|S:* 1 EXPUNGE", "no command is in progress"},
	{"EXPUNGE during APPEND", opened + "C:a APPEND x {2}|S:+ go|C:ab|S:* 1 EXPUNGE|S:a OK done", ""},
	{"EXISTS as before", opened + "S:* 3 EXISTS", ""},

	{"STATUS", toStatus + "(MESSAGES 3 UNSEEN 0 UIDNEXT 9)|S:a OK done", ""},
	{"STATUS with extensions", toStatus + "(MAILBOXID (F1) APPENDLIMIT NIL HIGHESTMODSEQ 0)|S:a OK done", ""},
	{"STATUS of a quoted name", opened + `C:a STATUS "b (c" (MESSAGES)|S:* STATUS "b (c" (MESSAGES 3)|S:a OK done`, ""},
	{"STATUS without a response", opened + "C:a STATUS b (MESSAGES)|S:a OK done", "STATUS is OK without a response"},
	{"STATUS without a value", toStatus + "(MESSAGES)", "no list of items"},
	{"STATUS without a list", toStatus + "MESSAGES 3", "no list of items"},
	{"STATUS with a word for a number", toStatus + "(MESSAGES many)", "without sense"},
	{"STATUS with a negative number", toStatus + "(MESSAGES -1)", "without sense"},
	{"STATUS with an unknown item", toStatus + "(MASSAGES 3)", "without sense"},
	{"STATUS with an item twice", toStatus + "(MESSAGES 3 MESSAGES 3)", "without sense"},
	{"STATUS with more unseen than there are", toStatus + "(UNSEEN 4 MESSAGES 3)", "4 UNSEEN of 3 messages"},
	{"STATUS with more deleted than there are", toStatus + "(MESSAGES 3 DELETED 4)", "4 DELETED of 3 messages"},

	{"IDLE ended at once", opened + "C:a IDLE|C:DONE|C:b NOOP|S:+ idling|S:a OK done|S:b OK done", ""},
	{"IDLE, two continuations", opened + "C:a IDLE|S:+ idling|S:+ idling", "no command waits"},
	{"IDLE ended by something else", opened + "C:a IDLE|S:+ idling|C:b NOOP|S:b OK what?", ""},
	{"lost", opened + "C:a  NOOP|S:a OK done|S:* 9 EXPUNGE|S:x OK what?", ""},
	{"lost, the form is still judged", opened + "C:a  NOOP|S:nonsense", "neither tagged nor"},
	{"lost and found", opened + "C:a  NOOP|S:* BAD what?|C:b SELECT b|S:* FLAGS ()|S:* 1 EXISTS|S:b OK done|C:c NOOP|S:* 2 EXPUNGE", "out of range"},
	{"lost and not found", opened + "C:a  NOOP|S:* BAD what?|C:b SELECT b|C:c NOOP|S:* FLAGS ()|S:* 1 EXISTS|S:b OK done|S:* 2 EXPUNGE", ""},
	{"a literal that was not asked for", opened + "C:a APPEND x {8}|C:b NOOP|S:a NO none|S:b OK done", ""},
	{"a tag as long as no other", opened + "C:" + strings.Repeat("x", 65) + " NOOP|S:* BAD what?|S:* 9 EXPUNGE", ""},
	{"a bare LF", opened + "C:a NOOP\n|S:* 3 EXPUNGE|S:* 3 EXPUNGE", ""},
	{"a size in another form", opened + "C:a APPEND x { 8+}|S:b OK done", ""},
	{"an open quote before a size", opened + `C:a APPEND "x {8+}|S:b OK done`, ""},
	{"a quote before a size", opened + `C:a APPEND "x\"" {8+}|S:b OK done`, "or a second one"},
	{"something behind STARTTLS", "S:* OK hello|C:a STARTTLS|C:b NOOP|S:x OK what?", ""},
}

func TestOpeningRules(t *testing.T) { checkRules(t, openingRules) }
