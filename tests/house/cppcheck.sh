#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# cppcheck.sh BUILD_FOLDER - cppcheck over what BUILD_FOLDER compiles of core/, server/ and the
# fuzzers; cppcheck.txt beside this lists what is not looked for, with the reasons. The unit tests
# are made of check's macros, which it does not follow. Exit status 77: no cppcheck.
set -euo pipefail
command -v cppcheck >/dev/null || { echo "skipped: cppcheck is not installed"; exit 77; }
build=$(realpath "${1:?build folder}")
cd "$(dirname "$0")/../.."
mkdir -p "$build/cppcheck"
cppcheck --project="$build/compile_commands.json" --cppcheck-build-dir="$build/cppcheck" \
	-i "$PWD/tests/unit" -i "$PWD/tests/report" --std=c11 --enable=warning,style,performance,portability \
	--suppressions-list=tests/house/cppcheck.txt --inline-suppr --error-exitcode=1 --quiet \
	-j "$(nproc)" --template='{file}:{line}:{column}: {severity}: {message} [{id}]'
