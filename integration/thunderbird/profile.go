package thunderbird

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// Model is what Thunderbird does when a message is deleted ("When I delete a
// message" in the account's settings).
type Model int

// The numbers are those of the preference delete_model.
const (
	Mark   Model = 0 // "Just mark it as deleted"
	Trash  Model = 1 // "Move it to this folder: Trash", the default
	Remove Model = 2 // "Remove it immediately"
)

// String is how people name it.
func (m Model) String() string {
	return [...]string{"mark as deleted", "move to Trash", "remove immediately"}[m]
}

// Account is where a Thunderbird logs in, with TLS from the first byte.
type Account struct {
	Host     string // as its certificate names it
	Port     string
	User     string
	Password string
	CAFile   string
	Model    Model
}

// Installed reports whether there is a Thunderbird here.
func Installed() error {
	if _, err := exec.LookPath("thunderbird"); err != nil {
		return errors.New("no thunderbird here: apt-get install thunderbird")
	}
	return nil
}

// writeProfile makes a fresh profile with one account.
func writeProfile(dir string, a Account) error {
	port, err := strconv.Atoi(a.Port)
	if err != nil {
		return fmt.Errorf("port of the account: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	var b strings.Builder
	for _, p := range append(quiet, accountPrefs(a, port)...) {
		fmt.Fprintf(&b, "user_pref(%q, %s);\n", p.name, p.literal())
	}
	return os.WriteFile(filepath.Join(dir, "user.js"), []byte(b.String()), 0o600)
}

// pref is a preference: a string, a bool or an int.
type pref struct {
	name  string
	value any
}

func (p pref) literal() string {
	if s, ok := p.value.(string); ok {
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprint(p.value)
}

// quiet keeps a fresh profile from asking, from telling about news, and from
// going to the network: whatever is no mail goes to a proxy that nobody runs.
var quiet = []pref{
	{"marionette.port", 0}, // a free one; see MarionetteActivePort
	{"app.donation.eoy.version.viewed", 999},
	{"app.update.auto", false},
	{"browser.cache.disk.enable", false},
	{"datareporting.healthreport.uploadEnabled", false},
	{"datareporting.policy.dataSubmissionEnabled", false},
	{"extensions.blocklist.enabled", false},
	{"extensions.systemAddon.update.enabled", false},
	{"extensions.update.enabled", false},
	{"mail.biff.show_alert", false},
	{"mail.biff.play_sound", false},
	{"mail.chat.enabled", false},
	{"mail.inappnotifications.enabled", false},
	{"mail.provider.suppress_dialog_on_startup", true},
	{"mail.rights.version", 99},
	{"mail.shell.checkDefaultClient", false},
	{"mail.spotlight.firstRunDone", true},
	{"mail.warn_on_shift_delete", false},
	{"mail.winsearch.firstRunDone", true},
	{"mail.ui.show.migration.on.upgrade", false},
	{"mailnews.start_page.enabled", false},
	{"mailnews.start_page_override.mstone", "ignore"},
	{"network.captive-portal-service.enabled", false},
	{"network.connectivity-service.enabled", false},
	{"network.proxy.type", 1},
	{"network.proxy.http", "127.0.0.1"},
	{"network.proxy.http_port", 9},
	{"network.proxy.ssl", "127.0.0.1"},
	{"network.proxy.ssl_port", 9},
	{"toolkit.telemetry.enabled", false},
	{"toolkit.telemetry.unified", false},
}

// accountPrefs are an IMAP account that does nothing by itself at the start:
// the password is typed in later. Messages are shown one a line, by date.
func accountPrefs(a Account, port int) []pref {
	return []pref{
		{"mail.accountmanager.accounts", "account1,account2"},
		{"mail.accountmanager.defaultaccount", "account1"},
		{"mail.account.account1.server", "server1"},
		{"mail.account.account1.identities", "id1"},
		{"mail.account.account2.server", "server2"},
		{"mail.accountmanager.localfoldersserver", "server2"},
		{"mail.server.server2.type", "none"},
		{"mail.server.server2.hostname", "Local Folders"},
		{"mail.server.server2.userName", "nobody"},
		{"mail.server.server2.name", "Local Folders"},
		{"mail.identity.id1.useremail", "support@example.com"},
		{"mail.identity.id1.fullName", "Support"},
		{"mail.identity.id1.valid", true},
		{"mail.server.server1.type", "imap"},
		{"mail.server.server1.name", "support"},
		{"mail.server.server1.hostname", a.Host},
		{"mail.server.server1.port", port},
		{"mail.server.server1.userName", a.User},
		{"mail.server.server1.socketType", 3}, // TLS from the first byte
		{"mail.server.server1.authMethod", 3}, // the password as it is
		{"mail.server.server1.login_at_startup", false},
		{"mail.server.server1.check_new_mail", false},
		{"mail.server.server1.delete_model", int(a.Model)},
		{"mailnews.default_sort_order", 1},
		{"mailnews.default_view_flags", 0},
	}
}
