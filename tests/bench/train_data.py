#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
train_data.py - two features files of generated pairs (schema/preference.md), train and test:

  python3 train_data.py FOLDER N_TRAIN N_TEST DIM SEED

Ten tastes; the prompt tells which one a pair was judged by, so the router matters:
  z ~ N(0, I_16) of each response, phi = z A / 4 + noise, A [16, DIM] with orthonormal rows
  psi = the direction of the taste + noise
  P(chosen) = sigmoid(3 w . (z_chosen - z_rejected)), w: the taste, a unit vector
Most of a taste is what all tastes have in common: between tastes that have nothing in
common, training settles in one of many divisions of the heads by chance, and two programs
could not be compared by where they end.
"""
import json
import pathlib
import sys

import numpy

N_TASTES = 10
LATENT = 16
STRENGTH = 3
COMMON = 0.5  # of a taste's squared length
NOISE = 0.1  # length of the part of a vector that says nothing
BLOCK = 1000  # pairs made at once


class World:
    def __init__(self, dim, rng):
        self.rng = rng
        self.dim = dim
        directions = numpy.linalg.qr(rng.standard_normal((dim, LATENT + N_TASTES)))[0].T
        self.latent = directions[:LATENT] / numpy.sqrt(LATENT)
        self.prompt = directions[LATENT:]
        own = numpy.linalg.qr(rng.standard_normal((LATENT, N_TASTES + 1)))[0].T
        self.tastes = numpy.sqrt(COMMON) * own[N_TASTES] + numpy.sqrt(1 - COMMON) * own[:N_TASTES]

    def noise(self, n):
        return self.rng.standard_normal((n, self.dim), dtype=numpy.float32) * (
            NOISE / numpy.sqrt(self.dim))

    def pairs(self, n):
        """prompt, chosen, rejected: [n, dim] each"""
        taste = self.rng.integers(N_TASTES, size=n)
        a, b = self.rng.standard_normal((2, n, LATENT))
        margin = STRENGTH * ((a - b) * self.tastes[taste]).sum(axis=1)
        likes_a = self.rng.random(n) < 1 / (1 + numpy.exp(-margin))
        chosen = numpy.where(likes_a[:, None], a, b)
        rejected = numpy.where(likes_a[:, None], b, a)
        return (self.prompt[taste] + self.noise(n), chosen @ self.latent + self.noise(n),
                rejected @ self.latent + self.noise(n))


def write(path, world, n):
    names = ("prompt", "chosen", "rejected")
    size = n * world.dim * 4
    header = json.dumps({
        name: {"dtype": "F32", "shape": [n, world.dim], "data_offsets": [i * size, (i + 1) * size]}
        for i, name in enumerate(names)}).encode()
    header += b" " * (-len(header) % 8)
    with open(path, "wb") as out:
        out.write(len(header).to_bytes(8, "little") + header)
        for begin in range(0, n, BLOCK):
            rows = min(BLOCK, n - begin)
            for i, block in enumerate(world.pairs(rows)):
                out.seek(8 + len(header) + i * size + begin * world.dim * 4)
                out.write(block.astype("<f4").tobytes())


def main():
    folder = pathlib.Path(sys.argv[1])
    n_train, n_test, dim, seed = map(int, sys.argv[2:])
    world = World(dim, numpy.random.default_rng(seed))
    write(folder / "train.safetensors", world, n_train)
    write(folder / "test.safetensors", world, n_test)


main()
