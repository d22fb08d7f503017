#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# yaml.sh - yamllint finds no fault in any YAML file. Exit status 77: it is not here.
set -euo pipefail
cd "$(dirname "$0")/../.."
command -v yamllint >/dev/null || { echo "skipped: yamllint is not installed"; exit 77; }
mapfile -t files < <(find deploy schema tests -name '*.y*ml' | sort)
yamllint --strict -c tests/house/yamllint.yml "${files[@]}"
echo "${#files[@]} files"
