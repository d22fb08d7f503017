#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Real people (Polis): train, evaluate, and the same figures over HTTP, user by user.

The protocol: of each of the 785 test users, in file order, the first 8 pairs are feedback (the
first m are given) and all later ones are scored; averages per user, then over users.
"""
import gzip
import json
import math
import queue
import threading
import time

import models
from harness import SANITIZED, Scenario, main, run, shared_data

SHOTS = (0, 1, 2, 4, 8)
N_CLIENTS = 4
N_HEADS = 32
TRAIN_SECONDS = 1200 if SANITIZED else 300  # until the test gives up, not what is promised


def users_of(path):
    """user -> pairs in file order"""
    users = {}
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            pair = json.loads(line)
            users.setdefault(pair["user"], []).append(pair)
    return users


def score_user(client, user, pairs):
    """Accuracy and NLL on the later pairs."""
    items = [{"user": user, "prompt": pair["prompt"],
              "responses": [pair["chosen"], pair["rejected"]]} for pair in pairs]
    answer = client.post("/score", {"items": items})
    assert answer.status == 200, answer
    preferences = [item["preference"] for item in answer.json["items"]]
    right = sum(1.0 if p > 0.5 else 0.5 if p == 0.5 else 0.0 for p in preferences)
    return right / len(pairs), sum(-math.log(p) for p in preferences) / len(pairs)


def live_through(client, user, pairs):
    """One user's life: feedback after feedback, scored at every number of SHOTS."""
    scores = {}
    for number in range(max(SHOTS) + 1):
        if number in SHOTS:
            scores[number] = score_user(client, user, pairs[max(SHOTS):])
        if number < max(SHOTS):
            answer = client.post("/feedback", pairs[number] | {"id": str(number)})
            assert answer.status == 200 and answer.json["updates"] == number + 1, answer
    return scores


class Polis(Scenario):
    def setUp(self):
        super().setUp()
        train = shared_data("polis/train.jsonl.gz")
        self.test = shared_data("polis/test.jsonl.gz")
        begin = time.monotonic()
        self.model = models.trained(train, "--heads", N_HEADS, timeout=TRAIN_SECONDS)
        print(f"micro-model train --heads {N_HEADS}: {time.monotonic() - begin:.1f} s"
              " (0.0: made by an earlier run)")

    def evaluate(self):
        """shots -> (accuracy, nll), by micro-model eval"""
        status, output, errors = run(
            "micro-model", "eval", "--model", self.model, "--data", self.test, "--json",
            "--shots", ",".join(map(str, SHOTS)), timeout=TRAIN_SECONDS)
        self.assertEqual(status, 0, errors)
        result = json.loads(output)
        self.assertEqual(result["n_pairs"], 15654)
        self.assertEqual({shot["users"] for shot in result["shots"]}, {785})
        return {shot["shots"]: (shot["accuracy"], shot["nll"]) for shot in result["shots"]}

    def serve(self):
        """shots -> (accuracy, nll), over HTTP"""
        daemon = self.start(self.model)
        work, results = queue.SimpleQueue(), []
        for entry in users_of(self.test).items():
            work.put(entry)

        def client_thread():
            client = daemon.new_client()
            while True:
                try:
                    user, pairs = work.get_nowait()
                except queue.Empty:
                    return
                results.append(live_through(client, user, pairs))
        threads = [threading.Thread(target=client_thread) for _ in range(N_CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=TRAIN_SECONDS)
        self.assertEqual(len(results), 785)
        return {shots: tuple(sum(scores[shots][i] for scores in results) / len(results)
                             for i in (0, 1)) for shots in SHOTS}

    def test_personalization_of_real_people(self):
        offline, online = self.evaluate(), self.serve()
        print("shots  accuracy  NLL     over HTTP")
        for shots in SHOTS:
            print("%5d  %.4f    %.4f  %.4f %.4f" % (shots, *offline[shots], *online[shots]))
        self.assertGreaterEqual(offline[8][0], 0.845)
        self.assertLessEqual(offline[8][1], 0.37)
        self.assertGreaterEqual(offline[1][0], 0.797)
        for shots in SHOTS:
            self.assert_near(online[shots], offline[shots], 5e-5, f"after {shots} feedbacks")


class OneTaste(Scenario):
    """Crowd workers who share one taste, with noise: feedback must not do harm."""

    def test_feedback_does_no_harm(self):
        model = models.trained(shared_data("ukpconvarg1/train.jsonl.gz"), timeout=TRAIN_SECONDS)
        test = shared_data("ukpconvarg1/test.jsonl.gz")
        status, output, errors = run("micro-model", "eval", "--model", model, "--data", test,
                                     "--json", "--shots", "0,8", timeout=TRAIN_SECONDS)
        self.assertEqual(status, 0, errors)
        none, eight = json.loads(output)["shots"]
        print(f"one taste: {none['accuracy']:.4f} / {none['nll']:.4f}, after 8 feedbacks "
              f"{eight['accuracy']:.4f} / {eight['nll']:.4f}")
        self.assertEqual(eight["users"], 98)
        self.assertGreaterEqual(eight["accuracy"], none["accuracy"] - 0.005)
        self.assertLessEqual(eight["nll"], none["nll"] * 1.005)


if __name__ == "__main__":
    main()
