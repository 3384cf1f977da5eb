package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"mailguard/member"
)

const (
	// recently is how far back a use counts: a protocol that a member used
	// within this time before they were last seen is one that they still use,
	// and an anonymous member who came within it may come again.
	recently = 30 * day
	// learnForDefault stands for a LearnFor that is not set: a fact that is not
	// there must not make members known at once.
	learnForDefault = 30 * day
	// leastLearned is how many named members must be known before those learned
	// from use are taken for everyone.
	leastLearned = 2
	// longestList is how many members a reason names.
	longestList = 8
)

// EveryoneIsDone reports whether every member is done with the message, by
// every protocol that they use and that shows its folder, and why, in a
// sentence for people.
//
// A POP3 client keeps a copy of its own: its member is done once they have
// deleted the message, or have fetched it and left it alone in a later session.
// An IMAP client looks at the server's copy: its member is done only once they
// have deleted it.
func EveryoneIsDone(f *Facts) (bool, string) {
	done := make(map[Progress]bool, len(f.Message.Deleted)+len(f.Message.LeftAlone))
	for _, p := range f.Message.LeftAlone {
		if p.Protocol == member.POP3 {
			done[p] = true
		}
	}
	for _, p := range f.Message.Deleted {
		done[p] = true
	}
	return everyone(f, "is done with it", func(p *person) []string {
		var lacks []string
		for _, protocol := range p.current() {
			if shows(protocol, f.Folder) && !done[Progress{p.name, protocol}] {
				lacks = append(lacks, string(protocol))
			}
		}
		return lacks
	})
}

// EveryoneHasFetched reports whether every member has fetched the message, by
// whatever protocol, and why, in a sentence for people.
func EveryoneHasFetched(f *Facts) (bool, string) {
	fetched := make(map[member.Name]bool, len(f.Message.Fetched))
	for _, p := range f.Message.Fetched {
		fetched[p.Member] = true
	}
	return everyone(f, "has fetched it", func(p *person) []string {
		if fetched[p.name] {
			return nil
		}
		return []string{"not fetched"}
	})
}

// person is one member whom everyone includes.
type person struct {
	name     member.Name
	leaving  bool
	uses     []Use
	lastSeen time.Time // by whatever protocol; zero where that is not known
}

// current are the protocols that the member still used when they were last
// seen. Their own last visit counts, not the present: a holiday takes a protocol
// away from nobody.
func (p *person) current() []member.Protocol {
	var found []member.Protocol
	for _, use := range p.uses {
		recent := use.LastSeen.IsZero() || since(p.lastSeen, use.LastSeen) <= recently
		if recent && !slices.Contains(found, use.Protocol) {
			found = append(found, use.Protocol)
		}
	}
	return found
}

// everyone asks each member what they lack, once it is known who everyone is.
func everyone(f *Facts, condition string, lacks func(*person) []string) (bool, string) {
	people := crowd(&f.Mailbox.Everyone)
	if why := obstacles(f, people); len(why) > 0 {
		return false, strings.Join(why, "; ")
	}
	var waits, all []string
	for i := range people {
		p := &people[i]
		all = append(all, string(p.name))
		if absent(f, p) {
			continue
		}
		if what := missingOf(p, lacks); len(what) > 0 {
			waits = append(waits, fmt.Sprintf("%s (%s)", p.name, strings.Join(what, ", ")))
		}
	}
	if len(waits) > 0 {
		return false, "waits for " + shortened(waits)
	}
	return true, "everyone " + condition + ": " + shortened(all)
}

func missingOf(p *person, lacks func(*person) []string) []string {
	what := lacks(p)
	if len(p.uses) == 0 {
		what = []string{"never seen"}
	}
	if len(what) > 0 && p.leaving {
		what = append(what, "taken out of the configuration less than 7 days ago")
	}
	return what
}

// crowd is who everyone is: the configured members with those who are leaving,
// and whoever else was let in by name. Where none are configured these are the
// members learned from use.
func crowd(e *Everyone) []person {
	people := make([]person, 0, len(e.Configured)+len(e.Leaving)+len(e.Used))
	index := make(map[member.Name]int, cap(people))
	add := func(name member.Name, leaving bool) int {
		i, known := index[name]
		if !known {
			i = len(people)
			index[name] = i
			people = append(people, person{name: name, leaving: leaving})
		}
		return i
	}
	for _, name := range e.Configured {
		add(name, false)
	}
	for _, name := range e.Leaving {
		add(name, true)
	}
	for _, use := range e.Used {
		if use.Member.Anonymous() {
			continue
		}
		p := &people[add(use.Member, false)]
		p.uses = append(p.uses, use)
		if use.LastSeen.After(p.lastSeen) {
			p.lastSeen = use.LastSeen
		}
	}
	return people
}

// absent reports whether a member has stayed away so long that they count as
// done: only where the configuration says so.
func absent(f *Facts, p *person) bool {
	e := &f.Mailbox.Everyone
	last := p.lastSeen
	if len(p.uses) == 0 {
		last = e.WatchedSince
	}
	return e.AbsentAfter > 0 && !last.IsZero() && since(f.Now, last) > e.AbsentAfter
}

// obstacles are the reasons why nobody can say who everyone is, or whether they
// are done; none of them is about one message.
func obstacles(f *Facts, people []person) []string {
	var why []string
	e := &f.Mailbox.Everyone
	if len(e.Configured) == 0 {
		why = learning(f, people)
	}
	for _, use := range e.Used {
		if use.Member.Anonymous() && (use.LastSeen.IsZero() || since(f.Now, use.LastSeen) <= recently) {
			why = append(why, "somebody who cannot be told apart used the mailbox within 30 days")
			break
		}
	}
	// Until the POP3 and the IMAP entry of a message are joined, what one
	// protocol knows of it says nothing of the other.
	if shows(member.POP3, f.Folder) && !f.Message.Joined && usedBy(f, people, member.POP3) && usedBy(f, people, member.IMAP) {
		why = append(why, "the mailbox is used by POP3 and by IMAP, and what the two call this message is not joined yet")
	}
	return why
}

// learning says what is missing until the members are known from use.
func learning(f *Facts, people []person) []string {
	e := &f.Mailbox.Everyone
	learnFor := e.LearnFor
	if learnFor <= 0 {
		learnFor = learnForDefault
	}
	var why []string
	until := e.WatchedSince.Add(learnFor)
	switch {
	case e.WatchedSince.IsZero():
		why = append(why, "members are learned from use, and the mailbox is not watched yet")
	case f.Now.Before(until):
		why = append(why, "members are learned from use until "+moment(until))
	}
	if len(people) < leastLearned {
		why = append(why, "fewer than two members are known by name")
	}
	return why
}

// shows reports whether a protocol shows a folder: POP3 has no other than the
// INBOX, so that nobody has or misses by POP3 what lies elsewhere.
func shows(protocol member.Protocol, folder string) bool {
	return protocol != member.POP3 || folder == "INBOX" || folder == ""
}

// usedBy reports whether a protocol is in use, the deletion in question
// included.
func usedBy(f *Facts, people []person, protocol member.Protocol) bool {
	if strings.HasPrefix(string(f.Op), string(protocol)+".") {
		return true
	}
	return slices.ContainsFunc(people, func(p person) bool { return slices.Contains(p.current(), protocol) }) ||
		slices.ContainsFunc(f.Mailbox.Everyone.Used, func(use Use) bool {
			return use.Member.Anonymous() && use.Protocol == protocol && (use.LastSeen.IsZero() || since(f.Now, use.LastSeen) <= recently)
		})
}

// shortened lists names, and counts those that would make the sentence too
// long.
func shortened(list []string) string {
	if len(list) > longestList {
		list = append(list[:longestList:longestList], fmt.Sprintf("%d others", len(list)-longestList))
	}
	return enumerate(list, "and")
}

// moment writes a time for people, and the same on every machine.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
