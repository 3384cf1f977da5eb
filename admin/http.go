package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"

	"mailguard/ledger"
)

// Handler is the HTTP API over a backend. It asks nobody who they are: whoever
// can connect to the socket may know and order everything. Orders are JSON, and
// nothing else: no form on a web page can send one.
func Handler(b *Backend) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/held", answering(parseHeldQuery, b.Held))
	mux.HandleFunc("GET /v1/held/{id}", answering(parseID, b.Show))
	mux.HandleFunc("GET /v1/audit", answering(parseAuditQuery, b.Audit))
	mux.HandleFunc("GET /v1/mailboxes", func(w http.ResponseWriter, req *http.Request) {
		answer, err := b.Mailboxes(req.Context())
		write(w, answer, err)
	})
	for _, a := range Actions() {
		mux.HandleFunc("POST /v1/"+string(a), func(w http.ResponseWriter, req *http.Request) {
			o, status, err := readOrder(w, req)
			if err != nil {
				writeError(w, status, err)
				return
			}
			answer, err := b.Do(req.Context(), a, o)
			write(w, answer, err)
		})
	}
	return mux
}

// answering is a handler that answers a question.
func answering[Q, A any](parse func(*http.Request) (Q, error), answer func(context.Context, Q) (A, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		q, err := parse(req)
		if err != nil {
			writeError(w, http.StatusBadRequest, err)
			return
		}
		a, err := answer(req.Context(), q)
		write(w, a, err)
	}
}

// maxOrderSize is how much of an order is read, in octets.
const maxOrderSize = 1 << 20

func readOrder(w http.ResponseWriter, req *http.Request) (o Order, status int, err error) {
	if kind, _, err := mime.ParseMediaType(req.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return o, http.StatusUnsupportedMediaType, errors.New("an order is application/json")
	}
	d := json.NewDecoder(http.MaxBytesReader(w, req.Body, maxOrderSize))
	d.DisallowUnknownFields()
	if err := d.Decode(&o); err != nil {
		return o, http.StatusBadRequest, fmt.Errorf("the order cannot be read: %w", err)
	}
	if d.More() {
		return o, http.StatusBadRequest, errors.New("the order cannot be read: there is something behind it")
	}
	return o, 0, nil
}

func write(w http.ResponseWriter, answer any, err error) {
	switch {
	case errors.Is(err, ErrNotFound):
		writeError(w, http.StatusNotFound, err)
	case errors.Is(err, ErrOrder), errors.Is(err, ledger.ErrCursor):
		writeError(w, http.StatusBadRequest, err)
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
