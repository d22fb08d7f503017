#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# all.sh SECONDS - fuzz every target of build/fuzz for so long, as many at once as there are cores
# all.sh --total SECONDS - the same, so long for all of them together
#
#   cmake --preset fuzz && cmake --build build/fuzz --target fuzzers
#   nice -n 19 tests/fuzz/all.sh --total 3600
#
# Goes on after a failure; exit status 0 only if nothing failed. One line a target, then the sum.
set -euo pipefail
cd "$(dirname "$0")/../.."
mapfile -t targets < <(find build/fuzz/tests -maxdepth 1 -name 'fuzz_*' -type f -executable \
	-printf '%f\n' | sed 's/^fuzz_//' | sort)
[ ${#targets[@]} != 0 ] || { echo "no fuzz targets in build/fuzz, build them first"; exit 1; }
case ${1:-} in
--total) each=$((${2:?seconds} / ${#targets[@]})) ;;
*) each=${1:?seconds} ;;
esac
[ "$each" -ge 1 ] || { echo "want at least a second for each of ${#targets[@]} targets"; exit 1; }
begin=$SECONDS failed=0
printf '%s\n' "${targets[@]}" | xargs -P "$(nproc)" -I{} tests/fuzz/run.sh {} "$each" || failed=1
echo "${#targets[@]} targets, $each s each: $((each * ${#targets[@]})) s of fuzzing in $((SECONDS - begin)) s"
exit $failed
