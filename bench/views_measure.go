package main

import (
	"fmt"
	"strings"
	"time"
)

// viewsSample is how long a command is repeated at least within a round.
const viewsSample = 200 * time.Millisecond

// cost is what a command cost: the best of all rounds, and the guard's
// processor time over all of them.
type cost struct {
	best  time.Duration
	cpu   time.Duration
	times int
}

// each is the processor time of one command in milliseconds.
func (c cost) each() float64 { return c.cpu.Seconds() * 1000 / float64(c.times) }

// measureCommands measures commands on every way, the ways taking turns within a
// round.
func (b *bench) measureCommands(ways []*viewsWay, commands []viewsCommand, rounds int) error {
	fmt.Printf("%-40s %10s", "views of 100,000: ms, (of direct)", ways[0].name)
	for _, w := range ways[1:] {
		fmt.Printf(" %16s", w.name)
	}
	fmt.Printf(" %12s %14s\n", "0/watching", "10,000/0")
	for _, c := range commands {
		if strings.HasSuffix(c.name, "not selected") {
			for _, w := range ways {
				if _, err := w.client.command("UNSELECT"); err != nil {
					return fmt.Errorf("%s: %w", w.name, err)
				}
			}
		}
		costs := make([]cost, len(ways))
		for round := range rounds + 1 {
			for i, w := range ways {
				if err := b.sample(w, c.text, round, &costs[i]); err != nil {
					return fmt.Errorf("%s, %s: %w", w.name, c.name, err)
				}
			}
		}
		printCosts(c.name, costs)
	}
	return nil
}

// sample repeats a command for a while. Round 0 is there to make everything warm.
func (b *bench) sample(w *viewsWay, text string, round int, c *cost) error {
	if round == 0 {
		_, err := w.client.command(text)
		return err
	}
	before, err := b.processorTime()
	if err != nil {
		return err
	}
	begin := time.Now()
	for done := time.Duration(0); done < viewsSample; {
		if _, err := w.client.command(text); err != nil {
			return err
		}
		now := time.Since(begin)
		if took := now - done; c.times == 0 || took < c.best {
			c.best = took
		}
		c.times++
		done = now
	}
	after, err := b.processorTime()
	c.cpu += after - before
	return err
}

// printCosts prints the times, and the processor time below them.
func printCosts(name string, costs []cost) {
	ms := func(c cost) float64 { return c.best.Seconds() * 1000 }
	fmt.Printf("%-40s %10.3f", "views: "+name, ms(costs[0]))
	for _, c := range costs[1:] {
		fmt.Printf(" %9.3f (%4.2f)", ms(c), ms(c)/ms(costs[0]))
	}
	watching, none, most := costs[watchingWay], costs[noneWay], costs[len(costs)-1]
	fmt.Printf(" %12.2f %14.2f\n", ms(none)/ms(watching), ms(most)/ms(none))
	fmt.Printf("%-40s %10s", "    the guard's processor", "")
	for _, c := range costs[1:] {
		fmt.Printf(" %16.3f", c.each())
	}
	fmt.Printf(" %12s %14s\n", ratio(none, watching), ratio(most, none))
}

// ratio compares the processor time, where there was enough to be counted.
func ratio(a, b cost) string {
	if a.cpu < 5*tick || b.cpu < 5*tick {
		return "-"
	}
	return fmt.Sprintf("%.2f", a.each()/b.each())
}

// What the ways of viewsWays are compared with.
const (
	watchingWay = 2
	noneWay     = 3
)

const (
	viewsMemory   = "views: memory"
	viewsSessions = 120 // more than the guard waits for before it gives memory back
)

// measureViewsMemory says what a session costs that has the big folder open, each
// time in a fresh process.
func (b *bench) measureViewsMemory(ways []*viewsWay) error {
	if err := quitViews(ways); err != nil {
		return err
	}
	for _, w := range ways[1:] {
		open := func(w way) (session, error) { return b.openViews(w) }
		if err := b.measureSessions(viewsMemory, viewsSessions, w.way, open); err != nil {
			return fmt.Errorf("%s, %s: %w", viewsMemory, w.name, err)
		}
	}
	return nil
}
