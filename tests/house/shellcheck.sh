#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Finds no fault in any script of sh or bash, whatever its name. Exit status 77: shellcheck is not
# here.
set -euo pipefail
cd "$(dirname "$0")/../.."
command -v shellcheck >/dev/null || { echo "skipped: shellcheck is not installed"; exit 77; }
mapfile -t files < <(
	find .ci deploy tests -type f -exec awk 'FNR == 1 && /^#!.*\/(ba|da)?sh( |$)/ { print FILENAME }
		{ nextfile }' {} + | sort)
[ ${#files[@]} != 0 ]
shellcheck "${files[@]}"
echo "${#files[@]} files"
