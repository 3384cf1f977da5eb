package guard

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	flag.Parse()
	// Every check of the model writes to the disk some dozen times. More are
	// for whoever asks: -rapid.checks=1000.
	if checks := flag.Lookup("rapid.checks"); checks.Value.String() == checks.DefValue {
		_ = checks.Value.Set("4")
	}
	goleak.VerifyTestMain(m)
}
