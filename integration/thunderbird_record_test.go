//go:build thunderbird

package integration

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// tbResult names the file that the records are added to.
var tbResult = os.Getenv("MAILGUARD_THUNDERBIRD_RESULT")

var tbResultLock sync.Mutex // one record at a time

// tbRecord is what was seen in one story, in Markdown.
type tbRecord struct {
	version string // of Thunderbird
	text    strings.Builder
}

// newTBRecord is a record that is added to the file in the end.
func newTBRecord(t *testing.T, title string) *tbRecord {
	t.Helper()
	r := &tbRecord{}
	t.Cleanup(func() {
		if err := r.write(title, t.Failed()); err != nil {
			t.Error(err)
		}
	})
	return r
}

func (r *tbRecord) scene(what string) { fmt.Fprintf(&r.text, "\n%s:\n", what) }

func (r *tbRecord) note(what string) { fmt.Fprintf(&r.text, "- %s\n", what) }

func (r *tbRecord) write(title string, failed bool) error {
	if tbResult == "" {
		return nil
	}
	tbResultLock.Lock()
	defer tbResultLock.Unlock()
	f, err := os.OpenFile(tbResult, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	verdict := "passed"
	if failed {
		verdict = "FAILED"
	}
	_, err = fmt.Fprintf(f, "\n## %s: %s\n\n%s, Thunderbird %s\n%s", title, verdict, time.Now().UTC().Format(time.DateOnly), r.version, &r.text)
	return err
}
