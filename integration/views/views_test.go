package views

import (
	"flag"
	"os"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// What `make test` plays, and what MAILGUARD_LONG=1 does. MAILGUARD_OPERATIONS
// says another number, MAILGUARD_SEED another beginning.
const (
	dovecotOperations       = 1_000
	dovecotOperationsLong   = 200_000
	simulatedOperations     = 3_000
	simulatedOperationsLong = 1_000_000
)

func TestMain(m *testing.M) {
	flag.Parse()
	for name, value := range map[string]string{"rapid.steps": "100", "rapid.checks": "2", "rapid.shrinktime": "20s", "rapid.nofailfile": "true"} {
		if f := flag.Lookup(name); f.Value.String() == f.DefValue {
			_ = f.Value.Set(value)
		}
	}
	os.Exit(m.Run())
}

// Every member's clients see what the model says, whatever the others do, and
// upstream everything is there that policy did not allow to go.
func TestViewsOfDovecot(t *testing.T) {
	play(t, dovecotStage(t, true), dovecotOperations, dovecotOperationsLong)
}

func TestViewsOfTheSimulation(t *testing.T) {
	play(t, simulated(t, true), simulatedOperations, simulatedOperationsLong)
}

// Without views deferrals refuse, and everybody sees everything.
func TestNoViews(t *testing.T) { play(t, simulated(t, false), 500, 100_000) }

// play plays histories until there were enough operations.
func play(t *testing.T, s *stage, operations, long int) {
	t.Helper()
	if os.Getenv("MAILGUARD_LONG") != "" {
		operations = long
	}
	if n, err := strconv.Atoi(os.Getenv("MAILGUARD_OPERATIONS")); err == nil {
		operations = n
	}
	seed, err := strconv.ParseUint(os.Getenv("MAILGUARD_SEED"), 10, 64)
	if err != nil {
		seed = uint64(time.Now().UnixNano())
	}
	given := flag.Lookup("rapid.seed").Value.String() != "0" || flag.Lookup("rapid.failfile").Value.String() != ""
	begun := time.Now()
	t.Cleanup(func() { t.Logf("%s; seeds from %d; %v", s.tally, seed, time.Since(begun).Round(time.Millisecond)) })
	for first := seed; s.operations < operations && !t.Failed(); first++ {
		if !given {
			_ = flag.Set("rapid.seed", strconv.FormatUint(first, 10))
		}
		rapid.Check(t, s.history)
		if given {
			return
		}
	}
	_ = flag.Set("rapid.seed", "0")
}

// history is one history from its beginning to its end.
func (s *stage) history(t *rapid.T) {
	h := s.begin(t)
	defer h.end()
	t.Repeat(h.actions())
	h.T = t
	h.checkAll()
}
