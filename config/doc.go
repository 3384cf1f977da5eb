// Package config turns the YAML file into checked, immutable values, or into
// the list of everything that is wrong with it: each mistake with its file,
// line and column, what is wrong and what would be right.
//
// A file goes through four steps. The text becomes a tree that knows its
// positions (source.go). The tree is held against the types of file.go: keys
// that nobody knows, values of the wrong kind (shape.go). What is left of it is
// decoded, and what it means is checked section by section (listeners.go,
// upstreams.go, ...). A mistake in an earlier step does not keep the later
// ones from finding theirs.
//
// Secrets never become part of a problem: they are named as files, and where a
// value could be one that was written into the wrong place, it is not shown.
package config
