#!/usr/bin/env bash
# verify.sh: checks everything below deploy/ with the real tools, and says at the end how
# many findings there were. What the tools can't reach is named in docs/operations.md.
#
# Tools are built by `go install` at the versions below into TOOLS (bin/deploy), once.
# Each check prints "ok" or what it found; a finding does not stop the others.
set -uo pipefail
repo=$(git -C "$(dirname "$0")" rev-parse --show-toplevel)
cd "$repo" || exit 1
TOOLS=${TOOLS:-$repo/bin/deploy}
HELM=v3.22.0
KUSTOMIZE=v5.8.2
KUBECONFORM=v0.8.0
ACTIONLINT=v1.7.12
KUBERNETES=v1.37.2
ISTIO_API=v1.31.4
ARGOCD=v3.2.0
PROMETHEUS_OPERATOR=v0.85.0

work=$(mktemp -d)
standalone=''
prometheus=''
cleanup() {
	[ -z "$prometheus" ] || kill "$prometheus" 2>/dev/null
	[ -z "$standalone" ] || kill "$standalone" 2>/dev/null
	wait
	rm -rf "$work"
}
trap cleanup EXIT

findings=0
# check NAME COMMAND…: one check; its output is shown when it fails.
check() {
	local name=$1
	shift
	if "$@" >"$work/out" 2>&1; then
		echo "ok    $name${LAST:+: $(tail -n 1 "$work/out")}"
	else
		echo "FOUND $name"
		sed 's/^/      /' "$work/out"
		findings=$((findings + 1))
	fi
}

tool() {
	[ -x "$TOOLS/$1-$3" ] && return
	mkdir -p "$TOOLS"
	echo "building $1 $3" >&2
	(cd "$work" && GOWORK=off GOFLAGS=-mod=mod GOBIN=$work/bin go install "$2@$3") || exit 1
	mv "$work/bin/$1" "$TOOLS/$1-$3"
}

# schemas writes what kubeconform checks against.
schemas() {
	local modules=() m
	for m in "k8s.io/kubernetes@$KUBERNETES" "istio.io/api@$ISTIO_API" "github.com/argoproj/argo-cd/v3@$ARGOCD" \
		"github.com/prometheus-operator/prometheus-operator@$PROMETHEUS_OPERATOR"; do
		modules+=("$(cd "$work" && GOWORK=off go mod download -json "$m" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')") || return 1
	done
	"$work/tools" schemas "$work/schemas" "${modules[0]}/api/openapi-spec/swagger.json" \
		"${modules[1]}/kubernetes/customresourcedefinitions.gen.yaml" "${modules[2]}"/manifests/crds/*-crd.yaml \
		"${modules[3]}"/example/prometheus-operator-crd/monitoring.coreos.com_{servicemonitors,prometheusrules}.yaml
}

conform() {
	"$TOOLS/kubeconform-$KUBECONFORM" -strict -summary \
		-schema-location "$work/schemas/{{ .ResourceKind }}{{ .KindSuffix }}.json" "$@"
}

helm() { "$TOOLS/helm-$HELM" "$@"; }
chart=deploy/cloud/helm/cityflow

# render makes the objects of a profile and validates them.
render() {
	helm template city "$chart" --namespace cityflow --kube-version 1.37.0 --values "$1" >"$work/objects.yaml" &&
		conform "$work/objects.yaml"
}

# refused is for values that must not pass the schema.
refused() { ! helm template city "$chart" "$@" 2>&1 | tee /dev/stderr | grep -q '^kind:'; }

# A copy that setup.sh may write into, as compose reads what it writes.
# shellcheck disable=SC1091 # the file is made here
compose() {
	cp -r deploy/cloud "$work/cloud" &&
		"$work/cloud/compose/setup.sh" localhost &&
		(set -a && . "$work/cloud/compose/.env" && set +a && "$work/tools" compose "$work/cloud/compose/compose.yaml")
}

prometheus_config() {
	cp deploy/cloud/compose/prometheus.yml $chart/files/rules.yml "$work/" && promtool check config "$work/prometheus.yml"
}
rules() { cp deploy/verify/rules_test.yml "$work/" && promtool test rules "$work/rules_test.yml"; }

# runbooks: every alert has its section.
runbooks() {
	local alert missing=0
	for alert in $(sed -n 's/^ *- alert: //p' $chart/files/rules.yml); do
		grep -q "^### $alert\$" docs/operations.md || { echo "docs/operations.md has no section $alert" && missing=1; }
	done
	return $missing
}

# queries holds every query of rules and dashboard against a real run: a standalone with a
# synthetic city, and a Prometheus that reads it.
queries() {
	local http=18091 mqtt=18841 prom=18092 token page=$work/metrics
	CGO_ENABLED=0 go build -trimpath -o "$work/cityflow" ./standalone || return 1
	"$work/cityflow" up --source city --city-roads 400 --city-interval 10s --data-dir "$work/data" \
		--http-addr 127.0.0.1:$http --mqtt-addr 127.0.0.1:$mqtt --admin-password verify-deploy >"$work/log" 2>&1 &
	standalone=$!
	curl -fs --retry 60 --retry-delay 1 --retry-all-errors -o /dev/null http://127.0.0.1:$http/readyz || { cat "$work/log"; return 1; }
	token=$(curl -fs http://127.0.0.1:$http/api/auth/login -H 'Content-Type: application/json' \
		-d '{"email":"admin@localhost","password":"verify-deploy"}' | sed 's/.*"token":"\([^"]*\).*/\1/')
	curl -fs -H "Authorization: Bearer $token" http://127.0.0.1:$http/metrics >"$page" || return 1
	# Only an enrolled edge has this one.
	grep -rq '"cityflow_edge_certificate_not_after_seconds"' edge/enrol && echo '# TYPE cityflow_edge_certificate_not_after_seconds gauge' >>"$page"
	printf 'global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [rules.yml]\nscrape_configs: [{job_name: cityflow, authorization: {credentials: "%s"}, static_configs: [{targets: ["127.0.0.1:%s"]}]}]\n' \
		"$token" $http >"$work/live.yml"
	cp $chart/files/rules.yml "$work/"
	command prometheus --config.file="$work/live.yml" --storage.tsdb.path="$work/tsdb" --web.listen-address=127.0.0.1:$prom >"$work/prom.log" 2>&1 &
	prometheus=$!
	curl -fs --retry 60 --retry-delay 1 --retry-all-errors -o /dev/null http://127.0.0.1:$prom/-/ready || { cat "$work/prom.log"; return 1; }
	sleep 10
	"$work/tools" queries "$page" http://127.0.0.1:$prom $chart/files/rules.yml $chart/files/operations.json
}

scripts/need.sh prometheus mosquitto mosquitto_pub openssl xxd curl shellcheck
(cd deploy/tools && GOWORK=off go build -o "$work/tools" .) || exit 1
tool kubeconform github.com/yannh/kubeconform/cmd/kubeconform $KUBECONFORM
tool actionlint github.com/rhysd/actionlint/cmd/actionlint $ACTIONLINT
tool kustomize sigs.k8s.io/kustomize/kustomize/v5 $KUSTOMIZE
tool helm helm.sh/helm/v3/cmd/helm $HELM

check "shellcheck" shellcheck -x -S warning deploy/verify.sh deploy/verify/*.sh deploy/images/*.sh deploy/cloud/compose/setup.sh
check "tools' own tests" env GOWORK=off go -C deploy/tools test ./...
check "actionlint" "$TOOLS/actionlint-$ACTIONLINT" -shellcheck= -pyflakes=
LAST=1 check "compose" compose
check "promtool: configuration" prometheus_config
check "promtool: rules" rules
check "a runbook for every alert" runbooks
LAST=1 check "broker's rights" deploy/verify/mosquitto.sh
check "schemas" schemas
check "helm lint" helm lint --strict $chart
for profile in $chart/values.yaml $chart/ci/*.yaml; do
	LAST=1 check "helm template: $(basename "$profile" .yaml)" render "$profile"
done
check "refused: unknown value" refused --set api.replica=3
check "refused: image that moves" refused --set image.tag=latest
check "refused: broker without its network" refused --set mqtt.url=mqtts://broker:8883
LAST=1 check "argocd" conform deploy/cloud/argocd/*.yaml
for overlay in deploy/k3s-edge/overlays/*; do
	check "kustomize: $(basename "$overlay")" "$TOOLS/kustomize-$KUSTOMIZE" build "$overlay" --output "$work/edge.yaml"
	LAST=1 check "kubeconform: $(basename "$overlay")" conform "$work/edge.yaml"
done
LAST=1 check "queries" queries

echo "BENCH deploy_findings $findings count"
[ $findings = 0 ]
