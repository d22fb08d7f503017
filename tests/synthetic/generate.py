#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The synthetic mixture in the notation of MiCRo, section 3: pairs whose truth is known.

Three subpopulations z, each with a true head; how common they are depends on the prompt:
    P(z | x)                 = softmax(B x)
    P(a > b | x, z)          = sigmoid(theta_z . (a - b))
    P(a > b | x)             = sum_z P(z | x) P(a > b | x, z)
Prompts and responses are vectors of D numbers (encoder none:D), one label a pair.

Writes FOLDER/train.jsonl, test.jsonl (with the pair's z, for the oracle) and truth.json: on the
test pairs, the Bayes-optimal NLL (the true mixture's own), and of each subpopulation how often
the sign of its true head is right.
"""
import argparse
import json
import math
import os
import random

N_SUBPOPULATIONS = 3
HEAD_NORM = 6.0     # sharp tastes: little noise within a subpopulation
ROUTER_NORM = 3.0   # the prompt says a lot about z, not everything


def dot(x, y):
    return sum(a * b for a, b in zip(x, y))


def gauss(rng, dim):
    return [rng.gauss(0, 1) for _ in range(dim)]


def orthogonal_rows(rng, n_rows, dim, norm):
    """n_rows orthogonal vectors of the given norm (Gram-Schmidt): tastes that share nothing."""
    rows = []
    for _ in range(n_rows):
        row = gauss(rng, dim)
        for other in rows:
            share = dot(row, other) / dot(other, other)
            row = [a - share * b for a, b in zip(row, other)]
        length = math.sqrt(dot(row, row))
        rows.append([norm / length * a for a in row])
    return rows


def softmax(x):
    top = max(x)
    powers = [math.exp(value - top) for value in x]
    return [power / sum(powers) for power in powers]


def sigmoid(x):
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def rounded(x):
    """What the file says is what the labels were drawn from."""
    return [round(value, 3) for value in x]


class Mixture:
    def __init__(self, rng, dim):
        self.dim = dim
        self.heads = orthogonal_rows(rng, N_SUBPOPULATIONS, dim, HEAD_NORM)
        self.router = orthogonal_rows(rng, N_SUBPOPULATIONS, dim, ROUTER_NORM)

    def weights(self, prompt):
        return softmax([dot(row, prompt) for row in self.router])

    def preference(self, z, difference):
        return sigmoid(dot(self.heads[z], difference))

    def draw(self, rng):
        """One labelled pair, its z and its true log-probability."""
        prompt = rounded(gauss(rng, self.dim))
        # half of the usual variance each: the difference has unit variance
        first, second = ([value * math.sqrt(0.5) for value in gauss(rng, self.dim)]
                         for _ in range(2))
        first, second = rounded(first), rounded(second)
        weights = self.weights(prompt)
        z = rng.choices(range(N_SUBPOPULATIONS), weights)[0]
        difference = [a - b for a, b in zip(first, second)]
        if rng.random() >= self.preference(z, difference):
            first, second = second, first
            difference = [-value for value in difference]
        likelihood = sum(w * self.preference(k, difference) for k, w in enumerate(weights))
        pair = {"prompt": prompt, "chosen": first, "rejected": second, "subpopulation": z}
        return pair, math.log(likelihood), dot(self.heads[z], difference) > 0


def write_pairs(path, mixture, rng, n_pairs):
    """Write the pairs; return the truth about them."""
    log_likelihood, right, count = 0.0, [0] * N_SUBPOPULATIONS, [0] * N_SUBPOPULATIONS
    with open(path, "w", encoding="ascii") as file:
        for _ in range(n_pairs):
            pair, log_p, oracle_right = mixture.draw(rng)
            log_likelihood += log_p
            count[pair["subpopulation"]] += 1
            right[pair["subpopulation"]] += oracle_right
            file.write(json.dumps(pair) + "\n")
    return {"bayes_nll": -log_likelihood / n_pairs,
            "oracle_accuracy": [r / n for r, n in zip(right, count)]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", metavar="FOLDER")
    parser.add_argument("--dim", type=int, default=16)
    parser.add_argument("--train", type=int, default=20000, metavar="PAIRS")
    parser.add_argument("--test", type=int, default=6000, metavar="PAIRS")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.dim < N_SUBPOPULATIONS:
        parser.error(f"--dim {options.dim}, want at least {N_SUBPOPULATIONS}")
    rng = random.Random(options.seed)
    mixture = Mixture(rng, options.dim)
    os.makedirs(options.folder, exist_ok=True)
    write_pairs(os.path.join(options.folder, "train.jsonl"), mixture, rng, options.train)
    truth = write_pairs(os.path.join(options.folder, "test.jsonl"), mixture, rng, options.test)
    truth |= {"heads": mixture.heads, "router": mixture.router}
    with open(os.path.join(options.folder, "truth.json"), "w", encoding="ascii") as file:
        json.dump(truth, file)


if __name__ == "__main__":
    main()
