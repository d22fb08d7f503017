#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# golden.sh - the golden files are what their reference scripts write.
set -euo pipefail
cd "$(dirname "$0")/../golden"

bad=0
for script in *_reference.py; do
	golden=${script%_reference.py}.json
	python3 "$script" | cmp - "$golden" || { echo "$script > $golden is due"; bad=1; }
done
exit $bad
