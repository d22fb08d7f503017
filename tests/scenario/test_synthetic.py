#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The synthetic mixture of tests/synthetic: stage 1 finds it, a single Bradley-Terry cannot."""
import json
import subprocess
import sys

import models
from harness import ROOT, Scenario, main, run
from reference import dot

MARGIN_MIXTURE = 0.05  # nats above Bayes that the mixture may stay
MARGIN_SINGLE = 0.15   # nats above Bayes that a single model cannot get below
MARGIN_ORACLE = 0.02   # accuracy on a subpopulation below its oracle


class Synthetic(Scenario):
    def setUp(self):
        super().setUp()
        subprocess.run([sys.executable, ROOT / "tests/synthetic/generate.py", self.folder],
                       check=True, timeout=60)
        self.truth = json.loads((self.folder / "truth.json").read_text())

    def train(self, *options):
        """(model file, NLL on the test pairs)"""
        model = models.trained(self.folder / "train.jsonl", "--encoder", "none:16",
                               "--objective", "micro", *options, timeout=300)
        status, output, errors = run("micro-model", "eval", "--json", "--model", model,
                                     "--data", self.folder / "test.jsonl")
        self.assertEqual(status, 0, errors)
        return model, json.loads(output)["nll"]

    def accuracies(self, model):
        """[head][subpopulation]: how often the sign of the head's reward difference is right"""
        values, shapes, _ = models.read_safetensors(model)
        n_heads, dim = shapes["heads.weight"]
        heads = [values["heads.weight"][k * dim:(k + 1) * dim] for k in range(n_heads)]
        n_subpopulations = len(self.truth["oracle_accuracy"])
        right = [[0] * n_subpopulations for _ in heads]
        count = [0] * n_subpopulations
        with open(self.folder / "test.jsonl", encoding="ascii") as file:
            for pair in map(json.loads, file):
                z = pair["subpopulation"]
                difference = [a - b for a, b in zip(pair["chosen"], pair["rejected"])]
                count[z] += 1
                for k, head in enumerate(heads):
                    right[k][z] += dot(head, difference) > 0
        return [[r / n for r, n in zip(row, count)] for row in right]

    def test_mixture_is_near_bayes_and_single_is_not(self):
        bayes = self.truth["bayes_nll"]
        # a small alpha: the entropy term of eq. (4) pulls the router's weights towards uniform,
        # and here the true weights are far from it
        mixture_model, mixture = self.train("--heads", "3", "--router", "mlp", "--alpha", "0.1")
        _, single = self.train("--heads", "1", "--router", "static")
        print(f"NLL: Bayes {bayes:.4f}, mixture {mixture:.4f}, single {single:.4f}")
        self.assertLess(mixture - bayes, MARGIN_MIXTURE)
        self.assertGreater(single - bayes, MARGIN_SINGLE)

        accuracies = self.accuracies(mixture_model)
        for z, oracle in enumerate(self.truth["oracle_accuracy"]):
            best = max(row[z] for row in accuracies)
            print(f"subpopulation {z}: oracle {oracle:.4f}, best head {best:.4f}")
            self.assertGreater(best, oracle - MARGIN_ORACLE, f"subpopulation {z}")


if __name__ == "__main__":
    main()
