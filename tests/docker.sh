#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# docker.sh - build the image and run it with a read-only root and no capabilities: score and
# feedback over HTTP, then another container on the same volume must know the user again, with an
# API key. Without a key, or the word that none is wanted, it must not start.
#
# Needs root and the script that MICRO_BUILD_IMAGE names (it builds and runs images without a
# container engine). Exit status: 0 passed, 1 failed, 77 skipped (the last line says why).
set -euo pipefail
cd "$(dirname "$0")/.."
BUILD_IMAGE=${MICRO_BUILD_IMAGE:-../shared/build-image.sh}
TAG=microd:test
VOLUME=micro-test-state-$$

skip() { echo "skipped: $*"; exit 77; }
[ -f "$BUILD_IMAGE" ] || skip "$BUILD_IMAGE is not there (MICRO_BUILD_IMAGE names it)"
[ "$(id -u)" = 0 ] || skip "building an image needs root"

podman() { bash "$BUILD_IMAGE" --podman "$@"; }
trap 'podman volume rm -f "$VOLUME" >/dev/null' EXIT

# the libraries that it runs on: 61.6 MB over its base when libcurl came
run_container() { # what the container must show, with these environment variables
	URL_PATH=/readyz MAX_GROWTH_MB=65 \
		RUN_ARGS="-v $VOLUME:/var/lib/micro --read-only --cap-drop=ALL $2" \
		SMOKE="python3 tests/docker_smoke.py \"\$URL\" $1" \
		bash "$BUILD_IMAGE" . "$TAG"
}
run_container learns "-e MICROD_ALLOW_ANONYMOUS=1"
MICRO_KEY=micro-test-$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
export MICRO_KEY
run_container remembers "-e MICROD_API_KEY=$MICRO_KEY"
config() { podman image inspect --format "{{$1}}" "$TAG"; }
[ "$(config .Config.User)" = 10001 ] || { echo "user: $(config .Config.User)"; exit 1; }
[ "$(config '(index .Config.Labels "org.opencontainers.image.title")')" = microd ] || { echo "no label"; exit 1; }
[[ "$(config .Config.Healthcheck.Test)" == *readyz* ]] || { echo "no health check"; exit 1; }
if answer=$(podman run --rm --network=none "$TAG" 2>&1); then
	echo "it serves everyone without being told to"
	exit 1
fi
grep -F -e --allow-anonymous <<<"$answer"
