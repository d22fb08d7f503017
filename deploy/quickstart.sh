#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# quickstart.sh - from a clone to a running microd with a demo model, on Debian 12.
#
# Installs what is missing, builds, makes demo data, trains and evaluates the demo model, and
# leaves microd serving on 127.0.0.1:PORT (default 8080). Everything it makes is in build/ and
# run/. Safe to run twice: a microd it started before is restarted and keeps its users' state.
# deploy/stop.sh stops it.
#
# Exit status: 0 microd answers, 1 something failed; the last lines say what.
set -euo pipefail
cd "$(dirname "$0")/.."
PORT=${PORT:-8080}
PROGRAMS=build/release
MODEL=run/demo.safetensors
URL=http://127.0.0.1:$PORT

say() { printf '\nquickstart: %s\n' "$*"; }
die() { printf 'quickstart: %s\n' "$*" >&2; exit 1; }

if [[ ! $PORT =~ ^[0-9]{1,5}$ ]] || ((10#$PORT < 1 || 10#$PORT > 65535)); then
	die "PORT=$PORT, want a number from 1 to 65535"
fi
own_pid=$(cat run/microd.pid 2>/dev/null || true)
if [ "$(cat "/proc/${own_pid:-none}/comm" 2>/dev/null)" = microd ]; then
	say "microd runs already, pid $own_pid; it serves until step 6 restarts it"
elif (exec 3<>"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null; then
	die "port $PORT is taken by another program; try PORT=8081 deploy/quickstart.sh"
fi

say "1. packages"
deploy/install-packages.sh build

say "2. build ($PROGRAMS)"
cmake --preset release -DMICRO_TESTS=OFF >/dev/null
cmake --build --preset release

say "3. demo data (run/demo)"
deploy/demo-data.py run/demo

say "4. train the demo model ($MODEL)"
$PROGRAMS/micro-model train --heads 8 --data run/demo/train.jsonl --out $MODEL

say "5. how well it knows people it never saw, after m of their own feedbacks"
$PROGRAMS/micro-model eval --model $MODEL --data run/demo/test.jsonl --shots 0,1,2,4,8

say "6. start microd on 127.0.0.1:$PORT (log: run/microd.log, state: run/micro.db)"
deploy/stop.sh
rm -f run/microd.port
setsid $PROGRAMS/microd --model $MODEL --state run/micro.db --port "$PORT" \
	--port-file run/microd.port >>run/microd.log 2>&1 </dev/null &
pid=$!
echo $pid >run/microd.pid
ready=
for _ in $(seq 100); do
	kill -0 $pid 2>/dev/null || break
	# the port file is this process's own: another program may be answering on that port
	if [ -s run/microd.port ] && curl -fsS -o /dev/null -m 2 "$URL/readyz" 2>/dev/null; then
		ready=yes
		break
	fi
	sleep 0.1
done
if [ -z "$ready" ]; then
	tail -n 5 run/microd.log >&2
	die "microd does not answer on port $PORT; its last log lines are above"
fi
echo "quickstart: ready, pid $pid; deploy/stop.sh stops it"

say "try it: a score, a feedback, and the same score again"
cat <<END

curl -s $URL/score -H 'Content-Type: application/json' -d '{
  "user": "ada", "prompt": "How long do I boil an egg?",
  "responses": ["Seven minutes, then cold water.",
    "Here is how, step by step: 1. bring a small pot of water to the boil. 2. lower the egg in with a spoon. 3. wait seven minutes. 4. move it into cold water."]}'

curl -s $URL/feedback -H 'Content-Type: application/json' -d '{
  "user": "ada", "prompt": "How do I descale a kettle?",
  "chosen": "Follow these steps in order: 1. fill it half with water and half with vinegar. 2. boil it. 3. leave it for an hour. 4. rinse it twice.",
  "rejected": "Boil it with vinegar and water, then rinse."}'
END
