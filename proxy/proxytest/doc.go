// Package proxytest is what the tests of the protocols share: certificates, a
// pipe for a client, and a scripted upstream. Whatever it starts ends with the
// test. All of it but [Listen] works inside a testing/synctest bubble.
package proxytest
