#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# epoch_bandwidth.sh - what part of the memory bandwidth an epoch over a features file reaches:
# bytes of vectors in the file over the seconds between two epochs' ends, next to a copy of as
# many bytes in the same run. The file is in the page cache. Asserts nothing.
#
# Environment:
#   MICRO_BIN_DIR   folder of micro-model (build/release)
#   PAIRS="20000"   pairs, of 3 vectors of DIM="3072" numbers
#   BATCH="512" HEADS="10" ROUTER="mlp" HIDDEN="128" THREADS="2"
#   DTYPES="f32 bf16"
set -euo pipefail
cd "$(dirname "$0")/../.."
micro_model=${MICRO_BIN_DIR:-build/release}/micro-model
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

make_features() {
	python3 - "$folder/$1.safetensors" "$1" "${PAIRS:-20000}" "${DIM:-3072}" <<-'PYTHON'
	import array, json, random, struct, sys
	path, dtype, n, dim = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
	size = 4 if dtype == "f32" else 2
	rng = random.Random(1)
	floats = array.array("f", (rng.gauss(0, 1) for _ in range(65537)))
	bits = floats.tobytes()
	pool = bits if size == 4 else b"".join(bits[i + 2:i + 4] for i in range(0, len(bits), 4))
	pool *= 2 + dim * size // len(pool)
	length = n * dim * size
	header = {name: {"dtype": dtype.upper(), "shape": [n, dim],
	                 "data_offsets": [i * length, (i + 1) * length]}
	          for i, name in enumerate(("chosen", "prompt", "rejected"))}
	text = json.dumps(header).encode()
	with open(path, "wb") as out:
	    out.write(struct.pack("<Q", len(text)) + text)
	    for _ in range(3 * n):
	        at = size * rng.randrange(65537)
	        out.write(pool[at:at + dim * size])
	PYTHON
}

copy_rate() {
	python3 - "$folder/$1.safetensors" <<-'PYTHON'
	import os, sys, time
	n = min(os.path.getsize(sys.argv[1]), 1 << 29)
	source, best = bytearray(os.urandom(1 << 20)) * (n >> 20), 0
	target = bytearray(len(source))
	for _ in range(5):
	    begin = time.perf_counter()
	    memoryview(target)[:] = source
	    best = max(best, len(source) / (time.perf_counter() - begin))
	print(best)
	PYTHON
}

epoch_rate() {
	"$micro_model" train --data "$folder/$1.safetensors" --out "$folder/m.safetensors" --json \
		--epochs 5 --holdout 0 --objective micro --batch "${BATCH:-512}" --heads "${HEADS:-10}" \
		--router "${ROUTER:-mlp}" --hidden "${HIDDEN:-128}" --threads "${THREADS:-2}" >"$folder/out"
	python3 - "$folder" "$1" <<-'PYTHON'
	import json, os, sys
	seconds = [json.loads(line)["seconds"] for line in open(f"{sys.argv[1]}/out")
	           if line.startswith('{"epoch"')]
	# the last epoch's end is after a scoring of all pairs
	best = min(b - a for a, b in zip(seconds[:-2], seconds[1:-1]))
	print(os.path.getsize(f"{sys.argv[1]}/{sys.argv[2]}.safetensors") / best)
	PYTHON
}

for dtype in ${DTYPES:-f32 bf16}; do
	make_features "$dtype"
	copy=$(copy_rate "$dtype")
	epoch=$(epoch_rate "$dtype")
	awk -v d="$dtype" -v c="$copy" -v e="$epoch" -v n="${PAIRS:-20000}" -v dim="${DIM:-3072}" 'BEGIN {
		size = d == "f32" ? 4 : 2
		printf "%s: an epoch reads %.2f GB/s (%.0f pairs/s), a copy %.2f GB/s: %.0f %%\n",
			d, e / 1e9, e / (3 * dim * size), c / 1e9, 100 * e / c}'
	rm "$folder/$dtype.safetensors"
done
