package admin

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"mailguard/member"
	"mailguard/message"
)

// Handler is the HTTP API over a reader. It asks nobody who they are: whoever
// can connect to the socket may know everything.
func Handler(r *Reader) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/held", func(w http.ResponseWriter, req *http.Request) {
		q, err := parseHeldQuery(req)
		if err != nil {
			writeError(w, http.StatusBadRequest, err)
			return
		}
		answer, err := r.Held(req.Context(), q)
		write(w, answer, err)
	})
	mux.HandleFunc("GET /v1/held/{id}", func(w http.ResponseWriter, req *http.Request) {
		id, err := strconv.ParseInt(req.PathValue("id"), 10, 64)
		if err != nil {
			writeError(w, http.StatusBadRequest, err)
			return
		}
		answer, err := r.Show(req.Context(), message.ID(id))
		write(w, answer, err)
	})
	mux.HandleFunc("GET /v1/mailboxes", func(w http.ResponseWriter, req *http.Request) {
		answer, err := r.Mailboxes(req.Context())
		write(w, answer, err)
	})
	return mux
}

func parseHeldQuery(req *http.Request) (HeldQuery, error) {
	v := req.URL.Query()
	q := HeldQuery{
		Mailbox: member.Mailbox(v.Get("mailbox")), Member: member.Name(v.Get("member")),
		Anonymous: v.Has("anonymous"), Rule: v.Get("rule"),
	}
	if !v.Has("older_than") {
		return q, nil
	}
	var err error
	q.OlderThan, err = time.ParseDuration(v.Get("older_than"))
	return q, err
}

func write(w http.ResponseWriter, answer any, err error) {
	switch {
	case errors.Is(err, ErrNotFound):
		writeError(w, http.StatusNotFound, err)
	case err != nil:
		writeError(w, http.StatusServiceUnavailable, err)
	default:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer) // the asker is gone: nobody to tell
	}
}

// failure is how the API says that something went wrong.
type failure struct {
	Error string `json:"error"`
}

func writeError(w http.ResponseWriter, status int, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(failure{Error: err.Error()})
}
