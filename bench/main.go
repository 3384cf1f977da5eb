// Command bench measures what the guard costs: it runs the built binary in
// front of an in-memory POP3 server and, in the same rounds, talks to that
// server directly, both with TLS. The machines are noisy: only the ratios of
// one run mean anything.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"time"
)

func main() {
	binary := flag.String("binary", "bin/mailguard", "the mailguard to measure")
	rounds := flag.Int("rounds", 3, "how often everything is measured")
	sessions := flag.Int("sessions", 1000, "idle sessions whose memory is measured")
	flag.Parse()
	if err := run(*binary, *rounds, *sessions); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(binary string, rounds, sessions int) error {
	b, err := start(binary)
	if err != nil {
		return err
	}
	defer b.stop()
	if err := b.measureRates(rounds); err != nil {
		return err
	}
	return b.measureMemory(sessions)
}

// way is one way to the mail.
type way struct {
	name    string
	address string
	user    string
}

// rate is one thing that is measured: how much was done in how long.
type rate struct {
	name string
	unit string
	f    func(w way) (amount float64, err error)
}

// measureRates measures everything on every way, the ways taking turns within
// a round, and prints the medians beside the direct way's.
func (b *bench) measureRates(rounds int) error {
	fmt.Printf("%-34s %12s %18s %18s\n", "", b.ways[0].name, b.ways[1].name, b.ways[2].name)
	for _, r := range b.rates() {
		results := make([][]float64, len(b.ways))
		for range rounds {
			for i, w := range b.ways {
				begin := time.Now()
				amount, err := r.f(w)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", r.name, w.name, err)
				}
				results[i] = append(results[i], amount/time.Since(begin).Seconds())
			}
		}
		direct := median(results[0])
		fmt.Printf("%-34s %12.0f", r.name+", "+r.unit, direct)
		for _, values := range results[1:] {
			fmt.Printf(" %10.0f (%4.2f)", median(values), median(values)/direct)
		}
		fmt.Println()
	}
	return nil
}

func median(values []float64) float64 {
	values = slices.Sorted(slices.Values(values))
	return values[len(values)/2]
}
