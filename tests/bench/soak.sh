#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# soak.sh [--seconds N] [--every N] [-- OPTION...]
#
# Ten minutes of scores and feedbacks at once, in all forms, with a reload every ten seconds;
# prints resident memory as it goes. OPTIONs are microd's. Growth is judged
# from a minute on.
#
# Environment: MICRO_BIN_DIR, the folder of the programs (build/release).
# Exit status: 0 memory is flat, at most 40 MB besides the model and users' states, and all was
# answered; 1 not; 77 skipped (the last line says why).
set -euo pipefail
here=$(dirname "$(realpath "$0")")
PYTHONPATH=$here/../scenario exec /usr/bin/python3 "$here/serve/soak.py" "$@"
