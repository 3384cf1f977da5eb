# What a developer runs. `make demo` shows the product, `make test` passes the
# tests; both install what they need where they can.

GO       ?= go
GOFLAGS  += -trimpath
export CGO_ENABLED ?= 1
BIN      := bin/mailguard
PACKAGES := dovecot-pop3d dovecot-imapd fetchmail mpop getmail6 procps isync offlineimap3 neomutt mutt curl python3

.PHONY: all build demo test check fuzz soak views thunderbird bench deps clean

all: build

build:
	CGO_ENABLED=0 $(GO) build $(GOFLAGS) -o $(BIN) ./cmd/mailguard

# The whole product on one machine. It works without the packages, too: then
# the upstream is the one that is built in.
demo: deps build
	$(BIN) demo

# Everything that CI runs. The race detector needs gcc.
test: deps build
	$(GO) test -race -shuffle=on -timeout 15m ./...

# Installs the mail server and the mail clients that the tests drive. Where
# that is not possible it says what is missing: tests that need it are skipped,
# except in CI, where they fail (MAILGUARD_REQUIRE_ALL).
deps:
	@./tools/install-packages $(PACKAGES)
	@./tools/unpack-servers

check:
	@bad=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$bad" ]; then echo "not gofmt'ed: $$bad"; exit 1; fi
	$(GO) vet ./...
	$(GO) vet -tags thunderbird ./integration/
	$(GO) tool -modfile=tools/go.mod staticcheck ./...
	@$(GO) mod tidy -diff

# Long modes, run by hand.
FUZZTIME ?= 1m
fuzz:
	./tools/fuzz $(FUZZTIME)

# Kills the server at many more moments than `make test` does.
soak: deps build
	MAILGUARD_LONG=1 $(GO) test -count=1 -timeout 60m -v -run 'Kill' ./integration/

# Members' views against a model, long: hours, on all cores.
views: deps
	MAILGUARD_LONG=1 $(GO) test -count=1 -timeout 12h -v -run TestViewsOf ./integration/views

# Two members with Thunderbird. The package is large, and only this needs it.
thunderbird:
	GO="$(GO)" ./integration/thunderbird/run

bench: deps build
	$(GO) run ./bench

clean:
	rm -rf bin
