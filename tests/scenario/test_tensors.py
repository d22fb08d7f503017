#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Bodies of Content-Type application/vnd.safetensors: the same answers as JSON gives."""
import json
import random
import struct

import models
from harness import SharedDaemon, main
from models import embedding

TYPE = {"Content-Type": "application/vnd.safetensors"}
FORMATS = {"F32": lambda x: struct.pack("<f", x), "F16": lambda x: struct.pack("<e", x),
           "BF16": lambda x: struct.pack("<f", x)[2:]}


def body(request=None, dtype="F32", **tensors):
    """The bytes of a file: name -> rows."""
    header, data = {}, b""
    if request is not None:
        header["__metadata__"] = {"request": json.dumps(request)}
    for name, rows in tensors.items():
        raw = b"".join(FORMATS[dtype](x) for row in rows for x in row)
        header[name] = {"dtype": dtype, "shape": [len(rows), len(rows[0])],
                        "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    return models.pack(header, data)


class Tensors(SharedDaemon):
    OPTIONS = ("--max-responses", "8", "--max-items", "6")

    @classmethod
    def make_model(cls, folder):
        models.write_vector_model(folder / "m")
        return folder / "m"

    def setUp(self):
        super().setUp()
        self.rng = random.Random(self.id())

    def rows(self, n):
        return [models.random_vector(self.rng) for _ in range(n)]

    def post(self, path, *args, **tensors):
        return self.client.post(path, body(*args, **tensors), headers=TYPE)

    def assert_same(self, answer, as_json, path="/score"):
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(answer.body, self.client.post(path, as_json).body)

    def test_one_item(self):
        prompt, responses = self.rows(1), self.rows(2)
        for request in ({}, {"user": "ada", "context": "concise"}):
            self.assert_same(self.post("/score", request, prompt=prompt, responses=responses),
                             request | {"prompt": embedding(prompt[0]),
                                        "responses": [embedding(row) for row in responses]})

    def test_user_and_context_beside_the_body(self):
        prompt, chosen, rejected = (self.rows(1) for _ in range(3))
        path, user = "?user=beside&context=work", {"user": "beside", "context": "work"}
        answer = self.post("/feedback" + path, prompt=prompt, chosen=chosen, rejected=rejected)
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual((answer.json["user"], answer.json["context"]), ("beside", "work"))
        tensors = {"prompt": prompt, "responses": chosen + rejected}
        as_json = {"prompt": embedding(prompt[0]),
                   "responses": [embedding(chosen[0]), embedding(rejected[0])]}
        self.assert_same(self.post("/score" + path, **tensors), as_json | user)
        items = {"items": [{"responses": 1}, {"user": "ada", "responses": 1}]}
        self.assert_same(self.post("/score" + path, items, **tensors), {"items": [
            as_json | user | {"responses": as_json["responses"][:1]},
            as_json | {"user": "ada", "context": "work", "responses": as_json["responses"][1:]}]})
        self.assert_error(self.post("/score" + path, {"user": "ada"}, **tensors), 422,
                          "invalid_value", "another user, want one", "/__metadata__/request/user")

    def test_half_floats(self):
        prompt, responses = self.rows(1), self.rows(3)
        want = {"prompt": embedding(prompt[0]), "responses": [embedding(r) for r in responses]}
        for dtype in FORMATS:
            with self.subTest(dtype):
                self.assert_same(self.post("/score", None, dtype, prompt=prompt,
                                           responses=responses), want)

    def test_items_with_a_prompt_for_each_or_one_for_all(self):
        responses, counts = self.rows(6), (1, 3, 2)
        parts = [responses[0:1], responses[1:4], responses[4:6]]
        users = [{"user": "ada"}, {}, {"user": "bob", "context": "x"}]
        request = {"items": [user | {"responses": n} for user, n in zip(users, counts)]}
        for prompts in (self.rows(3), self.rows(1)):
            want = {"items": [user | {"prompt": embedding(prompt),
                                      "responses": [embedding(row) for row in part]}
                              for user, prompt, part in
                              zip(users, prompts * (3 // len(prompts)), parts)]}
            self.assert_same(self.post("/score", request, prompt=prompts, responses=responses),
                             want)

    def test_feedback_is_the_same_event(self):
        prompt, chosen, rejected = self.rows(3)
        request = {"user": "eve", "context": "c", "id": "e1", "strength": 2}
        first = self.post("/feedback", request, prompt=[prompt], chosen=[chosen],
                          rejected=[rejected])
        self.assertEqual(first.status, 200, first)
        self.assertFalse(first.json["duplicate"])
        again = self.client.post("/feedback", request | {"prompt": embedding(prompt),
                                                         "chosen": embedding(chosen),
                                                         "rejected": embedding(rejected)})
        self.assertEqual(again.json, first.json | {"duplicate": True})
        other = self.post("/feedback", request, prompt=[prompt], chosen=[rejected],
                          rejected=[chosen])
        self.assert_error(other, 422, "event_id_reused", "e1", "/id")

    def test_faults(self):
        one, two = self.rows(1), self.rows(2)
        nan = [[0, 0, 0, 0], [0, float("nan"), 0, 0]]
        cases = [
            ("no tensors", {}, {}, 422, "missing_field", "/responses", "required"),
            ("unknown tensor", {}, {"responses": one, "x": one}, 422, "unknown_field", "/x",
             "prompt, responses"),
            ("dimension", {}, {"responses": [[1, 2, 3]]}, 422, "wrong_dimension", "/responses",
             "shape [1, 3], want [n, 4]"),
            ("not finite", {}, {"responses": nan, "prompt": one}, 422, "not_finite",
             "/responses/1", "number 1 of row 1 of tensor responses"),
            ("rows", {"items": [{"responses": 1}]}, {"responses": two, "prompt": one}, 422,
             "invalid_value", "/responses", "2 rows, want 1"),
            ("user", {"user": ""}, {"responses": two, "prompt": one}, 422, "invalid_value",
             "/__metadata__/request/user", "0 bytes, want 1 to 256"),
            ("no prompt", {}, {"responses": two}, 422, "missing_field", "/prompt", "prompt"),
            ("overflow", {}, {"responses": [[3e38] * 4], "prompt": one}, 422, "not_finite",
             "/responses/0", "overflows"),
            ("many responses", {}, {"responses": one * 9, "prompt": one}, 422, "invalid_value",
             "/responses", "--max-responses"),
        ]
        for what, request, tensors, status, code, param, fragment in cases:
            with self.subTest(what):
                self.assert_error(self.post("/score", request, **tensors), status, code, fragment,
                                  param)

    def test_bytes_that_are_no_file(self):
        whole = body({}, prompt=self.rows(1), responses=self.rows(2))
        for raw in (b"", b"{}", b"\xff" * 100, whole[:-1], whole + b"\0", whole[:100]):
            answer = self.client.post("/score", raw, headers=TYPE)
            self.assert_error(answer, 400, "malformed", "no safetensors body: ")
        answer = self.client.post("/score", models.pack({"__metadata__": {"request": "{"}}, b""),
                                  headers=TYPE)
        self.assert_error(answer, 400, "malformed", "line 1, column 1", "/__metadata__/request")


if __name__ == "__main__":
    main()
