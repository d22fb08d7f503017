#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# overload.sh [--seconds N] [--times X] [--dim D] [--form FORM] [--batch N] [--check] [-- OPTION...]
#
# What microd can answer (closed loop, 32 connections), and what it answers when three times as
# many requests come, whether it answers or not: those within the time count, 503 and what is
# late do not. Resident memory is looked at four times a second. OPTIONs are microd's.
#
# Environment: MICRO_BIN_DIR, the folder of the programs (build/release).
# Exit status: 0 all targets met, 1 not.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
python=/usr/bin/python3
"$python" -c 'import numpy' 2>/dev/null ||
	{ echo "skipped: $python has no NumPy (deploy/install-packages.sh bench)"; exit 77; }
PYTHONPATH=$here/../scenario exec "$python" "$here/serve/overload.py" "$@"
