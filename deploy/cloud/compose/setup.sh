#!/usr/bin/env bash
# setup.sh HOST: makes what this installation keeps to itself, in ./secrets and ./.env:
# passwords, the authority of the edges' certificates, and the broker's certificate for
# HOST, the name that edges reach this machine by. What exists is kept, so a second run
# changes nothing. Needs openssl 3; run as root, as the files get the owners that the
# containers run as.
set -euo pipefail
host=${1:?usage: setup.sh HOST, the name that edges reach this machine by}
here=$(cd "$(dirname "$0")" && pwd)
dir=${SECRETS_DIR:-$here/secrets}
env=${ENV_FILE:-$here/.env}
umask 077
mkdir -p "$dir/mqtt" "$dir/api"
for tool in openssl xxd; do command -v "$tool" >/dev/null || { echo "missing: $tool" >&2; exit 1; }; done

random() { openssl rand -hex "${1:-24}"; }

# hashed prints a line of Mosquitto's password file: PBKDF2 over SHA-512.
hashed() {
	local salt hash
	salt=$(openssl rand -hex 12)
	hash=$(openssl kdf -keylen 64 -kdfopt digest:SHA512 -kdfopt "pass:$2" -kdfopt "hexsalt:$salt" \
		-kdfopt iter:10000 -binary PBKDF2 | base64 -w0)
	echo "$1:\$7\$10000\$$(xxd -r -p <<<"$salt" | base64 -w0)\$$hash"
}

if [ ! -e "$env" ]; then
	collector=$(random) sensor=$(random)
	{ hashed collector "$collector"; hashed sensor "$sensor"; } >"$dir/mqtt/passwd"
	cat >"$env" <<-END
		CITYFLOW_HOST=$host
		POSTGRES_PASSWORD=$(random)
		REDIS_PASSWORD=$(random)
		COLLECTOR_PASSWORD=$collector
		SENSOR_PASSWORD=$sensor
		TOKEN_KEY=$(random 32)
		ADMIN_EMAIL=admin@$host
		ADMIN_PASSWORD=$(random 12)
		GRAFANA_PASSWORD=$(random 12)
	END
fi

ca=$dir/api/edge-ca
if [ ! -e "$ca.key" ]; then
	openssl ecparam -name prime256v1 -genkey -noout -out "$ca.key"
	openssl req -x509 -new -key "$ca.key" -days 7300 -subj "/CN=CityFlow edges" -out "$ca.crt" \
		-addext "basicConstraints=critical,CA:TRUE,pathlen:0" -addext "keyUsage=critical,keyCertSign,cRLSign"
fi
cp "$ca.crt" "$dir/mqtt/edge-ca.crt"

if [ ! -e "$dir/mqtt/broker.key" ]; then
	openssl ecparam -name prime256v1 -genkey -noout -out "$dir/mqtt/broker.key"
	openssl req -new -key "$dir/mqtt/broker.key" -subj "/CN=$host" |
		openssl x509 -req -days 825 -CA "$ca.crt" -CAkey "$ca.key" -out "$dir/mqtt/broker.crt" 2>/dev/null \
			-extfile <(printf 'subjectAltName=DNS:%s\nextendedKeyUsage=serverAuth\n' "$host")
fi

# Mosquitto takes nobody without a revocation list. This empty one is for the first days,
# until the API's is fetched: docs/operations.md says how.
if [ ! -e "$dir/mqtt/edge-ca.crl" ]; then
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	: >"$work/index"
	printf '[ca]\ndefault_ca=c\n[c]\ndatabase=%s/index\ndefault_md=sha256\ndefault_crl_days=30\n' "$work" >"$work/conf"
	openssl ca -config "$work/conf" -gencrl -keyfile "$ca.key" -cert "$ca.crt" -out "$dir/mqtt/edge-ca.crl" 2>/dev/null
fi

if [ "$(id -u)" = 0 ]; then
	chown -R "${MQTT_UID:-1883}" "$dir/mqtt"
	chown -R 65532:65532 "$dir/api"
else
	echo "not root: give $dir/mqtt to user 1883 and $dir/api to user 65532 before the start" >&2
fi
echo "wrote $env and $dir: keep them, and a copy elsewhere"
