package admin

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"mailguard/ledger"
	"mailguard/member"
	"mailguard/message"
	"mailguard/policy"
)

// values writes the query of a question. What is empty is left out.
type values struct{ url.Values }

func (v values) set(key, value string) {
	if value != "" {
		v.Set(key, value)
	}
}

func (v values) setTime(key string, t time.Time) {
	if !t.IsZero() {
		v.Set(key, t.Format(time.RFC3339Nano))
	}
}

func (v values) setNumber(key string, n int64) {
	if n != 0 {
		v.Set(key, strconv.FormatInt(n, 10))
	}
}

func (v values) setDuration(key string, d time.Duration) {
	if d > 0 {
		v.Set(key, d.String())
	}
}

func (v values) setMember(name member.Name, anonymous bool) {
	v.set("member", string(name))
	if anonymous {
		v.Set("anonymous", "1")
	}
}

func (q HeldQuery) encode() string {
	v := values{url.Values{}}
	v.set("mailbox", string(q.Mailbox))
	v.set("folder", q.Folder)
	v.setMember(q.Member, q.Anonymous)
	v.set("rule", q.Rule)
	v.setDuration("older_than", q.OlderThan)
	v.setDuration("due_within", q.DueWithin)
	v.set("after", string(q.After))
	v.setNumber("limit", int64(q.Limit))
	return v.Encode()
}

func (q AuditQuery) encode() string {
	v := values{url.Values{}}
	v.set("mailbox", string(q.Mailbox))
	v.set("folder", q.Folder)
	v.setMember(q.Member, q.Anonymous)
	v.set("rule", q.Rule)
	v.set("op", string(q.Op))
	v.set("verdict", string(q.Verdict))
	v.set("kind", q.Kind)
	v.setNumber("message", int64(q.Message))
	v.setTime("since", q.Since)
	v.setTime("until", q.Until)
	v.set("after", string(q.After))
	v.setNumber("limit", int64(q.Limit))
	return v.Encode()
}

// reader reads the query of a question. The first mistake stands.
type reader struct {
	url.Values

	err error
}

// readValue reads a value of a query, the zero value if it is not there.
func readValue[T any](r *reader, key string, parse func(string) (T, error)) (value T) {
	if !r.Has(key) || r.err != nil {
		return value
	}
	value, err := parse(r.Get(key))
	if err != nil {
		r.err = fmt.Errorf("%s: %w", key, err)
	}
	return value
}

func parseTime(text string) (time.Time, error) { return time.Parse(time.RFC3339Nano, text) }

func parseNumber(text string) (int64, error) { return strconv.ParseInt(text, 10, 64) }

func parseHeldQuery(req *http.Request) (HeldQuery, error) {
	r := &reader{Values: req.URL.Query()}
	q := HeldQuery{
		Mailbox: member.Mailbox(r.Get("mailbox")), Folder: r.Get("folder"), Member: member.Name(r.Get("member")),
		Anonymous: r.Has("anonymous"), Rule: r.Get("rule"), After: ledger.Cursor(r.Get("after")),
		OlderThan: readValue(r, "older_than", time.ParseDuration), DueWithin: readValue(r, "due_within", time.ParseDuration),
		Limit: readValue(r, "limit", strconv.Atoi),
	}
	return q, r.err
}

func parseAuditQuery(req *http.Request) (AuditQuery, error) {
	r := &reader{Values: req.URL.Query()}
	q := AuditQuery{
		Mailbox: member.Mailbox(r.Get("mailbox")), Folder: r.Get("folder"), Member: member.Name(r.Get("member")),
		Anonymous: r.Has("anonymous"), Rule: r.Get("rule"), Op: policy.Op(r.Get("op")), Verdict: policy.Verdict(r.Get("verdict")),
		Kind: r.Get("kind"), Message: message.ID(readValue(r, "message", parseNumber)),
		Since: readValue(r, "since", parseTime), Until: readValue(r, "until", parseTime),
		After: ledger.Cursor(r.Get("after")), Limit: readValue(r, "limit", strconv.Atoi),
	}
	return q, r.err
}

func parseID(req *http.Request) (message.ID, error) {
	id, err := parseNumber(req.PathValue("id"))
	return message.ID(id), err
}
