#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# sanitizer_acts.sh PROGRAM FAULT REPORT - a program with a fault, built as everything else in
# this build, must fail with this report; if it does not, the sanitizer switch does nothing.
set -uo pipefail
output=$("$1" "$2" 2>&1)
status=$?
echo "$output"
[ $status != 0 ] || { echo "$2: exit status 0: no sanitizer acts"; exit 1; }
grep -q "$3" <<<"$output" || { echo "$2: want a report of '$3'"; exit 1; }
