#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# format.sh - every C file is as clang-format leaves it and begins with its licence.
# Exit status: 0 it is, 1 it is not, 77 clang-format is not here.
set -euo pipefail
cd "$(dirname "$0")/../.."
command -v clang-format >/dev/null || { echo "skipped: clang-format is not installed"; exit 77; }
mapfile -t files < <(find core server tests -name '*.[ch]' | sort)
missing=$(grep -L -F 'SPDX-License-Identifier: Apache-2.0' "${files[@]}" || true)
[ -z "$missing" ] || { printf 'no SPDX line:\n%s\n' "$missing"; exit 1; }
clang-format --dry-run -Werror "${files[@]}"
