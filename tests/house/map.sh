#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# map.sh - the README's map names every source file, and none that is not there.
set -euo pipefail
cd "$(dirname "$0")/../.."

map=$(sed -n '/^## Map of the sources/,$p' README.md)
bad=0
while read -r file; do
	grep -q "[\`/]$(basename "$file")\`" <<<"$map" || { echo "README.md: the map lacks $file"; bad=1; }
done < <(find core server -name '*.c')
while read -r name; do
	find core server -name "$name" | grep -q . || { echo "README.md: the map has $name, which is not there"; bad=1; }
done < <(grep -o '[a-z_0-9]*\.c`' <<<"$map" | tr -d '`')
exit $bad
