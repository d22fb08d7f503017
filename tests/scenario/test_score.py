#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""POST /score: the mathematics, every form of the request, every router."""
import json
import random

import models
from harness import Scenario, SharedDaemon, main
from models import embedding, floats_base64


class Vectors(models.VectorDaemon):
    def setUp(self):
        super().setUp()
        self.rng = random.Random(self.id())

    def item(self, n_responses):
        return {"prompt": embedding(models.random_vector(self.rng)),
                "responses": [embedding(models.random_vector(self.rng))
                              for _ in range(n_responses)]}

    def expected(self, item):
        psi = item["prompt"]["embedding"]
        responses = [response["embedding"] for response in item["responses"]]
        start = self.reference.start()
        want = {"rewards": self.reference.rewards(psi, responses, start),
                "weights": self.reference.weights(psi, start), "updates": 0}
        if len(responses) == 2:
            want["preference"] = self.reference.preference(psi, *responses, start)
        return want

    def check(self, answer, item):
        want = self.expected(item)
        self.assertEqual(set(answer), set(want))
        self.assertEqual(answer["updates"], 0)
        for field in set(want) - {"updates"}:
            self.assert_near(answer[field], want[field], what=field)

    def test_pair_is_the_mixture(self):
        for _ in range(20):
            item = self.item(2)
            answer = self.client.post("/score", item)
            self.assertEqual(answer.status, 200, answer)
            self.assertEqual(answer.headers["Content-Type"], "application/json")
            answer = answer.json
            self.assertEqual(answer.pop("model"), self.client.get("/model").json["id"])
            self.check(answer, item)

    def test_preference_only_for_two_responses(self):
        for n_responses in (1, 3, 7, 1024):
            item = self.item(n_responses)
            answer = self.client.post("/score", item).json
            answer.pop("model")
            self.assertNotIn("preference", answer)
            self.check(answer, item)

    def test_items_are_answered_in_order(self):
        items = [self.item(1 + i % 4) for i in range(50)]
        answer = self.client.post("/score", {"items": items}).json
        self.assertEqual(set(answer), {"model", "items"})
        self.assertEqual(len(answer["items"]), len(items))
        for got, item in zip(answer["items"], items):
            self.check(got, item)

    def test_one_item_in_items_is_a_list_of_one(self):
        item = self.item(2)
        answer = self.client.post("/score", {"items": [item]}).json
        self.assertEqual(len(answer["items"]), 1)
        self.check(answer["items"][0], item)

    def test_base64_is_the_same_as_an_array(self):
        item = self.item(3)
        packed = {"prompt": {"embedding": floats_base64(item["prompt"]["embedding"])},
                  "responses": [{"embedding": floats_base64(response["embedding"])}
                                for response in item["responses"]]}
        self.assertEqual(self.client.post("/score", packed).body,
                         self.client.post("/score", item).body)

    def test_alone_and_in_a_batch_bit_for_bit(self):
        # numbers that float32 rounds: the order of summation would show
        items = [{"prompt": embedding(self.rng.gauss(0, 1) for _ in range(models.DIM)),
                  "responses": [embedding(self.rng.gauss(0, 1) for _ in range(models.DIM))
                                for _ in range(self.rng.randrange(1, 9))]} for _ in range(64)]
        together = self.client.post("/score", {"items": items}).json["items"]
        for item, in_batch in zip(items, together):
            alone = self.client.post("/score", item).json
            alone.pop("model")
            self.assertEqual(alone, in_batch)

    def test_v1_is_an_alias(self):
        item = self.item(2)
        self.assertEqual(self.client.post("/v1/score", item).body,
                         self.client.post("/score", item).body)

    def test_swapped_pair_is_the_complement(self):
        item = self.item(2)
        forward = self.client.post("/score", item).json
        item["responses"].reverse()
        backward = self.client.post("/score", item).json
        self.assert_near(forward["preference"] + backward["preference"], 1.0, 1e-12)
        self.assertEqual(forward["rewards"], backward["rewards"][::-1])

    def test_user_and_context_that_are_unknown_change_nothing(self):
        item = self.item(2)
        plain = self.client.post("/score", item).json
        named = self.client.post("/score", item | {"user": "nobody", "context": "none"}).json
        self.assertEqual(plain, named)

    def test_context_given_as_empty_is_none(self):
        item = self.item(2)
        self.assertEqual(self.client.post("/score", item).json,
                         self.client.post("/score", item | {"context": ""}).json)

    def test_json_content_types(self):
        body = '{"prompt":{"embedding":[1,0,0,0]},"responses":[{"embedding":[0,1,0,0]}]}'
        for kind in ("application/json", "application/json; charset=utf-8", "APPLICATION/JSON",
                     "application/vnd.micro+json"):
            answer = self.client.post("/score", body, headers={"Content-Type": kind})
            self.assertEqual(answer.status, 200, (kind, answer))

    def test_request_id_is_echoed_or_made(self):
        item = self.item(1)
        echoed = self.client.post("/score", item, headers={"X-Request-Id": "req~42"})
        self.assertEqual(echoed.headers["X-Request-Id"], "req~42")
        made = {self.client.post("/score", item).headers["X-Request-Id"] for _ in range(3)}
        self.assertEqual(len(made), 3)
        too_long = self.client.post("/score", item, headers={"X-Request-Id": "x" * 129})
        self.assertNotEqual(too_long.headers["X-Request-Id"], "x" * 129)


class Routers(Scenario):
    def test_every_router_is_the_mixture(self):
        for kind in models.ROUTERS:
            with self.subTest(router=kind):
                path = self.folder / f"{kind}.safetensors"
                reference = models.write_vector_model(path, kind)
                daemon = self.start(path, state=self.folder / f"{kind}.db")
                rng = random.Random(kind)
                for _ in range(10):
                    psi, a, b = (models.random_vector(rng) for _ in range(3))
                    answer = daemon.client.post("/score", {
                        "prompt": embedding(psi), "responses": [embedding(a), embedding(b)]}).json
                    start = reference.start()
                    self.assert_near(answer["weights"], reference.weights(psi, start))
                    self.assert_near(answer["rewards"], reference.rewards(psi, [a, b], start))
                    self.assert_near(answer["preference"],
                                     reference.preference(psi, a, b, start))
                daemon.stop()

    def test_static_router_needs_no_prompt(self):
        models.write_vector_model(self.folder / "m", "static")
        daemon = self.start(self.folder / "m")
        answer = daemon.client.post("/score", {"responses": [embedding([1, 0, 0, 0])]})
        self.assertEqual(answer.status, 200, answer)

    def test_masked_head_has_no_weight(self):
        models.write_vector_model(self.folder / "m", metadata={"heads.mask": "[false,true,false]"})
        daemon = self.start(self.folder / "m")
        self.assertEqual(daemon.client.get("/model").json["masked"], [1])
        body = {"prompt": embedding([1, 0, 0, 0]), "responses": [embedding([0, 1, 0, 0])]}
        weights = daemon.client.post("/score", body).json["weights"]
        self.assertEqual(weights[1], 0)
        self.assert_near(sum(weights), 1.0, 1e-12)


class Texts(SharedDaemon):
    @classmethod
    def make_model(cls, folder):
        return models.text_model(folder)

    BODY = {"prompt": "How do I descale a kettle?",
            "responses": ["Boil it with vinegar and water, then rinse.",
                          "Step one: fill it. Step two: boil it. Naïve café, 漢字, 🫖."]}

    def test_texts_are_scored(self):
        answer = self.client.post("/score", self.BODY)
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(len(answer.json["rewards"]), 2)
        self.assertTrue(0 < answer.json["preference"] < 1)

    def test_escaped_and_plain_utf8_are_the_same_text(self):
        plain = json.dumps(self.BODY, ensure_ascii=False)
        escaped = json.dumps(self.BODY, ensure_ascii=True)
        self.assertNotEqual(plain, escaped)
        self.assertEqual(self.client.post("/score", plain).body,
                         self.client.post("/score", escaped).body)

    def test_texts_alone_and_in_a_batch_bit_for_bit(self):
        items = [{"prompt": f"Question {i}?", "responses": [f"Answer {i * j} of {j}."
                                                            for j in range(1, 4)]}
                 for i in range(30)]
        together = self.client.post("/score", {"items": items}).json["items"]
        for item, in_batch in zip(items, together):
            alone = self.client.post("/score", item).json
            alone.pop("model")
            self.assertEqual(alone, in_batch)

    def test_vectors_and_texts_may_be_mixed(self):
        vector = embedding([0.0] * self.client.get("/model").json["dim"])
        answer = self.client.post("/score", self.BODY | {"prompt": vector})
        self.assertEqual(answer.status, 200, answer)

    def test_empty_text_is_a_text(self):
        answer = self.client.post("/score", {"prompt": "", "responses": [""]})
        self.assertEqual(answer.status, 200, answer)


if __name__ == "__main__":
    main()
