#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Receipts: a feedback without texts, bound to its score, counted once, refused by name."""
import base64
import random
import stat
import time

import models
from harness import Microd, Scenario, main, run
from models import embedding
from reference import normalized

PSI = [1.0, -0.5, 0.25, 0.0]
KEY = "0f" * 32


def swap(token, i):
    """Another character at i."""
    return token[:i] + ("A" if token[i] != "A" else "B") + token[i + 1:]


class Receipts(models.VectorDaemon):
    def setUp(self):
        super().setUp()
        rng = random.Random(self.id())
        self.user = self.id()
        self.phi = [models.random_vector(rng) for _ in range(4)]

    def item(self, **more):
        return {"user": self.user, "prompt": embedding(PSI),
                "responses": [embedding(phi) for phi in self.phi]} | more

    def score(self, **more):
        answer = self.client.post("/score", self.item(**more))
        self.assertEqual(answer.status, 200, answer)
        return answer.json

    def receipt(self, **more):
        return self.score(receipt=True, **more)["receipt"]

    def choose(self, receipt, chosen, rejected, **more):
        return self.client.post("/feedback", {"receipt": receipt, "chosen": chosen,
                                              "rejected": rejected} | more)

    def state_after(self, *pairs, strength=1.0):
        """One step with the sum of the pairs' losses."""
        state = self.reference.start()
        losses = [self.reference.losses(self.phi[c], self.phi[r]) for c, r in pairs]
        return normalized([s - strength * sum(column)
                           for s, column in zip(state, zip(*losses))])

    # ---- what it does ----

    def test_choice_teaches_what_the_pair_would(self):
        answer = self.choose(self.receipt(), 1, 3, strength=0.5)
        self.assertEqual(answer.status, 200, answer)
        state = self.state_after((1, 3), strength=0.5)
        self.assert_near(answer.json["weights"], self.reference.weights(PSI, state),
                         tolerance=1e-6, what="weights")
        self.assertEqual((answer.json["user"], answer.json["updates"]), (self.user, 1))
        after = self.score()
        self.assert_near(after["weights"], self.reference.weights(PSI, state), tolerance=1e-6)
        self.assertEqual(after["updates"], 1)

    def test_click_on_the_third_is_one_step_over_those_above(self):
        answer = self.choose(self.receipt(), 2, [0, 1]).json
        state = self.state_after((2, 0), (2, 1))
        self.assert_near(answer["weights"], self.reference.weights(PSI, state), tolerance=1e-6)
        self.assertEqual(answer["updates"], 1)

    def test_pair_over_several_is_the_same_step(self):
        answer = self.client.post("/feedback", {
            "user": self.user, "prompt": embedding(PSI), "chosen": embedding(self.phi[2]),
            "rejected": [embedding(self.phi[0]), embedding(self.phi[1])]})
        self.assertEqual(answer.status, 200, answer)
        state = self.state_after((2, 0), (2, 1))
        self.assert_near(answer.json["weights"], self.reference.weights(PSI, state))

    def test_context_goes_along(self):
        answer = self.choose(self.receipt(context="terse"), 0, 1).json
        self.assertEqual(answer["context"], "terse")
        states = self.client.get(f"/users/{self.user}").json["states"]
        self.assertEqual([s["context"] for s in states], [None, "terse"])

    def test_only_items_that_ask_get_one(self):
        answer = self.client.post("/score", {"items": [self.item(), self.item(receipt=True),
                                                       self.item(receipt=None)]}).json
        self.assertEqual(["receipt" in item for item in answer["items"]], [False, True, False])

    def test_retry_gives_the_first_answer(self):
        receipt = self.receipt()
        first = self.choose(receipt, 0, [1, 2]).json
        again = self.choose(receipt, 0, [1, 2]).json
        self.assertFalse(first["duplicate"])
        self.assertEqual(again, first | {"duplicate": True})
        self.assertEqual(self.client.get(f"/users/{self.user}").json["events"], 1)

    # ---- what is refused ----

    def test_key_beside_a_receipt_is_refused(self):
        body = {"receipt": self.receipt(), "chosen": 0, "rejected": 1}
        for key, status, code, fragment in (
                ('"k"', 422, "invalid_value", "a receipt is an id of its own"),
                ("k", 422, "invalid_value", "a receipt is an id of its own"),
                ("receipt-1", 422, "invalid_value", "a receipt is an id of its own"),
                ("k" * 257, 422, "invalid_value", "257 bytes"),
                ('"k', 400, "malformed", "want a quoted string")):
            answer = self.client.post("/feedback", body, headers={"Idempotency-Key": key})
            self.assert_error(answer, status, code, fragment, "Idempotency-Key")
        self.assert_error(self.client.post("/feedback", body | {"id": "k"}), 422, "unknown_field",
                          "", "/id")
        self.assertEqual(self.client.get(f"/users/{self.user}").status, 404)
        self.assertEqual(self.client.post("/feedback", body).json["updates"], 1)

    def refuse(self, receipt, code, param="/receipt", chosen=0, rejected=1, fragment="", **more):
        answer = self.choose(receipt, chosen, rejected, **more)
        self.assert_error(answer, 422, code, fragment, param)

    def test_other_choice_with_the_same_receipt_is_a_replay(self):
        receipt = self.receipt()
        self.assertEqual(self.choose(receipt, 0, 1).status, 200)
        for choice in ({"chosen": 1, "rejected": 0}, {"rejected": [1, 2]}, {"strength": 0.5}):
            self.refuse(receipt, "receipt_replayed", **choice)
        self.assertEqual(self.client.get(f"/users/{self.user}").json["events"], 1)

    def test_changed_receipt_is_forged(self):
        receipt = self.receipt()
        for i in (20, len(receipt) // 2, len(receipt) - 10):
            self.refuse(swap(receipt, i), "receipt_forged")

    def test_cut_receipt_is_truncated(self):
        receipt = self.receipt()
        for n in (1, 2, 3, 40, len(receipt) - 20):
            self.refuse(receipt[:-n], "receipt_truncated")

    def test_what_is_no_receipt_is_malformed(self):
        for text in ("x", "no receipt at all", base64.b64encode(b"\x02" * 99).decode(),
                     self.receipt() + "AAAA"):
            self.refuse(text, "receipt_malformed")

    def test_others_receipts_are_foreign(self):
        self.refuse(self.receipt(), "receipt_foreign", user="somebody else", fragment="user")
        self.refuse(self.receipt(context="a"), "receipt_foreign", context="b",
                    fragment="context")
        self.refuse(self.receipt(), "receipt_foreign", context="a", fragment="context")
        self.assertEqual(self.client.get(f"/users/{self.user}").status, 404)

    def test_responses_that_it_has_not_are_refused(self):
        self.refuse(self.receipt(), "invalid_value", "/chosen", chosen=4,
                    fragment="for 4 responses, want 0 to 3")
        self.refuse(self.receipt(), "invalid_value", "/rejected", rejected=[1, 4])

    def test_receipt_of_nobody_is_refused(self):
        item = self.item(receipt=True)
        del item["user"]
        self.assert_error(self.client.post("/score", item), 422, "missing_field", "for a user",
                          "/receipt")

    # ---- as if the user were not known ----

    def test_without_personalization_the_router_alone_answers(self):
        nobody = self.score()
        self.choose(self.receipt(), 0, [1, 2, 3])
        self.assertNotEqual(self.score()["weights"], nobody["weights"])
        self.assertEqual(self.score(personalize=False), nobody)
        self.assertEqual(self.score(personalize=True)["updates"], 1)


class Keys(Scenario):
    def setUp(self):
        super().setUp()
        self.model = self.folder / "model.safetensors"
        models.write_vector_model(self.model)

    def body(self):
        rng = random.Random(1)
        return {"user": "u", "prompt": embedding(PSI), "receipt": True,
                "responses": [embedding(models.random_vector(rng)) for _ in range(2)]}

    def receipt(self, daemon):
        return daemon.client.post("/score", self.body()).json["receipt"]

    def give(self, daemon, receipt):
        return daemon.client.post("/feedback", {"receipt": receipt, "chosen": 0, "rejected": 1})

    def node(self, name, *options, **more):
        folder = self.folder / name
        folder.mkdir()
        daemon = Microd(folder, self.model, *options, **more)
        self.addCleanup(daemon.finish)
        return daemon

    def test_key_is_made_once_and_survives_a_restart(self):
        daemon = self.start(self.model)
        receipt = self.receipt(daemon)
        file = daemon.state.with_name(daemon.state.name + ".receipt-key")
        self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o600)
        daemon.stop()
        daemon.start()
        self.assertEqual(self.give(daemon, receipt).status, 200)
        self.assertNotIn(file.read_text().strip(), daemon.log())

    def test_nodes_with_the_same_key_take_each_others_receipts(self):
        key = self.folder / "key"
        key.write_text(KEY)
        key.chmod(0o600)
        a = self.node("a", "--receipt-key-file", key)
        b = self.node("b", env={"MICROD_RECEIPT_KEY": KEY})
        c = self.node("c")
        receipt = self.receipt(a)
        self.assertEqual(self.give(b, receipt).status, 200)
        self.assert_error(self.give(c, receipt), 422, "receipt_forged", "another key", "/receipt")
        self.assertFalse((self.folder / "b" / "micro.db.receipt-key").exists())

    def test_old_receipts_expire(self):
        daemon = self.start(self.model, "--receipt-age", "1")
        receipt = self.receipt(daemon)
        time.sleep(1.1)
        self.assert_error(self.give(daemon, receipt), 422, "receipt_expired",
                          "want 1 at most (the limit of --receipt-age)", "/receipt")
        self.assertEqual(self.give(daemon, self.receipt(daemon)).status, 200)

    def test_receipts_of_another_model_are_foreign(self):
        daemon = self.start(self.model)
        receipt = self.receipt(daemon)
        tensors = models.vector_tensors("linear")
        tensors["heads.weight"] = [[2 * x for x in row] for row in tensors["heads.weight"]]
        self.model.write_bytes(models.safetensors(tensors, models.vector_metadata()))
        daemon.stop()
        daemon.start()
        self.assert_error(self.give(daemon, receipt), 422, "receipt_foreign", "another model",
                          "/receipt")

    def test_bad_keys_are_refused_at_start_and_by_check(self):
        key = self.folder / "key"
        for text, mode, env, fragment in (
                (KEY, 0o644, {}, "want mode 0600"), ("0f", 0o600, {}, "64 hexadecimal digits"),
                (KEY, 0o600, {"MICROD_RECEIPT_KEY": "abc"}, "MICROD_RECEIPT_KEY: want a key")):
            key.write_text(text)
            key.chmod(mode)
            for command in ([], ["check"]):
                status, output, errors = run(
                    "microd", *command, "--model", self.model, "--state", self.folder / "s",
                    "--receipt-key-file", key, "--port", "0", env=env)
                self.assertEqual(status, 1, (output, errors))
                self.assertIn(fragment, output + errors)


if __name__ == "__main__":
    main()
