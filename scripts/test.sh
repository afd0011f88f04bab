#!/usr/bin/env bash
# Runs every test of every module and of the dashboard, and ends with one line
# "N passed, N failed, N skipped". The exit code is 0 only when nothing failed.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/need.sh make git gcc openssl node npm postgres redis-server mosquitto mosquitto_pub chromium

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
failed=()

# step NAME COMMAND…: runs a check that is not made of single tests.
step() {
	local name=$1
	shift
	echo "== $name"
	"$@" || failed+=("$name")
}

step "dashboard build" make --no-print-directory dashboard
step "go vet" go vet work
make --no-print-directory bin/staticcheck >/dev/null
staticcheck() {
	local status=0 m
	for m in $(go list -m -f '{{.Dir}}'); do
		(cd "$m" && "$OLDPWD/bin/staticcheck" ./...) || status=1
	done
	return $status
}
step "staticcheck" staticcheck
step "arm64 edge" make --no-print-directory edge-arm64

echo "== go test -race"
go test -race -json -timeout 14m ${GOTESTFLAGS:-} work >"$results/go.json" 2>"$results/go.err" || true
# What the race detector makes slow and sees nothing in is behind a build tag.
slow=$(grep -rl --include='*_test.go' '^//go:build !race' shared)
names=$(grep -h '^func Test' $slow | sed 's/func \(Test[A-Za-z0-9_]*\).*/^\1$/' | paste -sd'|')
go test -json -timeout 5m ${GOTESTFLAGS:-} -run "$names" $(dirname $slow | sort -u | sed 's|^|./|') >>"$results/go.json" 2>>"$results/go.err" || true
cat "$results/go.err" >&2

echo "== dashboard test"
step "dashboard lint" npm --prefix dashboard run --silent check
(cd dashboard && npx vitest run --reporter=default --reporter=json --outputFile.json="$results/dashboard.json") ||
	failed+=("dashboard test")

node scripts/count.mjs "$results/go.json" "$results/dashboard.json" "${failed[@]}"
