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
		return fmt.Errorf("Dovecot is run on Linux only, this is %s", runtime.GOOS)
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
		return fmt.Errorf("Dovecot is not installed: apt-get install %s", strings.Join(missing, " "))
	}
	_, err := runAs()
	return err
}
