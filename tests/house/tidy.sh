#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# tidy.sh BUILD_FOLDER - clang-tidy (.clang-tidy says what it looks for) over every file of core/ and
# server/ that BUILD_FOLDER compiles, as many at once as there are cores.
#
# A file that was clean is not looked at again until it changes, or what it includes, the checks
# or clang-tidy do: BUILD_FOLDER/tidy holds the digests. Exit status 77: no clang-tidy.
set -euo pipefail
command -v clang-tidy >/dev/null || { echo "skipped: clang-tidy is not installed"; exit 77; }
build=$(realpath "${1:?build folder}")
cd "$(dirname "$0")/../.."
top=$PWD
export build top
mkdir -p "$build/tidy"

# What the outcome depends on, but for the file and its includes.
rules=$({ clang-tidy --version; cat .clang-tidy tests/house/analyzer.h "$0"; } | sha256sum)
export rules

# check FILE COMMAND - silent if it is clean
check() {
	# asserts say what cannot be
	local file=$1 command=$2 digest more=(--extra-arg=-UNDEBUG)
	# preprocessed without line numbers: a moved folder is no change
	digest=$({ echo "$rules $file"; eval "${command%% -o *} -E -P $file"; } | sha256sum | cut -c1-64)
	[ -e "$build/tidy/$digest" ] && return
	# the file that defines them cannot have them as macros
	[ "$file" = "$top/core/base/err.c" ] ||
		more+=(--extra-arg=-include --extra-arg="$top/tests/house/analyzer.h")
	if clang-tidy -p "$build" --quiet "${more[@]}" "$file" 2>"$build/tidy/$digest.tmp"; then
		mv "$build/tidy/$digest.tmp" "$build/tidy/$digest"
	else
		grep -v 'warnings* \(generated\|treated\)' "$build/tidy/$digest.tmp" || true
		rm "$build/tidy/$digest.tmp"
		return 1
	fi
}
export -f check

# file, NUL, command, NUL of every entry; a file is in one target only
# shellcheck disable=SC2016 # the other bash expands them
python3 - <<'END' | xargs -0 -n2 -P "$(nproc)" bash -c 'check "$1" "$2"' check
import json, os, sys
top = os.environ["top"]
for entry in json.load(open(os.environ["build"] + "/compile_commands.json", encoding="utf-8")):
    if entry["file"].startswith((top + "/core/", top + "/server/")):
        sys.stdout.write(entry["file"] + "\0" + entry["command"] + "\0")
END
