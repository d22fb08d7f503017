#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every method of training on data whose truth is known: what is characteristic of each.

Three attributes, each with a true direction; a pair is judged by one of them, its context, which
the prompt gives away. Users judge always by the same one.
"""
import json
import random

import models
from harness import Scenario, main, run
from reference import dot

DIM = 8
ATTRIBUTES = ("clear", "kind", "terse")  # attribute k likes feature k
N_USERS, N_EACH = 90, 12
SHORT = ("--encoder", f"none:{DIM}", "--quiet", "--seed", "3")
OBJECTIVES = ("bt", "static", "ensemble", "drm", "attributes", "lore", "micro", "panel")


def make_pairs(seed):
    rng = random.Random(seed)
    pairs = []
    for user in range(N_USERS):
        attribute = user % len(ATTRIBUTES)
        for _ in range(N_EACH):
            a, b = ([rng.gauss(0, 1) for _ in range(DIM)] for _ in range(2))
            # the first attribute varies most, then the second: components differ in variance
            for k, stretch in enumerate((3, 2, 1.5)):
                a[k], b[k] = a[k] * stretch, b[k] * stretch
            if a[attribute] < b[attribute]:
                a, b = b, a
            prompt = [rng.gauss(0, 0.1) for _ in range(DIM)]
            prompt[attribute] += 2
            pairs.append({"user": f"u{user}", "context": ATTRIBUTES[attribute],
                          "prompt": prompt, "chosen": a, "rejected": b})
    rng.shuffle(pairs)
    return pairs


def write_pairs(path, pairs):
    path.write_text("".join(json.dumps(pair) + "\n" for pair in pairs))


class Objectives(Scenario):
    def setUp(self):
        super().setUp()
        self.data = self.folder / "pairs.jsonl"
        self.pairs = make_pairs(1)
        write_pairs(self.data, self.pairs)

    def train(self, objective, *options, out="model"):
        """(heads, router bias, metadata, file)"""
        model = self.folder / out
        if objective not in ("bt", "attributes"):
            options = ("--heads", "3", *options)
        status, output, errors = run("micro-model", "train", "--data", self.data, "--out", model,
                                     "--objective", objective, *SHORT, *options)
        self.assertEqual((status, output, errors), (0, "", ""))
        values, shapes, metadata = models.read_safetensors(model)
        n_heads = shapes["heads.weight"][0]
        heads = [values["heads.weight"][k * DIM:(k + 1) * DIM] for k in range(n_heads)]
        self.assertEqual(metadata["train.objective"], objective)
        return heads, values["router.bias"] if "router.bias" in values else None, metadata, model

    def accuracies(self, heads, seed=2):
        """[head][attribute] on other people's pairs: how often the head is right"""
        right = [[0] * len(ATTRIBUTES) for _ in heads]
        for pair in make_pairs(seed):
            difference = [x - y for x, y in zip(pair["chosen"], pair["rejected"])]
            for k, head in enumerate(heads):
                right[k][ATTRIBUTES.index(pair["context"])] += dot(head, difference) > 0
        each = N_USERS * N_EACH / len(ATTRIBUTES)
        return [[n / each for n in row] for row in right]

    def shots(self, model, n):
        write_pairs(self.folder / "others.jsonl", make_pairs(2))
        status, output, errors = run("micro-model", "eval", "--json", "--model", model, "--data",
                                     self.folder / "others.jsonl", "--shots", f"0,{n}")
        self.assertEqual(status, 0, errors)
        return [shot["accuracy"] for shot in json.loads(output)["shots"]]

    def test_same_seed_makes_the_same_bytes_and_another_does_not(self):
        for objective in OBJECTIVES:
            with self.subTest(objective):
                files = [self.train(objective, *options, out=out)[3].read_bytes()
                         for out, options in (("a", ()), ("b", ()), ("c", ("--seed", "4")))]
                self.assertEqual(files[0], files[1])
                self.assertNotEqual(files[0], files[2])

    def test_bt_is_one_head_and_right_on_average_only(self):
        heads, bias, _, model = self.train("bt")
        self.assertEqual((len(heads), len(bias)), (1, 1))
        before, after = self.shots(model, 4)
        self.assertEqual(before, after)
        self.assertTrue(0.6 < after < 0.8, after)

    def test_attributes_have_a_head_each_and_a_gate_that_knows_them(self):
        heads, _, metadata, model = self.train("attributes")
        labels = json.loads(metadata["heads.labels"])
        self.assertEqual(sorted(labels), sorted(ATTRIBUTES))
        for label, row in zip(labels, self.accuracies(heads)):
            best = max(range(len(ATTRIBUTES)), key=row.__getitem__)
            self.assertEqual(ATTRIBUTES[best], label)
            self.assertGreater(row[best], 0.9)
        # prompts give the attribute away: the gate alone is as good as feedback
        self.assertGreater(self.shots(model, 1)[0], 0.9)

    def test_users_of_one_taste_get_a_head(self):
        for objective in ("static", "lore", "panel"):
            with self.subTest(objective):
                heads, bias, _, model = self.train(objective, "--epochs", "40", "--batch", "64",
                                                   "--router", "static")
                rows = self.accuracies(heads)
                for attribute in range(len(ATTRIBUTES)):
                    self.assertGreater(max(row[attribute] for row in rows), 0.8, rows)
                self.assertEqual(len(bias), 3)
                before, after = self.shots(model, 8)
                self.assertGreater(after, before + 0.1)

    def test_lore_router_is_the_mean_user(self):
        # a third of the users each: the basis has each third's direction, the mean user all
        _, bias, _, _ = self.train("lore", "--epochs", "40", "--batch", "64")
        self.assertLess(max(bias) - min(bias), 0.7, bias)
        self.assertNotEqual(max(bias), min(bias))

    def test_ensemble_is_uniform_and_differs_by_its_priors(self):
        heads, bias, _, _ = self.train("ensemble")
        self.assertEqual(bias, [0.0] * 3)
        self.assertEqual(len({tuple(head) for head in heads}), 3)
        narrow, _, _, _ = self.train("ensemble", "--init-scale", "0.01")
        spread = [max(abs(a - b) for a, b in zip(trained[0], trained[1]))
                  for trained in (heads, narrow)]
        self.assertGreater(spread[0], 5 * spread[1])

    def test_drm_is_the_directions_of_largest_variance(self):
        heads, bias, metadata, model = self.train("drm")
        self.assertEqual(bias, [0.0] * 3)
        self.assertEqual(json.loads(metadata["train.options"])["epochs"], 0)
        norms = [dot(head, head) ** 0.5 for head in heads]
        for k, head in enumerate(heads):
            self.assertAlmostEqual(norms[k] / norms[0], 1, places=5)  # one factor for all
            self.assertGreater(abs(head[k]) / norms[k], 0.9, head)
            self.assertGreater(head[k], 0)  # each attribute is liked on average
            for other in heads[:k]:
                self.assertLess(abs(dot(head, other)) / norms[0] ** 2, 1e-4)
        before, after = self.shots(model, 8)
        self.assertGreater(after, before)

    def test_drm_prints_no_epochs_and_its_heldout_part(self):
        status, output, errors = run("micro-model", "train", "--data", self.data, "--out",
                                     self.folder / "model", "--objective", "drm", "--heads", "3",
                                     "--encoder", f"none:{DIM}", "--json")
        self.assertEqual(status, 0, errors)
        lines = [json.loads(line) for line in output.splitlines()]
        self.assertEqual([list(line) for line in lines],
                         [["model", "out", "n_pairs", "heldout", "seconds"]])
        self.assertEqual(list(lines[0]["heldout"]), ["n_pairs", "accuracy", "nll"])

    def refused(self, objective, options, message):
        status, _, errors = run("micro-model", "train", "--data", self.data, "--out",
                                self.folder / "model", "--objective", objective, *SHORT, *options)
        self.assertEqual((status, errors), (1, f"micro-model train: {message}\n"))
        self.assertFalse((self.folder / "model").exists())

    def test_what_does_not_go_together_is_refused_by_name(self):
        self.refused("bt", ("--heads", "2"), "the bt objective has one head, not 2")
        self.refused("attributes", ("--heads", "2"), "the attributes objective makes a head for "
                     "each of 3 contexts, not 2 heads")
        self.refused("drm", ("--heads", "9"), f"{self.folder / 'model'} is not written: the "
                     "differences of the training pairs vary in 8 directions only, too few for "
                     "9 heads")
        for objective in ("bt", "static", "ensemble", "drm", "lore"):
            self.refused(objective, ("--router", "linear"), f"the {objective} objective has a "
                         "static router, not a router of kind linear")
        del self.pairs[4]["context"]
        write_pairs(self.data, self.pairs)
        self.refused("attributes", (), "the attributes objective needs a \"context\" in every "
                     "pair; 1 of 1080 have none, the first is pair 5")
        for pair in self.pairs:
            del pair["user"]
        write_pairs(self.data, self.pairs)
        self.refused("lore", (), "the lore objective needs pairs with a \"user\", and no pair "
                     "has one; use the objective micro")

    def test_static_takes_pairs_without_users(self):
        for pair in self.pairs:
            del pair["user"]
        write_pairs(self.data, self.pairs)
        heads, bias, _, _ = self.train("static", "--epochs", "40", "--batch", "64")
        self.assertEqual((len(heads), len(bias)), (3, 3))
        rows = self.accuracies(heads)
        for attribute in range(len(ATTRIBUTES)):
            self.assertGreater(max(row[attribute] for row in rows), 0.8, rows)


if __name__ == "__main__":
    main()
