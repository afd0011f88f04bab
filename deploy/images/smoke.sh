#!/usr/bin/env bash
# smoke.sh: runs what build.sh built, each image as a container with a read-only root and
# no privileges: --version and --help of all, and standalone until it says it is ready.
# Images for another architecture than this machine's run under qemu. Prints one line each.
set -euo pipefail
# shellcheck source=deploy/images/settings.sh
. "$(dirname "$0")/settings.sh"
"$repo/scripts/need.sh" podman runc curl
here=$(go env GOHOSTARCH)

run() {
	local arch=$1
	shift
	podman run --rm --quiet --network none --read-only --cap-drop ALL --security-opt no-new-privileges \
		--platform "linux/$arch" "$@"
}

emulated() {
	[ "$1" != "$here" ] || return 0
	"$repo/scripts/need.sh" qemu-aarch64-static update-binfmts
	update-binfmts --enable qemu-aarch64 2>/dev/null || true
}

for service in $SERVICES; do
	for arch in $ARCHS; do
		# Emulation is slow, and the edge is what runs on arm64.
		[ "$arch" = "$here" ] || [ "$service" = edge ] || continue
		emulated "$arch"
		help=$(run "$arch" "$(image_of "$service")-$arch" --help)
		case $help in *--config*) ;; *) echo "$service $arch: no help: $help" >&2 && exit 1 ;; esac
		echo "$service $arch: $(run "$arch" "$(image_of "$service")-$arch" --version)"
	done
done

case " $SERVICES " in *" standalone "*) ;; *) exit 0 ;; esac
id=$(podman run --detach --quiet --read-only --cap-drop ALL --security-opt no-new-privileges \
	--network host --volume /var/lib/cityflow "$(image_of standalone)-$here" \
	up --source city --http-addr 127.0.0.1:18089 --mqtt-addr 127.0.0.1:18839)
trap 'podman rm --force --volumes --time 5 "$id" >/dev/null' EXIT
for _ in $(seq 60); do
	if curl -fs http://127.0.0.1:18089/readyz; then
		exit 0
	fi
	sleep 1
done
podman logs "$id" >&2
exit 1
