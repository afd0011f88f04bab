#!/usr/bin/env bash
# build.sh: builds the image of every service for every architecture with buildah. The
# same commit gives the same digests. Ends with the sizes of the programs in MB.
#
#   SERVICES="edge api" ARCHS=amd64 REGISTRY=ghcr.io/… VERSION=v1.2.3 deploy/images/build.sh
#
# Each image is REGISTRY/SERVICE:VERSION, a list of REGISTRY/SERVICE:VERSION-ARCH, in the
# local storage, and OUT/digests.txt has their digests. `buildah manifest push --all` publishes one.
set -euo pipefail
# shellcheck source=deploy/images/settings.sh
. "$(dirname "$0")/settings.sh"
"$repo/scripts/need.sh" buildah

# programs builds all services for one architecture. VCS stamping is asked for, whatever
# the machine's settings: `--version` says the commit, and the same commit stamps the same.
programs() {
	local arch=$1 packages=() service
	for service in $SERVICES; do packages+=("$(main_of "$service")"); done
	mkdir -p "$OUT/linux/$arch"
	(cd "$repo" && CGO_ENABLED=0 GOOS=linux GOARCH=$arch \
		go build -buildvcs=true -trimpath -ldflags='-s -w' -o "$OUT/linux/$arch/" "${packages[@]}")
}

# root lays out what is the same in every image. The CA roots are Mozilla's, at the
# version that deploy/tools pins: not those of whoever builds.
root() {
	local zones
	zones=$(go env GOROOT)/lib/time/zoneinfo.zip
	rm -rf "$OUT/root"
	mkdir -p "$OUT/root/etc/ssl/certs" "$OUT/root/usr/share" "$OUT/root/data"
	cp "$zones" "$OUT/root/usr/share/zoneinfo.zip"
	(cd "$repo/deploy/tools" && GOWORK=off go run . roots) >"$OUT/root/etc/ssl/certs/ca-certificates.crt"
	echo 'cityflow:x:65532:65532:CityFlow:/var/lib/cityflow:/sbin/nologin' >"$OUT/root/etc/passwd"
	echo 'cityflow:x:65532:' >"$OUT/root/etc/group"
	chmod -R u=rwX,go=rX "$OUT/root"
}

# image builds one service for one architecture, and adds it to the service's list.
image() {
	local service=$1 arch=$2
	buildah build --quiet --isolation chroot --timestamp "$SOURCE_DATE_EPOCH" --layers=false \
		--platform "linux/$arch" --tag "$(image_of "$service")-$arch" \
		--build-arg SERVICE="$service" --build-arg TARGETARCH="$arch" \
		--build-arg VERSION="$VERSION" --build-arg REVISION="$REVISION" \
		--build-arg CREATED="$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)" \
		--file "$repo/deploy/images/Dockerfile" "$OUT" >/dev/null
	buildah manifest add "$(image_of "$service")" "containers-storage:$(image_of "$service")-$arch" >/dev/null
}

root
for arch in $ARCHS; do programs "$arch"; done
: >"$OUT/digests.txt"
for service in $SERVICES; do
	buildah manifest rm "$(image_of "$service")" >/dev/null 2>&1 || true
	buildah manifest create "$(image_of "$service")" >/dev/null
	for arch in $ARCHS; do image "$service" "$arch"; done
	buildah manifest inspect "$(image_of "$service")" |
		awk -v s="$service" -F'"' '/"digest"/ {d=$4} /"architecture"/ {print s, $4, d}' >>"$OUT/digests.txt"
done
cat "$OUT/digests.txt"

# A layer holds the program, and 0.6 MB beside it that are in every image.
largest=0
for service in $SERVICES; do
	for arch in $ARCHS; do
		mb=$(awk -v b="$(du -cb "$OUT/linux/$arch/$service" "$OUT/root" | tail -1 | cut -f1)" 'BEGIN {printf "%.1f", b/1e6}')
		echo "$service $arch: $mb MB"
		largest=$(awk -v a="$largest" -v b="$mb" 'BEGIN {print (b>a)?b:a}')
		[ "$service/$arch" != edge/arm64 ] || edge=$mb
	done
done
[ -z "${edge:-}" ] || echo "BENCH image_edge_mb $edge MB"
echo "BENCH image_largest_mb $largest MB"
