#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh - installs what the tests need (Debian 12), builds, runs every test; safe to run twice.
#
#   gcc      release build, all unit, scenario and house tests, clang-tidy and cppcheck
#   clang    release build, all unit tests
#   asan     AddressSanitizer + UndefinedBehaviorSanitizer, all tests but the README's commands,
#            which make a release build of their own
#   tsan     ThreadSanitizer: all unit tests, and the scenarios of the daemon
#   fuzz     libFuzzer, each target for FUZZ_SECONDS
#   docker   builds the image and runs it
#
# Environment:
#   QUICK=1            packages, gcc only
#   FUZZ_SECONDS=60    per fuzz target
#   MICRO_WERROR=ON    warnings are errors (CI)
#   MICRO_SHARED_DATA  folder of the real data sets (../shared/data)
#   MICRO_BUILD_IMAGE  script that builds and runs images (../shared/build-image.sh)
#
# Goes on after a failure, ends with a summary, exit status 0 only if nothing failed. What is
# skipped is listed with the reason.
# shellcheck disable=SC2317 # step calls the functions
set -uo pipefail
cd "$(dirname "$0")/.." || exit
FUZZ_SECONDS=${FUZZ_SECONDS:-60}
WERROR=${MICRO_WERROR:-OFF}
JOBS=$(nproc)
LOGS=build/logs
export MICRO_SHARED_DATA; MICRO_SHARED_DATA=$(realpath -m "${MICRO_SHARED_DATA:-../shared/data}")
export MICRO_BUILD_IMAGE; MICRO_BUILD_IMAGE=$(realpath -m "${MICRO_BUILD_IMAGE:-../shared/build-image.sh}")

summary=() skipped=() failures=()
n_steps=0 n_tests=0 n_failed=0
mkdir -p $LOGS

# step NAME COMMAND... - run it, show and keep its output, note how it ended; 77 is a skip
step() {
	local name=$1 log=$LOGS/$1.log begin=$SECONDS status result=Passed
	shift
	printf '\n=== %s: %s\n' "$name" "$*"
	"$@" 2>&1 </dev/null | tee "$log"
	status=${PIPESTATUS[0]}
	case $status in
	0) ;;
	77) result=Skipped ;;
	*) result='***Failed' ;;
	esac
	n_steps=$((n_steps + 1))
	summary+=("$(printf '%2d %-12s %-9s %4d s' $n_steps "$name" "$result" $((SECONDS - begin)))")
	count_tests "$name" "$log" "$status"
	[ "$result" = Passed ] || [ "$result" = Skipped ] || name_failures "$name" "$log"
	[ "$status" = 0 ] || [ "$status" = 77 ]
}

# Add up what ctest says at its end; any other step is one test. Note the reasons of skips.
count_tests() { # NAME LOG STATUS
	local line failed=0
	while read -r line; do skipped+=("$1: ${line#skipped: }"); done < <(grep '^skipped: ' "$2" | sort -u)
	if line=$(grep -E '^[0-9]+% tests passed' "$2" | tail -n 1); then
		n_tests=$((n_tests + ${line##* }))
		line=${line#*, }
		failed=${line%% *}
	else
		n_tests=$((n_tests + 1))
	fi
	if [ "$failed" = 0 ] && [ "$3" != 0 ] && [ "$3" != 77 ]; then failed=1; fi
	n_failed=$((n_failed + failed))
}

# What failed: ctest's list and what was asserted, a fuzzer's finding; of any other step the end of
# what it said.
name_failures() { # NAME LOG
	local line lines
	mapfile -t lines < <(sed -nE '/^The following tests FAILED:/,/^(Errors while|$)/s/^\t *[0-9]+ - //p
		/^[A-Za-z.]*(Error|Exception): |\.[ch]:[0-9]+:[EF]:/p
		/^==[0-9]+==.*(ERROR|WARNING)|^SUMMARY: |^fuzz .*: FAILED/p' "$2" | tail -n 20)
	[ ${#lines[@]} != 0 ] || mapfile -t lines < <(tail -n 5 "$2")
	for line in "${lines[@]}"; do failures+=("$1: ${line:0:200}"); done
}

configure_and_build() { # FOLDER PRESET TARGET CMAKE_OPTIONS...
	local folder=$1 preset=$2 target=$3
	shift 3
	cmake --preset "$preset" -B "$folder" -DMICRO_TESTS=ON -DMICRO_WERROR="$WERROR" "$@" >/dev/null &&
		cmake --build "$folder" -j "$JOBS" --target "$target"
}

build() { # NAME PRESET TARGET CMAKE_OPTIONS...
	local name=$1
	shift
	step "build-$name" configure_and_build "build/$name" "$@" && return
	skipped+=("$name: not run, because build-$name failed")
	return 1
}

run_ctest() { # FOLDER CTEST_OPTIONS...
	local folder=$1
	shift
	ctest --test-dir "$folder" -j "$JOBS" --output-on-failure --no-tests=error "$@"
	local -i status=$?
	# a skipped test's reason is in ctest's log only
	grep -hE '^skipped: ' "$folder/Testing/Temporary/LastTest.log" | sort -u
	return "$status"
}

summarize() {
	printf '\nSummary\n'
	printf '  %s\n' "${summary[@]}"
	if [ ${#skipped[@]} != 0 ]; then
		printf '\nSkipped\n'
		printf '  %s\n' "${skipped[@]}"
	fi
	if [ ${#failures[@]} != 0 ]; then
		printf '\nFailed\n'
		printf '  %s\n' "${failures[@]}"
	fi
	printf '\n%d%% tests passed, %d tests failed out of %d\n' \
		$((100 * (n_tests - n_failed) / n_tests)) $n_failed $n_tests
	printf '\nTotal time = %d s\n' $SECONDS
	exit $((n_failed > 0))
}

step packages deploy/install-packages.sh test || summarize
# the release build does as many kills as are promised
build gcc release all -DCMAKE_C_COMPILER=gcc && MICRO_KILLS=200 step test-gcc run_ctest build/gcc
[ "${QUICK:-0}" = 0 ] || summarize
build clang release all -DCMAKE_C_COMPILER=clang &&
	step test-clang run_ctest build/clang -R '^(unit|fuzz)\.'
build asan asan all && step test-asan run_ctest build/asan -E '^scenario\.readme$'
# the scenarios in which microd's threads meet. Left out of tsan are those of micro-model alone: its
# threads are those of one pool, which the unit tests share out in every way, OpenBLAS is not
# instrumented, and minutes of arithmetic would be hours
daemon='access|clients|encoder|encoder_faults|encoder_load|faults|feedback|kill|lifecycle|operations|overload'
daemon+='|receipts|retention|score|tensors|tls|trainers|user_files|users'
build tsan tsan all && step test-tsan run_ctest build/tsan \
	-R "^(unit\.|house\.sanitizer|scenario\.($daemon)\$)"
build fuzz fuzz fuzzers && step fuzz tests/fuzz/all.sh "$FUZZ_SECONDS"
step docker tests/docker.sh
summarize
