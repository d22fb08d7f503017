#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# encoder.sh - what texts that a server encodes cost microd, in CPU time a pair. MICRO_BIN_DIR names
# the folder of the programs, build/release by default; SMALL=1 only shows that it runs.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec python3 tests/bench/encoder.py
