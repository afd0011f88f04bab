#!/usr/bin/env bash
# mosquitto.sh: starts the broker with the configuration that compose and the chart give
# it, and tries every right with a real client: what must pass, and what must not.
set -euo pipefail
repo=$(git -C "$(dirname "$0")" rev-parse --show-toplevel)
"$repo/scripts/need.sh" mosquitto mosquitto_pub openssl xxd
work=$(mktemp -d)
pid=
cleanup() {
	[ -z "$pid" ] || kill "$pid" 2>/dev/null || true
	rm -rf "$work"
}
trap cleanup EXIT
user=$(id -un)
[ "$(id -u)" != 0 ] || user=mosquitto

mkdir -p "$work/config" "$work/data"
export SECRETS_DIR=$work/secrets ENV_FILE=$work/env
MQTT_UID=$(id -u "$user") "$repo/deploy/cloud/compose/setup.sh" localhost >/dev/null
# shellcheck source=/dev/null
. "$work/env"
free() { python3 -c 'import socket; s=socket.socket(); s.bind(("127.0.0.1",0)); print(s.getsockname()[1])'; }
inside=$(free) outside=$(free)
cp "$repo"/deploy/cloud/helm/cityflow/files/acl.* "$work/config/"
sed -e "s#/mosquitto/secrets#$work/secrets/mqtt#; s#/mosquitto/#$work/#; s#^listener 1883#listener $inside 127.0.0.1#; s#^listener 8883#listener $outside 127.0.0.1#" \
	"$repo/deploy/cloud/helm/cityflow/files/mosquitto.conf" >"$work/config/mosquitto.conf"
[ "$(id -u)" != 0 ] || { chmod 755 "$work" "$work/secrets" && chown -R "$user" "$work/data" "$work/config"; }

# certify NAME: an edge's certificate, as the API signs them.
certify() {
	openssl ecparam -name prime256v1 -genkey -noout -out "$work/$1.key"
	openssl req -new -key "$work/$1.key" -subj "/CN=$1" | openssl x509 -req -days 1 -CA "$work/secrets/api/edge-ca.crt" \
		-CAkey "$work/secrets/api/edge-ca.key" -out "$work/$1.crt" 2>/dev/null \
		-extfile <(printf 'extendedKeyUsage=clientAuth\n')
}
certify pi-7
certify collector

PATH=$PATH:/usr/sbin mosquitto -c "$work/config/mosquitto.conf" 2>"$work/log" &
pid=$!
up=
for _ in $(seq 100); do
	if (: <"/dev/tcp/127.0.0.1/$outside") 2>/dev/null; then up=1 && break; fi
	sleep 0.1
done
[ -n "$up" ] || { cat "$work/log" >&2; exit 1; }

collector=(-h 127.0.0.1 -p "$inside" -u collector -P "$COLLECTOR_PASSWORD")
sensor=(-h 127.0.0.1 -p "$inside" -u sensor -P "$SENSOR_PASSWORD")
edge() { echo -h localhost -p "$outside" --cafile "$work/secrets/api/edge-ca.crt" --cert "$work/$1.crt" --key "$work/$1.key"; }

failed=0 checks=0
say() {
	checks=$((checks + 1))
	[ "$2" = "$3" ] || { echo "mosquitto: $1: got $3, want $2" >&2; failed=1; }
}
# passes TOPIC "SUBSCRIBER…" "PUBLISHER…": whether a message gets from one to the other.
# It is retained, so that it does not matter who comes first.
passes() {
	local word=$RANDOM$RANDOM
	# shellcheck disable=SC2086 # the arguments are words
	mosquitto_pub $3 -t "$1" -q 1 -r -m $word 2>/dev/null || true
	# shellcheck disable=SC2086
	if [ "$(mosquitto_sub $2 -t "$1" -q 1 -C 1 -W 2 2>/dev/null || true)" = $word ]; then echo passes; else echo blocked; fi
}
connects() { if mosquitto_pub "$@" -t cityflow/edge/pi-7/x -q 1 -m x 2>/dev/null; then echo in; else echo out; fi; }

say "sensor to collector" passes "$(passes cityflow/traffic/A-1 "${collector[*]}" "${sensor[*]}")"
say "sensor to collector, short topic" passes "$(passes traffic/data "${collector[*]}" "${sensor[*]}")"
say "edge's batch to collector" passes "$(passes cityflow/edge/pi-7/batch "${collector[*]}" "$(edge pi-7)")"
say "acknowledgement to edge" passes "$(passes cityflow/edge/pi-7/ack "$(edge pi-7)" "${collector[*]}")"
say "edge under another's name" blocked "$(passes cityflow/edge/pi-8/batch "${collector[*]}" "$(edge pi-7)")"
say "edge listening to another's acknowledgements" blocked "$(passes cityflow/edge/pi-8/ack "$(edge pi-7)" "${collector[*]}")"
say "edge named collector" blocked "$(passes cityflow/edge/pi-8/batch "${collector[*]}" "$(edge collector)")"
say "sensor as an edge" blocked "$(passes cityflow/edge/pi-7/batch "${collector[*]}" "${sensor[*]}")"
say "sensor listening" blocked "$(passes cityflow/traffic/A-1 "${sensor[*]}" "${sensor[*]}")"
say "nobody" out "$(connects -h 127.0.0.1 -p "$inside")"
say "wrong password" out "$(connects -h 127.0.0.1 -p "$inside" -u collector -P wrong)"
say "edge without a certificate" out "$(connects -h localhost -p "$outside" --cafile "$work/secrets/api/edge-ca.crt")"
[ $failed = 0 ] || { tail -20 "$work/log" >&2; exit 1; }
echo "mosquitto: $checks rights checked"
