package integration

import (
	"fmt"
	"os"
	"syscall"
)

// owner is whose a file is.
func owner(path string) (uid, gid int, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, 0, err
	}
	status, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, fmt.Errorf("%s: this system does not say whose it is", path)
	}
	return int(status.Uid), int(status.Gid), nil
}
