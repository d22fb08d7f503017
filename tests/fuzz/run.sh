#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh TARGET SECONDS - fuzz one target of build/fuzz for a while. What it finds stays: new
# inputs in build/fuzz/found/TARGET, a failing one in build/fuzz/artifacts (to be put into
# tests/fuzz/regressions/TARGET with the fix).
set -euo pipefail
cd "$(dirname "$0")/../.."
target=$1
found=build/fuzz/found/$target
seeds=("tests/fuzz/corpus/$target")
[ -d "tests/fuzz/regressions/$target" ] && seeds+=("tests/fuzz/regressions/$target")
log=build/logs/fuzz-$target.log
mkdir -p "$found" build/fuzz/artifacts build/logs
options=(-max_total_time="$2" -timeout=30 -rss_limit_mb=2048 -print_final_stats=1
	-artifact_prefix="build/fuzz/artifacts/$target-")
[ -f "tests/fuzz/$target.dict" ] && options+=(-dict="tests/fuzz/$target.dict")
if ! "build/fuzz/tests/fuzz_$target" "${options[@]}" "$found" "${seeds[@]}" >"$log" 2>&1; then
	tail -n 40 "$log"
	echo "fuzz $target: FAILED, see $log"
	exit 1
fi
echo "fuzz $target: $(grep -oE 'number_of_executed_units: *[0-9]+' "$log" | grep -oE '[0-9]+') runs," \
	"$(find "$found" -type f | wc -l) new inputs kept"
