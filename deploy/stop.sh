#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# stop.sh - stop the microd that deploy/quickstart.sh started. Its users' state stays in run/.
# Exit status: 0 stopped or not running, 1 it does not stop.
set -euo pipefail
cd "$(dirname "$0")/.."
PID_FILE=run/microd.pid

say() { echo "stop: $*"; }

# The process of the pid file, and still a microd: a number may have been given to another since.
pid=$(cat $PID_FILE 2>/dev/null || true)
if [ -z "$pid" ] || [ "$(cat "/proc/$pid/comm" 2>/dev/null)" != microd ]; then
	say "microd is not running"
	rm -f $PID_FILE
	exit
fi
say "SIGTERM to microd, pid $pid"
kill -TERM "$pid"
for _ in $(seq 150); do
	if ! kill -0 "$pid" 2>/dev/null; then
		rm -f $PID_FILE
		say "stopped"
		exit
	fi
	sleep 0.1
done
say "pid $pid still runs after 15 s; see run/microd.log" >&2
exit 1
