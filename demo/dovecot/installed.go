package dovecot

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// Where Debian and its kin keep Dovecot's programs.
const (
	binary  = "/usr/sbin/dovecot"
	libexec = "/usr/lib/dovecot"
)

// Installed reports whether Dovecot can be run here. The error says what is
// missing, and which Debian package has it.
func Installed() error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("this is %s: Dovecot is run on Linux only", runtime.GOOS)
	}
	needs := []struct{ file, pkg string }{
		{binary, "dovecot-core"},
		{libexec + "/pop3", "dovecot-pop3d"},
		{libexec + "/imap", "dovecot-imapd"},
	}
	var missing []string
	for _, need := range needs {
		if _, err := os.Stat(need.file); err != nil {
			missing = append(missing, need.pkg)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("no Dovecot here: apt-get install %s", strings.Join(missing, " "))
	}
	_, err := runAs()
	return err
}
