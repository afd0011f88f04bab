# CityFlow. `make help` lists the targets. Everything works on a machine with Go and
# Node; on Debian, as root or with sudo, the rest is installed by the targets that need it.

SHELL       := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

BIN     := $(CURDIR)/bin
MODULES := shared edge cloud/collector cloud/predictor cloud/rerouter cloud/api simulator dashboard standalone e2e
CMDS    := edge/cmd/edge cloud/collector/cmd/collector cloud/predictor/cmd/predictor \
           cloud/rerouter/cmd/rerouter cloud/api/cmd/api simulator/cmd/simulator

STATICCHECK_VERSION   := v0.8.2
GOLANGCI_VERSION      := v2.15.0
GOFUMPT_VERSION       := v0.12.0
BUF_VERSION           := v1.75.0
PROTOC_GEN_GO_VERSION := v1.36.12

# A user's own arguments for `make run`, for example
#   make run ARGS="--source replay --file counts.csv --speed 60"
ARGS ?=

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z][a-z0-9-]*:.*## ' $(MAKEFILE_LIST) | sort | awk -F':.*## ' '{printf "  \033[1m%-16s\033[0m %s\n", $$1, $$2}'

## ---- build ----

.PHONY: build
build: dashboard ## Build every binary into bin/
	go build -trimpath -o $(BIN)/cityflow ./standalone
	for c in $(CMDS); do go build -trimpath -o $(BIN)/cityflow-$$(basename $$c) ./$$c; done

.PHONY: dashboard
dashboard: dashboard/dist/index.html ## Build the page that the API embeds

DASHBOARD_SOURCES := $(shell find dashboard/src dashboard/public -type f 2>/dev/null) dashboard/index.html dashboard/package-lock.json

dashboard/dist/index.html: dashboard/node_modules/.package-lock.json $(DASHBOARD_SOURCES)
	npm --prefix dashboard run build
	@touch $@

dashboard/node_modules/.package-lock.json: dashboard/package-lock.json
	@scripts/need.sh node npm
	npm --prefix dashboard ci --no-audit --no-fund
	@touch $@

.PHONY: edge-arm64
edge-arm64: ## Cross-compile the edge agent for a Raspberry Pi, without cgo
	CGO_ENABLED=0 GOOS=linux GOARCH=arm64 go build -trimpath -o $(BIN)/cityflow-edge-arm64 ./edge/cmd/edge

.PHONY: generate
generate: tools ## Regenerate code from the protobuf and OpenAPI documents
	cd shared/wire && PATH=$(BIN):$$PATH $(BIN)/buf generate
	npm --prefix dashboard run generate

## ---- run ----

.PHONY: run
run: dashboard ## Start all of CityFlow in one process and print the login link (ARGS="…" passes flags)
	go build -trimpath -o $(BIN)/cityflow ./standalone
	$(BIN)/cityflow up $(ARGS)

## ---- check ----

.PHONY: test
test: ## Run every test; installs what it needs; ends with "N passed, N failed, N skipped"
	@scripts/test.sh

.PHONY: vet
vet: ## go vet in every module
	go vet work

.PHONY: lint
lint: $(BIN)/golangci-lint-$(GOLANGCI_VERSION) $(BIN)/buf-$(BUF_VERSION) dashboard/node_modules/.package-lock.json ## golangci-lint, buf lint, eslint and the formatters
	for m in $(MODULES); do (cd $$m && $< run ./...); done
	cd shared/wire && $(BIN)/buf lint
	npm --prefix dashboard run lint

.PHONY: alone
alone: ## Build and vet each module without the workspace, as images do
	for m in $(MODULES); do (cd $$m && GOWORK=off GOFLAGS=-mod=readonly go build -o /dev/null ./... && GOWORK=off go vet ./...); done

.PHONY: tidy
tidy: ## Bring go.work, every go.mod and every go.sum in order
	go work sync
	for m in $(MODULES); do (cd $$m && GOWORK=off go mod tidy); done

.PHONY: e2e
e2e: dashboard ## The longer system tests: real services, real PostgreSQL, Redis and Mosquitto, real browser
	@scripts/need.sh postgres redis-server mosquitto chromium
	cd e2e && CITYFLOW_E2E=long go test -count=1 -timeout 30m . ./security

.PHONY: e2e-edge
e2e-edge: ## What an edge promises, at length: 200 kills, full disk, slow and lossy links (as root)
	@scripts/need.sh postgres redis-server mosquitto iptables
	cd e2e && CITYFLOW_E2E=long go test -count=1 -timeout 60m ./edge
	cd edge && CITYFLOW_E2E=long go test -count=1 -timeout 30m ./broker ./buffer

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME (default 30s) each
	scripts/fuzz.sh

## ---- measure ----

.PHONY: bench
bench: bench-pipeline bench-edge bench-ingest bench-predict bench-route bench-api bench-parts ## Run every benchmark

.PHONY: bench-pipeline
bench-pipeline: dashboard ## Replay the real files through the whole path, beside plain SQLite
	cd e2e && go test -count=1 -timeout 30m -run '^$$' -bench '^BenchmarkPipeline$$' -benchtime 1x . | grep -E '^(BENCH|---|ok|FAIL|panic|\s+\S+\.go:)'

.PHONY: bench-edge
bench-edge: ## The edge beside Mosquitto, its uplink, its drain, its footprint on a Pi; 8 minutes
	@scripts/need.sh mosquitto qemu-aarch64-static
	cd e2e && go test -count=1 -timeout 30m -run '^$$' -bench '^BenchmarkEdge$$' -benchtime 1x . | grep -E '^(BENCH|---|ok|FAIL|panic|\s+\S+\.go:)'

.PHONY: bench-ingest
bench-ingest: ## The collector beside COPY and single INSERTs, on PostgreSQL and TimescaleDB; Append alone; SQLite; CITYFLOW_BENCH=long for 20 M rows
	@scripts/need.sh postgres redis-server mosquitto
	cd cloud/collector && go test -count=1 -timeout 60m -run '^$$' -bench '^BenchmarkIngest$$' -benchtime 1x ./cmd/collector | grep -E '^(BENCH|---|ok|FAIL|panic|\s+\S+\.go:)'
	cd cloud/collector && go test -count=1 -timeout 30m -run '^$$' -bench '^BenchmarkCompression$$' -benchtime 1x . | grep -E '^(BENCH|---|ok|FAIL|panic|\s+\S+\.go:)'
	cd shared && go test -count=1 -timeout 30m -run '^$$' -bench '^BenchmarkAppend$$' -benchtime 1x ./store/timescale | grep -E '^(BENCH|---|ok|FAIL|panic|\s+\S+\.go:)'

.PHONY: bench-route
bench-route: ## Shortest ways on a million edges beside Dijkstra, A* and pgRouting, every answer checked; advice, equilibria; 4 minutes
	@scripts/need.sh postgres
	@scripts/need.sh pgrouting
	cd shared && go test -p 1 -count=1 -timeout 30m -run '^$$' -bench '^Benchmark(Route|Equilibrium)$$' -benchtime 1x ./routing/... | grep -E '^(BENCH|---|ok|FAIL|panic|\s+\S+\.go:)'
	cd cloud/rerouter && go test -count=1 -timeout 30m -run '^$$' -bench '^BenchmarkAdvice$$' -benchtime 1x . | grep -E '^(BENCH|---|ok|FAIL|panic|\s+\S+\.go:)'

.PHONY: backtest
backtest: ## Measure every forecasting model on DATA=<csv> by PROTOCOL=tgcn, dcrnn, scats or hourly; START=2012-03-01 dates rows without times, OUT=<folder> takes report.json and plots
	@test -n "$(DATA)" || { echo 'usage: make backtest DATA=<csv> [PROTOCOL=tgcn|dcrnn|scats|hourly] [START=<date>] [OUT=<folder>] [ARGS="…"]' >&2; exit 2; }
	go run ./cloud/predictor/cmd/backtest --data '$(DATA)' $(if $(PROTOCOL),--protocol '$(PROTOCOL)') $(if $(START),--start '$(START)') $(if $(OUT),--out '$(OUT)') $(ARGS)

.PHONY: bench-predict
bench-predict: ## A forecast cycle of 100,000 roads (models, and all beside them), one forecast of the mlp, the training for 207 roads; 4 minutes
	cd cloud/predictor && go test -count=1 -timeout 30m -run '^$$' -bench '^Benchmark(Predict|Train|Cycle)$$' -benchtime 1x . ./internal/model | grep -E '^(BENCH|---|ok|FAIL|panic|\s+\S+\.go:)' \
		| awk '{ print } $$2 ~ /_100k_roads_s$$/ { s += $$3 } $$2 ~ /_100k_rss_mib$$/ { m += $$3 } END { printf "BENCH predict_cycle_100k_roads_s %.3f s\nBENCH predict_cycle_100k_rss_mib %.0f MiB\n", s, m }'

.PHONY: bench-api
bench-api: ## The API under load on the same machine: exports, 200 requests a second, 10,000 streams beside naive ones; CITYFLOW_BENCH=long for 10 M rows
	cd e2e && ulimit -n $$(ulimit -Hn) && go test -count=1 -timeout 30m -run '^$$' -bench '^BenchmarkAPI$$' -benchtime 1x ./api | grep -E '^(BENCH|---|ok|FAIL|panic|\s+\S+\.go:)'

.PHONY: bench-parts
bench-parts: ## Go benchmarks of the parts
	for m in $(filter-out e2e,$(MODULES)); do (cd $$m && go test -run xxx -bench . -benchmem ./...); done

## ---- deploy ----

.PHONY: images
images: dashboard ## Build every image for amd64 and arm64 with buildah, and run them
	deploy/images/build.sh
	deploy/images/smoke.sh

.PHONY: verify-deploy
verify-deploy: dashboard ## Check everything below deploy/ with real tools
	deploy/verify.sh

## ---- tools ----

.PHONY: tools
tools: $(BIN)/staticcheck-$(STATICCHECK_VERSION) $(BIN)/buf-$(BUF_VERSION) $(BIN)/protoc-gen-go-$(PROTOC_GEN_GO_VERSION) ## Install the pinned tools into bin/

# go-tool: $(1) the binary's name, $(2) its package, $(3) its version. The file is
# named with its version, so a new version is installed when the number above changes.
define go-tool
$(BIN)/$(1)-$(3):
	GOBIN=$(BIN) go install $(2)@$(3)
	mv $(BIN)/$(1) $$@
	ln -sf $(1)-$(3) $(BIN)/$(1)
endef
$(eval $(call go-tool,staticcheck,honnef.co/go/tools/cmd/staticcheck,$(STATICCHECK_VERSION)))
$(eval $(call go-tool,golangci-lint,github.com/golangci/golangci-lint/v2/cmd/golangci-lint,$(GOLANGCI_VERSION)))
$(eval $(call go-tool,gofumpt,mvdan.cc/gofumpt,$(GOFUMPT_VERSION)))
$(eval $(call go-tool,buf,github.com/bufbuild/buf/cmd/buf,$(BUF_VERSION)))
$(eval $(call go-tool,protoc-gen-go,google.golang.org/protobuf/cmd/protoc-gen-go,$(PROTOC_GEN_GO_VERSION)))

bin/staticcheck: $(BIN)/staticcheck-$(STATICCHECK_VERSION)

.PHONY: clean
clean: ## Remove what was built (not data)
	rm -rf $(BIN) dashboard/dist/assets dashboard/dist/index.html
