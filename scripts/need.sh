#!/usr/bin/env bash
# need.sh PROGRAM…: makes sure that the programs are there. On Debian, as root or with
# sudo, it installs what is missing; elsewhere it says what to install.
set -euo pipefail

# Prints the Debian package of a program.
package() {
	case $1 in
	postgres) echo postgresql ;;
	node) echo nodejs ;;
	mosquitto_pub) echo mosquitto-clients ;;
	qemu-aarch64-static) echo qemu-user-static ;;
	pgrouting) echo "postgresql-$(server_version)-pgrouting" ;;
	gcc) echo build-essential ;; # the race detector links with it
	*) echo "$1" ;;
	esac
}

# Prints the newest version of the PostgreSQL servers that are installed.
server_version() {
	find /usr/lib/postgresql -mindepth 1 -maxdepth 1 -printf '%f\n' 2>/dev/null | sort -V | tail -n 1
}

# Debian keeps the PostgreSQL server out of PATH.
have() {
	case $1 in
	postgres) compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || command -v pg_ctl >/dev/null ;;
	pgrouting) compgen -G '/usr/share/postgresql/*/extension/pgrouting.control' >/dev/null ;;
	*) command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ] ;;
	esac
}

missing=()
for program in "$@"; do
	have "$program" || missing+=("$(package "$program")")
done
[ ${#missing[@]} -gt 0 ] || exit 0

root=()
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null && root=(sudo)
fi
if ! command -v apt-get >/dev/null || { [ "$(id -u)" != 0 ] && [ ${#root[@]} = 0 ]; }; then
	echo "missing: ${missing[*]}. Install them with your system's package manager and try again." >&2
	exit 1
fi

echo "installing ${missing[*]}" >&2
log=$(mktemp)
# A policy that forbids to start services: the tests start their own, on free ports.
policy=/usr/sbin/policy-rc.d
made_policy=
if [ ! -e $policy ]; then
	printf '#!/bin/sh\nexit 101\n' | "${root[@]}" tee $policy >/dev/null
	"${root[@]}" chmod +x $policy
	made_policy=1
fi
cleanup() {
	[ -z "$made_policy" ] || "${root[@]}" rm -f $policy
	rm -f "$log"
}
trap cleanup EXIT
if ! { "${root[@]}" apt-get update -qq &&
	"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
	tail -n 20 "$log" >&2
	echo "could not install ${missing[*]}" >&2
	exit 1
fi
