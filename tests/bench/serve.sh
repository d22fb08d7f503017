#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# serve.sh [--quick] [--only REGEX] [--rounds N] [--seconds N] [--json FILE] [--folder DIR]
#
# microd beside libmicrohttpd without any work, nginx's `return 200`, the same service in FastAPI
# with numpy, and for durable feedback Redis with appendfsync always: one after the other, round
# by round, with the same bodies on 127.0.0.1; cases whose target is close, in more rounds. Prints
# requests and pairs a second, latencies, the server's CPU a request and its memory, then every
# case beside no work, and the targets.
#
# Environment: MICRO_BIN_DIR, the folder of the programs (build/release).
# Exit status: 0 done, 1 failed or requests failed, 77 skipped (the last line says why).
set -euo pipefail
here=$(dirname "$(realpath "$0")")
PYTHONPATH=$here/../scenario exec /usr/bin/python3 "$here/serve/main.py" "$@"
