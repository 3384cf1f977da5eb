package policy

// The names of the built-in rules. The configuration cannot use them.
const (
	BuiltinDrafts = "builtin-unsent-drafts-may-go"
	BuiltinShared = "builtin-shared-mail-stays-until-everyone-is-done"
	BuiltinOthers = "builtin-everything-else-may-go"
)

// Builtin are the rules that stand behind those of the configuration. The last
// one always holds, so that there always is a verdict.
func Builtin() []Rule {
	return []Rule{
		{
			Name: BuiltinDrafts,
			When: `mailbox.shared && folder_use == "drafts" && op == "imap.expunge"`,
			Then: Allow,
		},
		{
			Name:      BuiltinShared,
			When:      `mailbox.shared`,
			Then:      Defer,
			Anonymous: AnonymousHide,
			Release: &Release{
				When:   `everyone_is_done()`,
				Unless: `"\\Flagged" in message.flags`,
			},
		},
		{
			Name: BuiltinOthers,
			When: `true`,
			Then: Allow,
		},
	}
}
