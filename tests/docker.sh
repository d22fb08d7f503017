#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# docker.sh - build the image and run it: score and feedback over HTTP, then another container
# on the same volume must know the user again.
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

run_container() { # what the container must show
	URL_PATH=/readyz RUN_ARGS="-v $VOLUME:/var/lib/micro" MAX_GROWTH_MB=60 \
		SMOKE="python3 tests/docker_smoke.py \"\$URL\" $1" \
		bash "$BUILD_IMAGE" . "$TAG"
}
run_container learns
run_container remembers
