package main

import (
	"fmt"
	"regexp"
	"slices"
	"sync"
	"time"
)

// way is one way to the mail.
type way struct {
	name       string
	pop3, imap string // addresses
	user       string
	collector  string // a user with many small messages
}

// rate is one thing that is measured: how much was done in a second.
type rate struct {
	name string
	unit string
	f    func(w way) (work, error)
}

// work is how much was done in how long.
type work struct {
	amount float64
	took   time.Duration
	cpu    time.Duration // of the guard
}

func (b *bench) rates() []rate { return slices.Concat(b.ratesPOP3(), b.ratesIMAP()) }

// measureRates measures everything on every way, the ways taking turns within
// a round, and prints the medians beside the direct way's.
func (b *bench) measureRates(rounds int, fits *regexp.Regexp) error {
	fmt.Printf("%-40s %10s %30s %30s\n", "", b.ways[0].name, b.ways[1].name, b.ways[2].name)
	fmt.Printf("%-40s %10s %30s %30s\n", "", "", "(of direct) processor/each", "(of direct) processor/each")
	for _, r := range b.rates() {
		if !fits.MatchString(r.name) {
			continue
		}
		if err := b.measureRate(r, rounds); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) measureRate(r rate, rounds int) error {
	rates, cpu := make([][]float64, len(b.ways)), make([][]float64, len(b.ways))
	for range rounds {
		for i, w := range b.ways {
			done, err := r.f(w)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", r.name, w.name, err)
			}
			rates[i] = append(rates[i], done.amount/done.took.Seconds())
			cpu[i] = append(cpu[i], float64(done.cpu.Microseconds())/done.amount)
		}
	}
	direct := median(rates[0])
	fmt.Printf("%-40s %10.0f", r.name+", "+r.unit, direct)
	for i := range b.ways[1:] {
		fmt.Printf(" %10.0f (%4.2f) %8.2f µs", median(rates[i+1]), median(rates[i+1])/direct, median(cpu[i+1]))
	}
	fmt.Println()
	return nil
}

func median(values []float64) float64 {
	values = slices.Sorted(slices.Values(values))
	return values[len(values)/2]
}

// session is what a client of either protocol can do.
type session interface{ quit() error }

// timed opens so many sessions, runs f in all of them at once, and times that.
func timed[S session](b *bench, n int, open func() (S, error), f func(S) (int, error)) (w work, err error) {
	sessions, err := openAll(n, open)
	defer func() {
		for _, s := range sessions {
			if e := s.quit(); e != nil && err == nil {
				err = e
			}
		}
	}()
	if err != nil {
		return w, err
	}
	return b.clocked(n, func(i int) (int, error) { return f(sessions[i]) })
}

// clocked runs f so many times at once, adds up what it returns and times it.
func (b *bench) clocked(n int, f func(i int) (int, error)) (w work, err error) {
	cpu, err := b.processorTime()
	if err != nil {
		return w, err
	}
	begin := time.Now()
	sum, err := parallel(n, f)
	w = work{amount: float64(sum), took: time.Since(begin)}
	if err != nil {
		return w, err
	}
	after, err := b.processorTime()
	w.cpu = after - cpu
	return w, err
}

// parallel runs f so many times at once and adds up what it returns.
func parallel(n int, f func(i int) (int, error)) (sum int, err error) {
	var mu sync.Mutex
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			got, e := f(i)
			mu.Lock()
			defer mu.Unlock()
			sum += got
			if e != nil {
				err = e
			}
		})
	}
	all.Wait()
	return sum, err
}

// openAll opens sessions, one after another.
func openAll[S session](n int, open func() (S, error)) (sessions []S, err error) {
	for range n {
		s, err := open()
		if err != nil {
			return sessions, err
		}
		sessions = append(sessions, s)
	}
	return sessions, nil
}

// logins opens and ends sessions, so many at once, each so many times.
func logins[S session](b *bench, atOnce, each int, open func() (S, error)) (work, error) {
	return b.clocked(atOnce, func(int) (int, error) {
		for i := range each {
			s, err := open()
			if err != nil {
				return i, err
			}
			if err := s.quit(); err != nil {
				return i, err
			}
		}
		return each, nil
	})
}

const mega = 1 << 20

// megabytes counts in MB what was counted in octets.
func megabytes(w work, err error) (work, error) {
	w.amount /= mega
	return w, err
}
