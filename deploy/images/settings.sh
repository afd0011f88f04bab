# shellcheck shell=bash
# What build.sh and smoke.sh agree on; sourced, not run. Each may be set from outside.

repo=$(git -C "$(dirname "${BASH_SOURCE[0]}")" rev-parse --show-toplevel)
SERVICES=${SERVICES:-collector predictor rerouter api simulator edge standalone}
ARCHS=${ARCHS:-amd64 arm64}
REGISTRY=${REGISTRY:-localhost/cityflow}
export REVISION
REVISION=$(git -C "$repo" rev-parse HEAD)
VERSION=${VERSION:-$(git -C "$repo" rev-parse --short=12 HEAD)}
# The commit's time, so that the same commit gives the same bytes.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$repo" log -1 --format=%ct)}
OUT=${OUT:-$repo/dist/images}

# Without systemd the defaults of podman do not work.
if [ "$(cat /proc/1/comm)" != systemd ] && [ -z "${CONTAINERS_CONF:-}" ]; then
	export CONTAINERS_CONF=$repo/deploy/images/containers.conf
fi

# The folder of a service's main package.
main_of() {
	case $1 in
	edge | simulator) echo "./$1/cmd/$1" ;;
	standalone) echo ./standalone ;;
	*) echo "./cloud/$1/cmd/$1" ;;
	esac
}

# The name of a service's image, without its architecture.
image_of() { echo "$REGISTRY/$1:$VERSION"; }
