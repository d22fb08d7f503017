#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# polis.sh - the figures that README.md gives for real people: trains on the Polis training
# split, evaluates on the people held out. Asserts nothing; tests/scenario does.
#
# Environment:
#   MICRO_BIN_DIR      folder of micro-model (build/release)
#   MICRO_SHARED_DATA  folder of the data sets (../shared/data)
#   HEADS="16"         numbers of heads; README.md has 16 32 64 128 for contexts
# Exit status: 0 done, 1 failed, 77 skipped (the last line says why).
set -euo pipefail
cd "$(dirname "$0")/../.."
micro_model=${MICRO_BIN_DIR:-build/release}/micro-model
data=${MICRO_SHARED_DATA:-../shared/data}/polis
[ -f "$data/train.jsonl.gz" ] || { echo "skipped: $data is not there (MICRO_SHARED_DATA)"; exit 77; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# train NAME OPTIONS...
train() {
	local begin=$EPOCHREALTIME name=$1
	shift
	"$micro_model" train --quiet --data "$data/train.jsonl.gz" --out "$folder/$name" "$@"
	awk -v a="$begin" -v b="$EPOCHREALTIME" -v w="$*" 'BEGIN {printf "\n== train %s: %.1f s\n", w, b - a}'
}

shots() {
	"$micro_model" eval --model "$folder/$1" --data "$data/test.jsonl.gz" --shots 0,1,2,4,8 |
		sed -n '/^feedbacks/,$p'
}

# the router alone on people of known contexts: mean over the contexts
contexts() {
	"$micro_model" eval --model "$folder/$1" --data "$data/context.test.jsonl.gz" |
		grep '^(mean of contexts)'
}

train single --objective bt
shots single
for heads in ${HEADS:-16}; do
	train panel --heads "$heads"
	shots panel
	echo "contexts, before route:"
	contexts panel
	"$micro_model" route --quiet --model "$folder/panel" --data "$data/context.train.jsonl.gz" \
		--out "$folder/routed"
	echo "contexts, after route:"
	contexts routed
	echo "no context named, after route:"
	shots routed
done
