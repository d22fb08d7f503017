#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# train.sh - stage 1 on language models' vectors, in micro-model train and in PyTorch (the
# same loop written plainly): pairs a second, the ratio, and the NLL on the same held-out
# pairs, which must agree to 0.005. Both start from the same weights and go through the
# pairs in an order of their own, one after the other on the same threads.
#
# Environment:
#   MICRO_BIN_DIR  folder of micro-model (build/release)
#   PYTHON         with NumPy and PyTorch (Debian's, /usr/bin/python3)
#   THREADS=2
#   REPEATS=3      runs of each; the ratio printed last is their median
#   SMALL=1        a hundredth of the work: checks that the NLLs agree, installs nothing
# Exit status: 0 done, 1 failed, 77 skipped (the last line says why).
set -euo pipefail
cd "$(dirname "$0")/../.."
micro_model=$(realpath "${MICRO_BIN_DIR:-build/release}/micro-model")
python=${PYTHON:-/usr/bin/python3}
threads=${THREADS:-2}
pairs=50000 heldout=5000 dim=3072 repeats=${REPEATS:-3}
# batch, epochs, learning rate
settings=("32 3 0.002" "512 3 0.01")
if [ "${SMALL:-0}" = 1 ]; then
	pairs=8000 dim=256 repeats=1
	settings=("32 4 0.01" "512 8 0.03")
fi
if ! "$python" -c 'import numpy, torch' 2>/dev/null; then
	[ "${SMALL:-0}" = 1 ] &&
		{ echo "skipped: $python has no PyTorch (deploy/install-packages.sh bench)"; exit 77; }
	deploy/install-packages.sh bench
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# learn NAME OPTIONS...: from train.safetensors
learn() {
	local name=$1
	shift
	"$micro_model" train --data "$folder/train.safetensors" --out "$folder/$name" \
		--encoder "none:$dim" --objective micro --heads 10 --router mlp --hidden 128 \
		--holdout 0 --threads "$threads" "$@"
}

# field NAME [LINE]: of the JSON object in that line of the input
field() { sed -n "${2:-1}p" | "$python" -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }

# compare BATCH EPOCHS RATE: one row of the table. Rates are of all epochs but the last, after
# which micro-model scores all pairs once more.
compare() {
	local ours theirs rate nll
	rate=$(learn model --json --batch "$1" --epochs "$2" --learning-rate "$3" |
		field pairs_per_second $(($2 - 1)))
	nll=$("$micro_model" eval --json --model "$folder/model" --data "$folder/test.safetensors" |
		field nll)
	ours="$rate $nll"
	theirs=$("$python" tests/bench/train_torch.py "$folder" "$folder/start" "$1" "$2" "$3" "$threads")
	theirs="$(field pairs_per_second <<<"$theirs") $(field nll <<<"$theirs")"
	awk -v batch="$1" '{
			printf "%5d  %11.0f %9.0f %6.1fx  %11.4f %9.4f\n", batch, $1, $3, $1 / $3, $2, $4
			exit !($2 - $4 <= 0.005 && $4 - $2 <= 0.005)
		}' <<<"$ours $theirs" ||
		{ echo "batch $1: NLL $nll and ${theirs#* }, want a difference of 0.005 at most" >&2; exit 1; }
}

"$python" tests/bench/train_data.py "$folder" "$pairs" "$heldout" "$dim" 1
# a step of almost nothing leaves the weights that every training begins with
learn start --quiet --batch "$pairs" --epochs 1 --learning-rate 1e-9

echo "$pairs pairs, $dim numbers each of prompt, chosen and rejected, 10 heads, $threads threads"
printf 'batch  micro-model   PyTorch   ratio  micro-model   PyTorch\n'
printf '           pairs/s   pairs/s                  NLL       NLL\n'
for setting in "${settings[@]}"; do
	rows=()
	for ((i = 0; i < repeats; i++)); do
		# shellcheck disable=SC2086 # three words
		rows+=("$(compare $setting)")
		echo "${rows[i]}"
	done
	printf '%s\n' "${rows[@]}" | awk '{print $4 + 0}' | sort -n |
		awk -v batch="${setting%% *}" '{ratio[NR] = $1}
			END {printf "%5d  median ratio %.1fx\n", batch, ratio[int((NR + 1) / 2)]}'
done
