package dovecot

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
)

// account is the one system user whom all of Dovecot's processes run as.
type account struct {
	user, group string
	uid, gid    int
}

// runAs is the current user, or, for root, an unprivileged one: Dovecot opens
// no mail as root.
func runAs() (account, error) {
	if os.Getuid() != 0 {
		current, err := user.Current()
		if err != nil {
			return account{}, fmt.Errorf("who runs this: %w", err)
		}
		return accountOf(current)
	}
	for _, name := range []string{"dovecot", "nobody"} {
		if found, err := user.Lookup(name); err == nil {
			return accountOf(found)
		}
	}
	return account{}, fmt.Errorf("no user dovecot and none nobody to run Dovecot as: apt-get install dovecot-core")
}

func accountOf(u *user.User) (account, error) {
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return account{}, fmt.Errorf("user id of %s: %w", u.Username, err)
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return account{}, fmt.Errorf("group id of %s: %w", u.Username, err)
	}
	group, err := user.LookupGroupId(u.Gid)
	if err != nil {
		return account{}, fmt.Errorf("main group of %s: %w", u.Username, err)
	}
	return account{user: u.Username, group: group.Name, uid: uid, gid: gid}, nil
}

// own gives a file or folder to the account. Only root can give, and only
// root has to.
func (a account) own(path string) error {
	if os.Getuid() != 0 {
		return nil
	}
	return os.Chown(path, a.uid, a.gid)
}

// mkdir makes a folder that belongs to the account. Dovecot wants its own to be
// readable by all, and closes what nobody else may read itself.
func (a account) mkdir(path string) error {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return err
	}
	return a.own(path)
}

// write makes a file that belongs to the account and that nobody else reads.
func (a account) write(path string, content []byte) error {
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return err
	}
	return a.own(path)
}
