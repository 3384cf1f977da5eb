// Package thunderbird drives a real Thunderbird without a screen, one profile
// for each person: it selects messages and presses Delete as a person does, and
// tells what the person sees then. It speaks Marionette, Thunderbird's own
// remote control, over a loopback port; what is done inside Thunderbird is in
// driver.js.
//
// The package is large (Debian's thunderbird has 250 MB), and so `make test`
// does without it: `make thunderbird` or ./run runs the test, and RESULT.md has
// what it showed.
package thunderbird
