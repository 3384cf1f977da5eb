package servers

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// What is run from where tools/unpack-servers put it.
const (
	cyrusBin     = "/usr/lib/cyrus/bin/"
	courierAuth  = "/usr/lib/courier/courier-authlib/"
	courierLogin = "/usr/lib/courier/courier/"
	courierTCP   = "/usr/sbin/couriertcpd"
	courierIMAP  = "/usr/bin/imapd"
	gamServer    = "/usr/libexec/gam_server" // tells imapd about new files
)

// cacheDir is where the unpacked programs and the directories of running
// servers are: on one file system, so that links do instead of copies.
func cacheDir() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("where Cyrus and Courier are unpacked: %w", err)
	}
	return filepath.Join(cache, "mailguard"), nil
}

// Installed reports whether Cyrus and Courier can be run here. The error says
// what is missing, and what to do about it.
func Installed() error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("this is %s: Cyrus and Courier are run on Linux only", runtime.GOOS)
	}
	cache, err := cacheDir()
	if err != nil {
		return err
	}
	unpacked := filepath.Join(cache, "servers")
	var missing []string
	for _, program := range []string{
		cyrusBin + "master", cyrusBin + "imapd", cyrusBin + "pop3d",
		courierAuth + "authdaemond", courierLogin + "imaplogin", courierTCP, courierIMAP, gamServer,
	} {
		if _, err := os.Stat(filepath.Join(unpacked, program)); err != nil {
			missing = append(missing, program)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("no Cyrus and Courier here (run tools/unpack-servers): %s has no %s", unpacked, strings.Join(missing, " "))
	}
	if os.Getuid() != 0 {
		return fmt.Errorf("Cyrus and Courier need root to be run: they are confined to a directory of their own (chroot), where they then run as an unprivileged user")
	}
	return nil
}
