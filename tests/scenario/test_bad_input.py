#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Bad requests: each gets a clear error, and afterwards nothing has changed."""
import base64
import json
import socket
import struct

import models
from harness import PATIENCE, Scenario, SharedDaemon, main
from models import embedding, floats_base64

V = embedding([1, 0, 0, 0])
SCORE = {"user": "ada", "prompt": V, "responses": [V, V]}
FEEDBACK = {"user": "ada", "prompt": V, "chosen": V, "rejected": embedding([0, 1, 0, 0]),
            "id": "event"}


def without(body, field):
    return {key: value for key, value in body.items() if key != field}


def item(**changes):
    """/items/3 is the faulty one."""
    return {"items": [SCORE, SCORE, SCORE, SCORE | changes, SCORE]}


# (what, path, body, status, code, param, fragment of the message)
CASES = [
    # malformed JSON: with line and column
    ("empty", "/score", "", 400, "malformed", None, "line 1, column 1"),
    ("cut off", "/score", '{"prompt":', 400, "malformed", None, "line 1, column 10"),
    ("second line", "/score", '{"user": "ada",\n  "prompt" 1}', 400, "malformed", None,
     "line 2, column"),
    ("trailing text", "/score", '{"responses":["a"]} x', 400, "malformed", None, "line 1, column"),
    ("duplicate key", "/score", '{"user":"a","user":"b"}', 400, "malformed", None, "user"),
    ("NaN", "/score", '{"responses":[{"embedding":[NaN,0,0,0]}]}', 400, "malformed", None,
     "line 1, column"),
    ("Infinity", "/feedback", '{"strength":Infinity}', 400, "malformed", None, "line 1, column"),
    ("invalid UTF-8", "/score", b'{"user":"\xff"}', 400, "malformed", None, "line 1, column"),
    ("lone surrogate", "/score", rb'{"user":"\ud800"}', 400, "malformed", None, "line 1, column"),
    ("too deep", "/score", '{"responses":' + "[" * 5000 + "]" * 5000 + "}", 400, "malformed",
     None, "deep"),
    # wrong types: with a JSON pointer
    ("array", "/score", [], 422, "invalid_type", None, "want an object, got an array"),
    ("number", "/feedback", 1, 422, "invalid_type", None, "want an object, got a number"),
    ("string", "/score", '"text"', 422, "invalid_type", None, "want an object, got a string"),
    ("user is a number", "/score", SCORE | {"user": 1}, 422, "invalid_type", "/user",
     "want a string, got a number"),
    ("context is an array", "/score", SCORE | {"context": []}, 422, "invalid_type", "/context",
     "want a string"),
    ("responses is a text", "/score", SCORE | {"responses": "A"}, 422, "invalid_type",
     "/responses", "want an array, got a string"),
    ("response is null", "/score", SCORE | {"responses": [V, None]}, 422, "invalid_type",
     "/responses/1", "got null"),
    ("items is an object", "/score", {"items": {}}, 422, "invalid_type", "/items",
     "want an array"),
    ("item is a text", "/score", {"items": [SCORE, "x"]}, 422, "invalid_type", "/items/1",
     "want an object"),
    ("text for a model of vectors", "/score", SCORE | {"responses": ["A", "B"]}, 422,
     "invalid_type", "/responses/0", "none:4"),
    ("number in a vector is a string", "/score", SCORE | {"prompt": embedding([1, 0, "x", 0])},
     422, "invalid_type", "/prompt/embedding/2", "want a number, got a string"),
    ("embedding is a number", "/score", SCORE | {"prompt": {"embedding": 1}}, 422,
     "invalid_type", "/prompt", "array of numbers or a base64 string"),
    ("strength is a string", "/feedback", FEEDBACK | {"strength": "1"}, 422, "invalid_type",
     "/strength", "want a number, got a string"),
    ("chosen is a number", "/feedback", FEEDBACK | {"chosen": 1}, 422, "invalid_type", "/chosen",
     "got a number"),
    ("id is a number", "/feedback", FEEDBACK | {"id": 7}, 422, "invalid_type", "/id",
     "want a string"),
    # fields
    ("unknown field", "/score", SCORE | {"temperature": 1}, 422, "unknown_field", "/temperature",
     "user, context, prompt, messages, responses"),
    ("unknown field beside items", "/score", {"items": [SCORE], "user": "x"}, 422,
     "unknown_field", "/user", "items"),
    ("unknown field in an item", "/score", item(answers="x"), 422, "unknown_field",
     "/items/3/answers", "user, context, prompt, messages, responses"),
    ("unknown field in feedback", "/feedback", FEEDBACK | {"responses": []}, 422,
     "unknown_field", "/responses", "user, context, prompt, messages, chosen, rejected, id, strength"),
    ("unknown field in an input", "/score", SCORE | {"prompt": V | {"text": "x"}}, 422,
     "unknown_field", "/prompt", "embedding"),
    ("no responses", "/score", without(SCORE, "responses"), 422, "missing_field", "/responses",
     "required"),
    ("no prompt", "/score", without(SCORE, "prompt"), 422, "missing_field", "/prompt", "prompt"),
    ("empty input", "/score", SCORE | {"prompt": {}}, 422, "missing_field", "/prompt",
     "embedding"),
    ("no user", "/feedback", without(FEEDBACK, "user"), 422, "missing_field", "/user",
     "required"),
    ("no chosen", "/feedback", without(FEEDBACK, "chosen"), 422, "missing_field", "/chosen",
     "required"),
    ("no rejected", "/feedback", without(FEEDBACK, "rejected"), 422, "missing_field",
     "/rejected", "required"),
    # dimension and numbers
    ("too few numbers", "/score", SCORE | {"prompt": embedding([1, 2])}, 422, "wrong_dimension",
     "/prompt/embedding", "2 numbers, want 4"),
    ("too many numbers", "/score", item(responses=[V, embedding([1] * 5)]), 422,
     "wrong_dimension", "/items/3/responses/1/embedding", "5 numbers, want 4"),
    ("empty vector", "/feedback", FEEDBACK | {"chosen": embedding([])}, 422, "wrong_dimension",
     "/chosen/embedding", "0 numbers, want 4"),
    ("base64 of another length", "/score",
     SCORE | {"prompt": {"embedding": floats_base64([1, 2, 3])}}, 422, "wrong_dimension",
     "/prompt/embedding", "want"),
    ("base64 that is cut", "/score", SCORE | {"prompt": {"embedding": "AAAAA"}}, 422,
     "invalid_base64", "/prompt/embedding", "base64"),
    ("base64 with a strange character", "/score",
     SCORE | {"responses": [V, {"embedding": "!" + floats_base64([1, 2, 3, 4])[1:]}]}, 422,
     "invalid_base64", "/responses/1/embedding", "base64"),
    ("base64 of NaN", "/score",
     SCORE | {"prompt": {"embedding": floats_base64([0, float("nan"), 0, 0])}}, 422,
     "not_finite", "/prompt/embedding", "1"),
    ("base64 of infinity", "/feedback",
     FEEDBACK | {"rejected": {"embedding": floats_base64([0, 0, 0, float("-inf")])}}, 422,
     "not_finite", "/rejected/embedding", "3"),
    ("beyond float32", "/score", SCORE | {"prompt": embedding([0, 1e39, 0, 0])}, 422,
     "not_finite", "/prompt/embedding/1", "float32"),
    ("beyond double", "/score", '{"prompt":{"embedding":[1e999,0,0,0]},"responses":["a"]}', 400,
     "malformed", None, "line 1, column"),
    ("rewards that overflow", "/score", SCORE | {"responses": [V, embedding([3e38, 3e38, 3e38,
                                                                            3e38])]}, 422,
     "not_finite", "/responses/1", "overflow"),
    # limits
    ("no response at all", "/score", SCORE | {"responses": []}, 422, "invalid_value",
     "/responses", "want 1 to 8"),
    ("too many responses", "/score", SCORE | {"responses": [V] * 9}, 422, "invalid_value",
     "/responses", "9 elements, want 1 to 8"),
    ("no items", "/score", {"items": []}, 422, "invalid_value", "/items", "want 1 to 6"),
    ("too many items", "/score", {"items": [SCORE] * 7}, 422, "invalid_value", "/items",
     "7 elements, want 1 to 6"),
    ("strength below the range", "/feedback", FEEDBACK | {"strength": -0.1}, 422,
     "invalid_value", "/strength", "want 0 to 10"),
    ("strength above the range", "/feedback", FEEDBACK | {"strength": 10.5}, 422,
     "invalid_value", "/strength", "want 0 to 10"),
    # identifiers
    ("empty user", "/score", SCORE | {"user": ""}, 422, "invalid_value", "/user",
     "0 bytes, want 1 to 256"),
    ("long user", "/feedback", FEEDBACK | {"user": "u" * 257}, 422, "invalid_value", "/user",
     "257 bytes, want 1 to 256"),
    ("long user in UTF-8", "/feedback", FEEDBACK | {"user": "ü" * 129}, 422, "invalid_value",
     "/user", "258 bytes, want 1 to 256"),
    ("user with a newline", "/feedback", FEEDBACK | {"user": "a\nb"}, 422, "invalid_value",
     "/user", "U+000A"),
    ("user with a NUL", "/feedback", FEEDBACK | {"user": "a\0b"}, 422, "invalid_value", "/user",
     "U+0000"),
    ("long context", "/score", SCORE | {"context": "c" * 257}, 422, "invalid_value", "/context",
     "257 bytes, want 0 to 256"),
    ("long event id", "/feedback", FEEDBACK | {"id": "i" * 257}, 422, "invalid_value", "/id",
     "257 bytes, want 1 to 256"),
    ("empty event id", "/feedback", FEEDBACK | {"id": ""}, 422, "invalid_value", "/id",
     "0 bytes, want 1 to 256"),
]


class BadRequests(SharedDaemon):
    OPTIONS = ("--max-responses", "8", "--max-items", "6", "--max-body", "64K")

    @classmethod
    def make_model(cls, folder):
        models.write_vector_model(folder / "m")
        return folder / "m"

    def setUp(self):
        super().setUp()
        self.client.post("/feedback", FEEDBACK | {"id": "first"})
        self.before = self.client.get("/users/ada").body
        self.addCleanup(self.nothing_has_changed)

    def nothing_has_changed(self):
        self.assertEqual(self.client.get("/users/ada").body, self.before)
        self.assertIsNone(self.daemon.process.poll())
        self.assertEqual(self.client.post("/score", SCORE).status, 200)

    def test_bad_bodies(self):
        for what, path, body, status, code, param, fragment in CASES:
            with self.subTest(what):
                if not isinstance(body, (str, bytes)):
                    body = json.dumps(body)
                answer = self.client.post(path, body)
                self.assert_error(answer, status, code, fragment, param)
                self.nothing_has_changed()

    def test_every_prefix_of_a_request_is_refused(self):
        body = json.dumps(FEEDBACK | {"id": "prefix"})
        for length in range(len(body)):
            answer = self.client.post("/feedback", body[:length])
            self.assert_error(answer, 400, "malformed", "line 1, column")

    def test_unknown_route_lists_the_known(self):
        for path in ("/", "/scores", "/score/", "/v2/score", "/v1", "/users/a/b", "/metrics/x"):
            for method in ("GET", "POST"):
                with self.subTest(path=path, method=method):
                    answer = self.client.request(method, path)
                    self.assert_error(answer, 404, "not_found", "/score")
                    self.assertIn("/users/{id}", answer.error["message"])

    def test_method_not_allowed_says_which_are(self):
        for method, path, allowed in (("GET", "/score", "POST"), ("PUT", "/feedback", "POST"),
                                      ("POST", "/users/ada", "GET, HEAD, DELETE"),
                                      ("DELETE", "/model", "GET, HEAD"),
                                      ("POST", "/metrics", "GET, HEAD"),
                                      ("PATCH", "/v1/readyz", "GET, HEAD")):
            with self.subTest(method=method, path=path):
                answer = self.client.request(method, path)
                self.assert_error(answer, 405, "method_not_allowed", "takes " + allowed)
                self.assertEqual(answer.headers["Allow"], allowed)

    def test_content_type_that_is_not_json(self):
        for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonx",
                     "multipart/form-data; boundary=x"):
            with self.subTest(kind):
                answer = self.client.post("/score", json.dumps(SCORE),
                                          headers={"Content-Type": kind})
                self.assert_error(answer, 415, "unsupported_media_type", "application/json")

    def test_body_over_the_limit(self):
        answer = self.daemon.new_client().post("/score", " " * (64 * 1024 + 1))
        self.assert_error(answer, 413, "too_large", "65536")

    def test_body_of_the_limit_is_read(self):
        text = json.dumps(SCORE)
        answer = self.client.post("/score", text + " " * (64 * 1024 - len(text)))
        self.assertEqual(answer.status, 200, answer)


class RawBytes(Scenario):
    """What http.client would not send. A connection that the client has closed half is closed by
    the daemon at the latest after --idle-timeout."""

    def setUp(self):
        super().setUp()
        models.write_vector_model(self.folder / "m")
        self.daemon = self.start(self.folder / "m", "--idle-timeout", "1", "--max-body", "64K")

    def raw(self, request, ends=True):
        """Send bytes, read until the daemon closes; it may do so before it has read them all. Who
        has ended is not always answered when others have to work on the answer: a feedback's
        client does not end before the daemon does."""
        answer = b""
        with socket.create_connection(("127.0.0.1", self.daemon.port), PATIENCE) as connection:
            try:
                connection.sendall(request)
                if ends:
                    connection.shutdown(socket.SHUT_WR)
                while chunk := connection.recv(65536):
                    answer += chunk
            except OSError as fault:
                self.assertNotIsInstance(fault, TimeoutError)
        return answer

    def test_chunked_body_over_the_limit(self):
        chunk = b"8000\r\n" + b" " * 0x8000 + b"\r\n"
        answer = self.raw(b"POST /score HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" +
                          3 * chunk + b"0\r\n\r\n")
        self.assertIn(b" 413 ", answer.splitlines()[0])
        self.assertIn(b'"too_large"', answer)

    def test_chunked_body_is_read(self):
        body = json.dumps(SCORE).encode()
        answer = self.raw(b"POST /score HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
                          b"Content-Type: application/json\r\nConnection: close\r\n\r\n" +
                          b"".join(b"%x\r\n%s\r\n" % (len(part), part)
                                   for part in (body[:7], body[7:])) + b"0\r\n\r\n")
        self.assertIn(b" 200 ", answer.splitlines()[0])

    def test_headers_with_two_values_are_refused(self):
        """A gateway's and the client's own: neither is believed."""
        body = json.dumps(FEEDBACK).encode()
        for name, values, status in (("X-Micro-User", ("ada", "ada"), b" 200 "),
                                     ("X-Micro-User", ("ada", "bob"), b" 422 "),
                                     ("X-Micro-User", ("bob", "ada"), b" 422 "),
                                     ("X-Micro-Context", ("a", "b"), b" 422 "),
                                     ("Idempotency-Key", ('"1"', '"2"'), b" 422 ")):
            with self.subTest(name=name, values=values):
                said = "".join(f"{name}: {value}\r\n" for value in values)
                answer = self.raw(f"POST /feedback HTTP/1.1\r\nHost: x\r\n{said}Connection: close"
                                  f"\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body,
                                  ends=False)
                self.assertIn(status, answer.splitlines()[0])
                if status != b" 200 ":
                    self.assertIn(f'"param":"{name}"'.encode(), answer)
        self.assertEqual(self.daemon.new_client().get("/users/ada").json["events"], 1)

    def test_bytes_that_are_no_http(self):
        for request in (b"\x16\x03\x01\x02\x00\x01", b"GET\r\n\r\n", b"\0" * 100,
                        b"GET /livez HTTP/9.9\r\n\r\n", b"POST /score HTTP/1.1\r\n"
                        b"Content-Length: -1\r\n\r\n", b"GET /livez" + b"x" * 100000):
            self.assertNotIn(b" 200 ", self.raw(request))
        self.assertEqual(self.daemon.new_client().get("/livez").status, 200)

    def test_statuses_of_what_is_no_request_are_those_of_the_contract(self):
        """Those of heads that are too long may be lost: what is not read resets the connection."""
        for request, status in ((b"GET /livez HTTP/1.1\r\n\r\n", b" 400 "),
                                (b"GET /livez HTTP/9.9\r\nHost: x\r\n\r\n", b" 505 ")):
            with self.subTest(status=status):
                self.assertIn(status, self.raw(request).splitlines()[0])

    def test_feedback_that_breaks_off_is_none(self):
        body = json.dumps(FEEDBACK).encode()
        head = b"POST /feedback HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
        request = head + body
        for length in (0, 10, len(head), len(head) + 1, len(request) - 1):
            self.assertNotIn(b" 200 ", self.raw(request[:length]))
        self.assert_error(self.daemon.new_client().get("/users/ada"), 404, "not_found")


class BadTexts(Scenario):
    def test_vector_of_another_dimension_for_a_text_model(self):
        daemon = self.start(models.text_model(self.folder))
        answer = daemon.client.post("/score", {"prompt": "p", "responses": [embedding([1, 2])]})
        self.assert_error(answer, 422, "wrong_dimension", "2 numbers, want 512",
                          "/responses/0/embedding")
        base64_text = base64.b64encode(struct.pack("<2f", 1, 2)).decode()
        answer = daemon.client.post("/score", {"prompt": "p",
                                               "responses": [{"embedding": base64_text}]})
        self.assert_error(answer, 422, "wrong_dimension", "512", "/responses/0/embedding")


if __name__ == "__main__":
    main()
