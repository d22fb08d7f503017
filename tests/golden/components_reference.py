#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Golden values of the drm objective: principal components of preference differences.

The covariance of the differences is written down as it is defined, in 50 decimal digits, its
eigenvectors are found one after the other by power iteration and deflation, and the common
factor by a ternary search: nothing is shared with the C code, which never makes the
covariance. Components point to where the mean difference does.

    tests/golden/components_reference.py > tests/golden/components.json
"""
import json
import math
import random
import struct
import sys
from decimal import Decimal, getcontext

getcontext().prec = 50

DIM, N_PAIRS, N_HEADS = 18, 40, 3
SPREAD = 2.0  # of the first direction; each further one has 0.7 of the one before


def float32(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


def dot(x, y):
    return sum((a * b for a, b in zip(x, y)), Decimal(0))


def unit(x):
    norm = dot(x, x).sqrt()
    return [a / norm for a in x]


def draw(rng):
    """Chosen and rejected vectors, mixed so that the components are along no axis."""
    axes = [[rng.uniform(-1, 1) for _ in range(DIM)] for _ in range(DIM)]
    rows = []
    for _ in range(2 * N_PAIRS):
        share = [rng.uniform(-1.2, 1.8) * SPREAD * 0.7 ** j for j in range(DIM)]
        rows.append([float32(math.fsum(s * a[d] for s, a in zip(share, axes)))
                     for d in range(DIM)])
    return rows[0::2], rows[1::2]


def first_component(covariance, rng):
    x = unit([Decimal(rng.uniform(-1, 1)) for _ in covariance])
    while True:
        y = unit([dot(row, x) for row in covariance])
        if max(abs(a - b) for a, b in zip(x, y)) < Decimal("1e-25"):
            return y, dot(y, [dot(row, y) for row in covariance])
        x = y


def log_likelihood(margins, scale):
    total = Decimal(0)
    for row in margins:
        total += (sum(1 / (1 + (-scale * m).exp()) for m in row) / N_HEADS).ln()
    return total


def best_scale(margins):
    """Of the largest likelihood; it has one maximum between the ends."""
    low, high = Decimal("0.01"), Decimal("100")
    while high / low > 1 + Decimal("1e-9"):
        third = (high / low) ** (Decimal(1) / 3)
        if log_likelihood(margins, low * third) > log_likelihood(margins, high / third):
            high /= third
        else:
            low *= third
    return low


def main():
    rng = random.Random(7)
    chosen, rejected = draw(rng)
    differences = [[Decimal(a) - Decimal(b) for a, b in zip(x, y)]
                   for x, y in zip(chosen, rejected)]
    mean = [sum(column) / N_PAIRS for column in zip(*differences)]
    centered = [[x - m for x, m in zip(row, mean)] for row in differences]
    columns = list(zip(*centered))
    covariance = [[dot(a, b) / N_PAIRS for b in columns] for a in columns]
    components, variances = [], []
    for _ in range(N_HEADS):
        x, variance = first_component(covariance, rng)
        components.append(x if dot(x, mean) > 0 else [-a for a in x])
        variances.append(variance)
        covariance = [[c - variance * x[i] * x[j] for j, c in enumerate(row)]
                      for i, row in enumerate(covariance)]
    margins = [[dot(component, row) for component in components] for row in differences]
    json.dump({"chosen": chosen, "rejected": rejected,
               "variances": [float(v) for v in variances],
               "components": [[float(x) for x in row] for row in components],
               "scale": round(float(best_scale(margins)), 6)}, sys.stdout, indent=0)
    print()


if __name__ == "__main__":
    main()
