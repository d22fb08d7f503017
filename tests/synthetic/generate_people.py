#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""People of K tastes judging pairs, with the truth about them: for micro-model diagnose.

Each person has one taste z, uniform over K, and judges --pairs pairs, drawn from a pool that all
share, so that pairs repeat:
    P(a > b | z) = sigmoid(sharpness theta_z . (a - b)),   theta orthonormal, a - b of unit variance
Responses are vectors of D numbers (encoder none:D). With K = 1 people differ by noise alone.

Writes FILE, and prints one JSON object: means over the pool, in nats, of the terms of MiCRo's
Theorem 3.2 as core/diagnose/diagnosis.h derives them, and how probable it is that two different
people disagree about a pair and that one person, asked again, does.
"""
import argparse
import json
import math
import random

from generate import dot, gauss, orthogonal_rows, rounded, sigmoid


def entropy(p):
    return -sum(q * math.log(q) for q in (p, 1 - p) if q > 0)


class People:
    def __init__(self, rng, n_tastes, dim, sharpness, n_pool):
        self.heads = orthogonal_rows(rng, n_tastes, dim, sharpness)
        self.pool = [self.pair(rng, dim) for _ in range(n_pool)]

    @staticmethod
    def pair(rng, dim):
        # half of the usual variance each: the difference has unit variance
        return tuple(rounded(math.sqrt(0.5) * x for x in gauss(rng, dim)) for _ in range(2))

    def preferences(self, pair):
        """Of each taste, for the first response."""
        difference = [a - b for a, b in zip(*pair)]
        return [sigmoid(dot(head, difference)) for head in self.heads]

    def truth(self):
        sums = dict.fromkeys(("noise", "variance", "entropy", "between", "within"), 0.0)
        for pair in self.pool:
            p = self.preferences(pair)
            mean = sum(p) / len(p)
            sums["noise"] += sum(map(entropy, p)) / len(p)
            sums["variance"] += sum((q - mean) ** 2 for q in p) / len(p)
            sums["entropy"] += entropy(mean)
            sums["between"] += 2 * mean * (1 - mean)
            sums["within"] += sum(2 * q * (1 - q) for q in p) / len(p)
        truth = {name: value / len(self.pool) for name, value in sums.items()}
        truth["disagreement"] = truth["entropy"] - truth["noise"]
        truth["bound"] = truth["noise"] + 2 * truth["variance"]
        return truth


def write_pairs(path, people, rng, n_people, n_pairs, named):
    with open(path, "w", encoding="ascii") as file:
        for person in range(n_people):
            z = rng.randrange(len(people.heads))
            for pair in rng.choices(people.pool, k=n_pairs):
                first, second = pair
                if rng.random() >= people.preferences(pair)[z]:
                    first, second = second, first
                line = {"prompt": [0] * len(first), "chosen": first, "rejected": second}
                if named:
                    line["user"] = person
                file.write(json.dumps(line) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", metavar="FILE")
    parser.add_argument("--tastes", type=int, default=4, metavar="K")
    parser.add_argument("--people", type=int, default=600)
    parser.add_argument("--pairs", type=int, default=20, help="of each person")
    parser.add_argument("--pool", type=int, default=4000, help="pairs to draw from")
    parser.add_argument("--dim", type=int, default=8)
    parser.add_argument("--sharpness", type=float, default=6.0)
    parser.add_argument("--nameless", action="store_true", help="pairs are nobody's")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.dim < options.tastes:
        parser.error(f"--dim {options.dim}, want at least {options.tastes}")
    rng = random.Random(options.seed)
    people = People(rng, options.tastes, options.dim, options.sharpness, options.pool)
    write_pairs(options.file, people, rng, options.people, options.pairs, not options.nameless)
    print(json.dumps(people.truth()))


if __name__ == "__main__":
    main()
