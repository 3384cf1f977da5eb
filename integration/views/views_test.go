package views

import (
	"flag"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// What is played where. `make test` runs with the race detector, under which an
// operation takes ten times as long, most of it in SQLite: there the simulation
// plays few. Without it, as in `go test ./integration/views`, it plays 20,000. In
// long mode, `make views`, Dovecot plays 200,000 operations and the simulation a
// hundred times as many, over all cores. MAILGUARD_OPERATIONS says another number
// for both, MAILGUARD_SEED the first seed.
const (
	dovecotOperations       = 1_000
	dovecotOperationsLong   = 200_000
	simulatedOperations     = 20_000
	simulatedOperationsRace = 500
	simulatedOperationsLong = 20_000_000
)

// checks are the histories that are played in one go, with seeds that rapid
// makes of one. Each go has a line in the log.
const (
	checks     = 1
	checksLong = 100
)

func isLong() bool { return os.Getenv("MAILGUARD_LONG") != "" }

func TestMain(m *testing.M) {
	flag.Parse()
	defaults := map[string]string{"rapid.steps": "100", "rapid.checks": strconv.Itoa(checks), "rapid.shrinktime": "20s", "rapid.nofailfile": "true"}
	if isLong() {
		defaults["rapid.checks"] = strconv.Itoa(checksLong)
	}
	for name, value := range defaults {
		if f := flag.Lookup(name); f.Value.String() == f.DefValue {
			_ = f.Value.Set(value)
		}
	}
	os.Exit(m.Run())
}

// Every member's clients see what the model says, whatever the others do, and
// upstream everything is there that policy did not allow to go.
func TestViewsOfDovecot(t *testing.T) {
	play(t, 1, func(t *testing.T) *stage { return dovecotStage(t) }, dovecotOperations, dovecotOperationsLong)
}

func TestViewsOfTheSimulation(t *testing.T) {
	operations := simulatedOperations
	if raceDetector {
		operations = simulatedOperationsRace
	}
	play(t, runtime.GOMAXPROCS(0), func(t *testing.T) *stage { return simulated(t) }, operations, simulatedOperationsLong)
}

// playing is one test's histories, which several stages play at once, each its
// own.
type playing struct {
	left  atomic.Int64  // operations
	seeds atomic.Uint64 // the next one
	each  uint64        // how far the seeds of one go reach
}

// play plays histories until there were enough operations.
func play(t *testing.T, stages int, begin func(*testing.T) *stage, operations, long int) {
	t.Helper()
	if isLong() {
		operations = long
	}
	if n, err := strconv.Atoi(os.Getenv("MAILGUARD_OPERATIONS")); err == nil {
		operations = n
	}
	seed, err := strconv.ParseUint(os.Getenv("MAILGUARD_SEED"), 10, 64)
	if err != nil {
		seed = uint64(time.Now().UnixNano())
	}
	p := &playing{}
	n, _ := strconv.ParseUint(flag.Lookup("rapid.checks").Value.String(), 10, 64)
	p.each = n*(n-1)/2 + 1 // rapid adds 1 to the seed, then 2, then 3
	p.left.Store(int64(operations))
	p.seeds.Store(seed)
	if isGiven() { // whatever subtest was named for it
		rapid.Check(t, begin(t).history)
		return
	}
	for i := range stages {
		t.Run("stage "+itoa(i+1), func(t *testing.T) {
			if stages > 1 {
				t.Parallel()
			}
			for n := 1; n == 1 || p.left.Load() > 0 && !t.Failed(); n++ {
				t.Run(itoa(n), func(t *testing.T) {
					begun, s := time.Now(), begin(t)
					t.Cleanup(func() { t.Logf("%s; seeds from %d; %v", s.tally, seed, time.Since(begun).Round(time.Millisecond)) })
					p.on(t, s)
				})
			}
		})
	}
}

// isGiven reports whether one seed is to be played, or a file.
func isGiven() bool {
	return flag.Lookup("rapid.seed").Value.String() != "0" || flag.Lookup("rapid.failfile").Value.String() != ""
}

// stageOperations is how much one stage plays before another takes its place: its
// ledger grows.
const stageOperations = 10_000

// on plays on one stage.
func (p *playing) on(t *testing.T, s *stage) {
	for p.left.Load() > 0 && s.operations < stageOperations && !t.Failed() {
		before := s.operations
		check(t, p.seeds.Add(p.each)-p.each, s.history)
		p.left.Add(int64(before - s.operations))
	}
}

// seeding guards the flag by which a seed is told.
var seeding sync.Mutex

// check is rapid.Check with a seed: it has read the flag when it comes to the
// property.
func check(t *testing.T, seed uint64, property func(*rapid.T)) {
	seeding.Lock()
	unlock := sync.OnceFunc(func() {
		_ = flag.Set("rapid.seed", "0")
		seeding.Unlock()
	})
	defer unlock()
	_ = flag.Set("rapid.seed", strconv.FormatUint(seed, 10))
	rapid.Check(t, func(t *rapid.T) {
		unlock()
		property(t)
	})
}

// history is one history from its beginning to its end.
func (s *stage) history(t *rapid.T) {
	h := s.begin(t)
	defer h.end()
	t.Repeat(h.actions())
	h.T = t
	h.checkAll()
}
