#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# compare.sh [REPORT.html] - the comparison that README.md shows: every method on the people of
# Polis, side by side, 3 seeds. Fails unless after 8 feedbacks bt < micro < lore < panel, by the
# means of accuracy and of NLL.
#
# Environment:
#   MICRO_BIN_DIR      folder of micro-model (build/release)
#   MICRO_SHARED_DATA  folder of the data sets (../shared/data)
#   SEEDS=3 HEADS=32
#   METHODS=all CURVES=1  CURVES=0: only what the order is about
# Exit status: 0 done, 1 failed, 77 skipped (the last line says why).
set -euo pipefail
cd "$(dirname "$0")/../.."
micro_model=$(realpath "${MICRO_BIN_DIR:-build/release}/micro-model")
data=${MICRO_SHARED_DATA:-../shared/data}/polis
[ -f "$data/train.jsonl.gz" ] || { echo "skipped: $data is not there (MICRO_SHARED_DATA)"; exit 77; }
options=(--compare "${METHODS:-all}" --heads "${HEADS:-32}" --seeds "${SEEDS:-3}")
[ "${CURVES:-1}" = 0 ] || options+=(--route context.train.jsonl.gz --contexts context.test.jsonl.gz
	--heads-curve "2,4,8,16,32" --budgets "52,104,208,416")
[ $# = 0 ] || options+=(--report "$(realpath -- "$1")")
out=$(mktemp)
trap 'rm -f "$out"' EXIT

cd "$data" # so that the page is called after the file alone
"$micro_model" eval --data train.jsonl.gz --test test.jsonl.gz "${options[@]}" | tee "$out"

# mean TITLE METHOD: after 8 feedbacks, of that table
mean() {
	awk -v title="$1 after m feedbacks" -v method="$2" '
		index($0, title) == 1 {inside = 1}
		inside && $1 == method {sub(/^[*]/, "", $NF); sub(/[^0-9.].*/, "", $NF); print $NF; exit}
		inside && NF == 0 {exit}' "$out"
}

for pair in "bt micro" "micro lore" "lore panel"; do
	read -r less more <<<"$pair"
	awk -v a="$(mean Accuracy "$less")" -v b="$(mean Accuracy "$more")" -v c="$(mean NLL "$less")" \
		-v d="$(mean NLL "$more")" 'BEGIN {exit !(a < b && c > d)}' ||
		{ echo "after 8 feedbacks $more is not better than $less" >&2; exit 1; }
done
