# SPDX-License-Identifier: Apache-2.0
"""Encoders behind HTTP: train, embed, eval and serve with vectors of a server, which may be slow,
wrong, full, cut off or away."""
import contextlib
import json
import re
import signal
import sqlite3
import time

import embedding_server as faults
import models
from embedding_server import PROBE, EmbeddingServer, vector_of
from harness import ROOT, Scenario, main, run, wait_until
from prometheus import read_metrics

SPEC = "openai:4?model=tiny&use_activation=false"
TEMPLATES = {"template.phi": "{prompt}|{response}", "template.psi": "{context}|{prompt}"}
BODY = {"prompt": "p", "context": "c", "responses": ["a", "b"]}


class Served(Scenario):
    """A model whose vectors come from a server of the test."""

    def setUp(self):
        super().setUp()
        self.server = EmbeddingServer(models.DIM)
        self.addCleanup(self.server.stop)
        self.model = self.folder / "model.safetensors"
        self.reference = self.write_model()
        self.daemon = None

    def write_model(self, spec=SPEC, salt=""):
        fingerprint = models.floats_base64(vector_of(PROBE, models.DIM, salt))
        return models.write_vector_model(
            self.model, metadata={"encoder": spec, "encoder.fingerprint": fingerprint, **TEMPLATES})

    def serve(self, *options, url=None, **more):
        self.daemon = self.start(self.model, "--encoder-url", url or self.server.openai, *options,
                                 **more)
        return self.daemon

    def expected(self, body=None, salt=""):
        """Rewards of /score by the reference, of a nobody."""
        body = body or BODY
        psi = vector_of(f"{body.get('context', '')}|{body['prompt']}", models.DIM, salt)
        rows = [vector_of(f"{body['prompt']}|{text}", models.DIM, salt)
                for text in body["responses"]]
        weights = self.reference.weights(psi, self.reference.start())
        return [sum(w * (sum(h * x for h, x in zip(head, row)) - c)
                    for w, head, c in zip(weights, models.HEADS, models.CENTER)) for row in rows]

    def assert_scores(self, body=None, daemon=None):
        body = body or BODY
        answer = (daemon or self.daemon).client.post("/score", body)
        self.assertEqual(answer.status, 200, answer)
        # the vectors are exact; products with weights that are not are not
        for got, want in zip(answer.json["rewards"], self.expected(body), strict=True):
            self.assert_near(got, want, 1e-5 * max(1, abs(want)))

    def metric(self, name):
        return read_metrics(self.daemon.client)[f"micro_encoder_{name}"]


class Score(Served):
    def test_rewards_are_those_of_the_servers_vectors(self):
        self.serve()
        for floats in (False, True):
            for reverse in (False, True):
                self.server.floats, self.server.reverse = floats, reverse
                self.assert_scores(BODY | {"prompt": f"ü\"\\\n{floats}{reverse}"})

    def test_tei(self):
        self.write_model("tei:4?normalize=false")
        self.serve(url=self.server.tei)
        self.assert_scores()
        request = self.server.requests[-1]
        self.assertEqual(request["path"], "/embed")
        self.assertIs(request["body"]["normalize"], False)

    def test_request_is_what_the_servers_take(self):
        self.server.key = "secret"
        self.serve(env={"MICROD_ENCODER_KEY": "secret"})
        self.assert_scores()
        request = self.server.requests[-1]
        self.assertEqual(set(request["body"]), {"input", "encoding_format", "model",
                                                "use_activation"})
        self.assertEqual((request["body"]["model"], request["body"]["use_activation"]),
                         ("tiny", False))
        self.assertEqual(request["headers"]["Content-Type"], "application/json")
        self.assertNotIn("secret", self.daemon.log())
        self.assertNotIn("secret", self.daemon.client.get("/model").body.decode())

    def test_address_is_no_part_of_the_model(self):
        self.serve()
        identity = self.daemon.client.get("/model").json
        self.daemon.stop()
        self.server.stop()
        other = EmbeddingServer(models.DIM)
        self.addCleanup(other.stop)
        self.serve(url=other.openai)
        self.assertEqual(self.daemon.client.get("/model").json, identity)
        self.assertEqual(identity["encoder"], SPEC)

    def test_feedback_learns_through_it(self):
        self.serve()
        body = {"user": "ada", "prompt": "p", "context": "c", "chosen": "a", "rejected": "b",
                "id": "1"}
        self.assertEqual(self.daemon.client.post("/feedback", body).json["updates"], 1)
        self.assertTrue(self.daemon.client.post("/feedback", body).json["duplicate"])

    def test_vectors_need_no_server(self):
        self.serve()
        self.server.stop()
        body = {"prompt": models.embedding([1, 0, 0, 0]),
                "responses": [models.embedding([1, 0, 0, 1])]}
        self.assertEqual(self.daemon.client.post("/score", body).status, 200)

    def test_cache_and_counters(self):
        self.serve()
        self.assert_scores()
        before = self.server.n_requests()
        for _ in range(5):
            self.assert_scores()
        self.assertEqual(self.server.n_requests(), before)
        self.assertGreaterEqual(self.metric("cache_hits_total"), 15)
        self.assertEqual(self.metric("cache_vectors"), 3)
        self.assertEqual(self.metric("calls_total"), before)
        self.assertEqual(self.metric("up"), 1)
        self.assertEqual(self.metric("texts_total"), 18)

    def test_connections_are_kept(self):
        self.serve("--encoder-cache", "0")
        for number in range(20):
            self.assert_scores(BODY | {"prompt": str(number)})
        self.assertLessEqual(len({r["connection"] for r in self.server.requests}), 2)


class Batch(Served):
    def test_all_texts_of_a_request_are_one_call(self):
        self.serve()
        self.assert_scores()  # the server has shown its fingerprint
        before = self.server.n_requests()
        body = BODY | {"prompt": "q", "responses": [f"r{i}" for i in range(64)]}
        self.assert_scores(body)
        self.assertEqual(self.server.n_requests(), before + 1)
        self.assertEqual(len(self.server.requests[-1]["texts"]), 65)
        # one text is new
        self.assert_scores(body | {"responses": body["responses"] + ["new"]})
        self.assertEqual(self.server.requests[-1]["texts"], ["q|new"])

    def test_equal_texts_of_many_items_are_sent_once(self):
        self.serve("--encoder-cache", "0")
        items = [BODY | {"prompt": f"p{i % 3}", "responses": ["a", f"b{i % 2}", "a"]}
                 for i in range(30)]
        answer = self.daemon.client.post("/score", {"items": items})
        for item, got in zip(items, answer.json["items"], strict=True):
            for x, want in zip(got["rewards"], self.expected(item), strict=True):
                self.assert_near(x, want, 1e-5 * max(1, abs(want)))
        texts = self.server.requests[-1]["texts"]
        self.assertEqual(len(texts), len(set(texts)))
        self.assertEqual(len(texts), 3 + 3 * 3)

    def test_answer_does_not_depend_on_what_else_is_asked(self):
        self.serve("--encoder-cache", "0")
        alone = self.daemon.client.post("/score", BODY).json
        items = [BODY | {"prompt": str(i)} for i in range(10)] + [BODY]
        together = self.daemon.client.post("/score", {"items": items}).json["items"][-1]
        self.assertEqual(together["rewards"], alone["rewards"])

    def test_feedback_is_one_call(self):
        self.serve("--keep-inputs")
        self.assert_scores()
        before = self.server.n_requests()
        body = {"user": "ada", "prompt": "p", "context": "c", "chosen": "x", "rejected": "y"}
        self.assertEqual(self.daemon.client.post("/feedback", body).status, 200)
        self.assertEqual(self.server.n_requests(), before + 1)
        self.assertEqual(self.server.requests[-1]["texts"], ["p|x", "p|y"])


class Slow(Served):
    """A server that takes its time takes nobody else's."""

    def send(self, client, body):
        """Send a request without waiting for its answer."""
        client.connection.request("POST", "/score", json.dumps(body),
                                  {"Content-Type": "application/json"})

    def pending(self, n):
        clients = [self.daemon.new_client() for _ in range(n)]
        for number, client in enumerate(clients):
            self.send(client, BODY | {"prompt": f"slow {id(client)} {number}"})
        return clients

    def answers(self, clients):
        return [client.connection.getresponse().status for client in clients]

    def test_other_requests_are_answered_meanwhile(self):
        self.serve("--threads", "1", "--encoder-connections", "2")
        self.assert_scores()
        self.server.delay = 2
        clients = self.pending(4)
        wait_until(lambda: self.metric("workers_busy") == 2 and self.metric("queue_length") == 2,
                   "the workers")
        began = time.monotonic()
        for path in ("/livez", "/readyz", "/model"):
            self.assertEqual(self.daemon.client.get(path).status, 200)
        vectors = {"prompt": models.embedding([1, 0, 0, 0]),
                   "responses": [models.embedding([1, 0, 0, 1])]}
        self.assertEqual(self.daemon.client.post("/score", vectors).status, 200)
        self.assertLess(time.monotonic() - began, 1.5)
        self.assertEqual(self.answers(clients), [200] * 4)

    def test_full_queue_is_503_at_once(self):
        self.serve("--encoder-connections", "1", "--encoder-queue", "2")
        self.assert_scores()
        self.server.delay = 2
        clients = self.pending(1)
        wait_until(lambda: self.metric("workers_busy") == 1, "the worker")
        clients += self.pending(2)
        wait_until(lambda: self.metric("queue_length") == 2, "the queue")
        began = time.monotonic()
        answer = self.daemon.client.post("/score", BODY | {"prompt": "one too many"})
        self.assert_error(answer, 503, "overloaded", "2 requests are waiting for the encoder")
        self.assertIn("Retry-After", answer.headers)
        self.assertLess(time.monotonic() - began, 1.5)
        self.assertEqual(self.answers(clients), [200] * 3)

    def test_client_that_leaves_is_no_harm(self):
        self.serve()
        self.assert_scores()
        self.server.delay = 0.5
        for client in self.pending(3):
            client.close()
        wait_until(lambda: self.metric("workers_busy") == 0 and
                   read_metrics(self.daemon.client)["micro_http_requests_in_flight"] == 1,
                   "the end of their requests")
        self.server.delay = 0
        self.assert_scores(BODY | {"prompt": "after"})

    def test_stop_finishes_what_is_under_way(self):
        self.serve()
        self.assert_scores()
        self.server.delay = 1
        clients = self.pending(2)
        wait_until(lambda: self.metric("workers_busy") == 2, "the workers")
        self.daemon.signal(signal.SIGTERM)
        self.assertEqual(self.answers(clients), [200] * 2)
        self.assertEqual(self.daemon.wait(), 0)

    def test_stop_does_not_wait_for_a_server_that_hangs(self):
        self.serve("--grace", "0.2", "--encoder-timeout", "60")
        self.assert_scores()
        self.server.delay = 40
        self.pending(2)
        wait_until(lambda: self.metric("workers_busy") == 2, "the workers")
        began = time.monotonic()
        self.daemon.signal(signal.SIGTERM)
        self.assertEqual(self.daemon.wait(), 0)
        self.assertLess(time.monotonic() - began, 20)

    def test_reload_while_requests_wait(self):
        self.serve()
        self.assert_scores()
        self.server.delay = 0.5
        clients = self.pending(3)
        wait_until(lambda: self.metric("workers_busy") == 3, "the workers")
        self.daemon.signal(signal.SIGHUP)
        self.assertEqual(self.answers(clients), [200] * 3)
        self.server.delay = 0
        wait_until(lambda: "event=model_reloaded" in self.daemon.log(), "the reload")
        self.assert_scores(BODY | {"prompt": "after"})


class Fault(Served):
    def refused(self, status, code, fragment, body=None):
        answer = self.daemon.client.post("/score", body or BODY)
        self.assert_error(answer, status, code, fragment)
        self.assertIn(SPEC[:9], answer.error["message"])
        self.assertIn(f"http://127.0.0.1:{self.server.port}/", answer.error["message"])
        return answer

    def test_wrong_answers_are_named_and_no_score(self):
        self.serve("--encoder-cache", "0")
        cases = ((faults.garbage, "no JSON"), (faults.nan, "no JSON"),
                 (faults.wrong_dimension, "has 5 numbers, want 4"), (faults.zeros, "all zeros"),
                 (faults.half, "the reply has 1 vectors, want 3"),
                 (faults.same_index, "index 0 is there twice"),
                 (faults.no_http, "no HTTP server"),
                 (faults.endless, "too long"), (404, "HTTP 404: fault 404"),
                 (401, "wants another key"), (301, "HTTP 301"))
        for fault, fragment in cases:
            with self.subTest(fragment):
                self.server.faults = [fault]
                self.refused(503, "encoder_fault", fragment)
                self.assert_scores()

    def test_what_may_pass_is_asked_again(self):
        self.serve("--encoder-cache", "0")
        for fault in (503, 429, 500, 502, faults.cut_off, faults.hang_up):
            with self.subTest(fault):
                self.server.faults = [fault, fault]
                self.assert_scores()
        self.assertEqual(self.metric("call_failures_total"), 0)
        self.assertGreaterEqual(self.metric("retries_total"), 10)

    def test_retry_after_is_honoured_up_to_a_bound(self):
        self.serve("--encoder-cache", "0")
        began = time.monotonic()
        self.server.faults = [(429, [("Retry-After", "1")])]
        self.assert_scores()
        self.assertGreaterEqual(time.monotonic() - began, 1)
        before = self.server.n_requests()
        self.server.faults = [(503, [("Retry-After", "3600")])]
        self.refused(503, "encoder_down", "HTTP 503")
        self.assertEqual(self.server.n_requests(), before + 1)

    def test_retry_after_reaches_the_client_within_a_bound(self):
        self.serve("--encoder-cache", "0", "--encoder-timeout", "2")
        self.assert_scores()
        for status, asked, told in ((503, "7", "7"), (429, "20", "20"), (503, "3600", "60"),
                                    (503, "0", "1")):
            self.server.always = (status, [("Retry-After", asked)])
            answer = self.refused(503, "encoder_down", f"HTTP {status}")
            self.assertEqual(answer.headers["Retry-After"], told)
            self.server.always = None
            self.assert_scores()

    def test_who_asks_to_be_left_alone_is_and_clients_are_told_for_how_long(self):
        self.serve("--encoder-cache", "0", "--encoder-timeout", "2")
        self.assert_scores()
        self.server.always = (503, [("Retry-After", "40")])
        wait_until(lambda: self.daemon.client.post("/score", BODY) and
                   self.daemon.client.get("/readyz").status == 503, "/readyz to say no")
        before = self.server.n_requests()
        time.sleep(1.5)  # its own first attempt would be after half a second
        for answer in (self.refused(503, "encoder_down", "for "),
                       self.daemon.client.get("/readyz")):
            self.assertIn(int(answer.headers["Retry-After"]), range(2, 40))
        self.assertEqual(self.server.n_requests(), before)

    def test_slow_server_is_given_up_in_time(self):
        self.serve("--encoder-timeout", "0.3", "--encoder-cache", "0")
        self.server.delay = 3
        began = time.monotonic()
        answer = self.refused(503, "encoder_down", "timed out")
        self.assertIn("Retry-After", answer.headers)
        self.assertLess(time.monotonic() - began, 2.5)
        self.server.delay = 0
        self.assert_scores()

    def test_text_that_is_too_long_is_the_clients_fault(self):
        self.serve()
        self.server.refused_text = "p|b"
        self.refused(422, "encoder_refused", 'the text "p|b": HTTP 422: the text is too long')
        self.server.refused_text = None
        self.assert_scores()
        self.assertEqual(self.daemon.client.get("/readyz").status, 200)

    def test_batch_limit_is_found(self):
        self.serve("--encoder-cache", "0")
        self.server.max_batch = 3
        for status in (413, 422, 400):
            self.server.batch_status = status
            body = BODY | {"prompt": str(status), "responses": [f"r{i}" for i in range(20)]}
            for _ in range(4):
                self.assert_scores(body)

    def test_down_and_up_again(self):
        self.serve("--encoder-cache", "0")
        self.assert_scores()
        self.server.stop()
        self.refused(503, "encoder_down", "Couldn't connect")
        wait_until(lambda: self.daemon.client.post("/score", BODY) and
                   self.daemon.client.get("/readyz").status == 503, "/readyz to say no")
        ready = self.daemon.client.get("/readyz").json
        self.assertIn(f"encoder {SPEC} at http://127.0.0.1", ready["reasons"][0])
        self.assertEqual((self.metric("up"), self.metric("trips_total")), (0, 1))
        # while it counts as down nobody waits for it
        began = time.monotonic()
        for _ in range(20):
            self.refused(503, "encoder_down", "")
        self.assertLess(time.monotonic() - began, 5)
        self.server.start()
        wait_until(lambda: self.daemon.client.get("/readyz").status == 200, "/readyz")
        self.assert_scores()
        self.assertEqual(self.metric("up"), 1)
        log = self.daemon.log()
        self.assertEqual((log.count("event=encoder_down"), log.count("event=encoder_up")), (1, 1))

    def test_another_model_behind_the_address_is_not_used(self):
        self.serve("--encoder-cache", "0")
        self.assert_scores()
        self.server.stop()
        wait_until(lambda: self.daemon.client.post("/score", BODY) and
                   self.daemon.client.get("/readyz").status == 503, "/readyz to say no")
        self.server.salt = "another"
        self.server.start()
        answer = wait_until(lambda: (a := self.daemon.client.post("/score", BODY)) and
                            a.error["code"] == "encoder_mismatch" and a, "the mismatch")
        self.assert_error(answer, 503, "encoder_mismatch", "another vector than before: cosine")
        self.server.salt = ""
        wait_until(lambda: self.daemon.client.get("/readyz").status == 200, "/readyz")
        self.assert_scores()

    def test_change_between_two_requests_is_noticed(self):
        self.serve("--encoder-cache", "0")
        self.assert_scores()
        time.sleep(1.1)
        self.server.stop()
        self.server.salt = "another"
        self.server.start()
        self.assertEqual(self.daemon.client.post("/score", BODY).error["code"], "encoder_mismatch")


class Start(Served):
    def failed_start(self, *options):
        status, _, errors = run("microd", "check", "--model", self.model, "--state",
                                self.folder / "s.db", *options)
        self.assertNotEqual(status, 0, errors)
        status, text, errors = run("microd", "--model", self.model, "--port", "0", "--state",
                                   self.folder / "s.db", *options)
        self.assertNotEqual(status, 0, text)
        return errors

    def test_without_an_address(self):
        self.assertIn("want the address of a server, --encoder-url URL", self.failed_start())

    def test_with_a_wrong_address(self):
        self.assertIn("--encoder-url", self.failed_start("--encoder-url", "host:1"))
        self.assertIn("without user and password",
                      self.failed_start("--encoder-url", "http://u:p@host/"))

    def test_on_another_model(self):
        self.server.salt = "another"
        self.assertIn("cosine", self.failed_start("--encoder-url", self.server.openai))

    def test_on_another_dimension(self):
        self.server.dim = 5
        self.assertIn("vector of 5 numbers, want 4",
                      self.failed_start("--encoder-url", self.server.openai))

    def test_before_its_server(self):
        self.server.stop()
        daemon = self.start_unready()
        self.assertEqual(daemon.client.get("/livez").status, 200)
        self.assertEqual(daemon.client.get("/readyz").status, 503)
        answer = daemon.client.post("/score", BODY)
        self.assert_error(answer, 503, "encoder_down")
        self.server.start()
        wait_until(lambda: daemon.client.get("/readyz").status == 200, "/readyz")
        self.assert_scores(daemon=daemon)

    def start_unready(self):
        """microd on a model whose server is not there."""
        self.server.start()
        daemon = self.serve()
        daemon.stop()
        self.server.stop()
        daemon.start(ready=False)
        return daemon

    def test_check_says_what_is_wrong(self):
        status, text, _ = run("microd", "check", "--model", self.model, "--state",
                              self.folder / "s.db", "--encoder-url", self.server.openai)
        self.assertEqual(status, 0, text)
        self.server.stop()
        status, text, _ = run("microd", "check", "--model", self.model, "--state",
                              self.folder / "s.db", "--encoder-url", self.server.openai)
        self.assertEqual(status, 1)
        self.assertIn("WRONG: load model", text)


class Tool(Scenario):
    """micro-model with a server: what it learns does not depend on how the vectors came."""

    def setUp(self):
        super().setUp()
        self.server = EmbeddingServer(8)
        self.addCleanup(self.server.stop)
        self.data = self.folder / "pairs.jsonl"
        self.data.write_text("".join(
            json.dumps({"user": f"u{i % 5}", "prompt": f"p{i % 7}", "chosen": f"good {i}",
                        "rejected": f"bad {i}"}) + "\n" for i in range(300)), "utf-8")

    def tool(self, command, *arguments, expected=0, url=True, **more):
        address = ("--encoder-url", self.server.openai) if url else ()
        status, text, errors = run("micro-model", command, *address, *arguments, **more)
        self.assertEqual(status, expected, errors)
        return text if expected == 0 else errors

    def train(self, name, *arguments, **more):
        path = self.folder / name
        self.tool("train", "--out", path, "--heads", "2", "--epochs", "2", "--quiet",
                  *arguments, **more)
        return path

    def test_train_embed_eval_with_and_without_the_server(self):
        spec = ("--encoder", "openai:8?use_activation=false&model=m")
        direct = self.train("direct", "--data", self.data, *spec)
        # 600 responses, 7 prompts and the probe twice, none of them more often
        texts = self.server.texts()
        self.assertEqual(len(set(texts)), 600 + 7 + 1)
        self.assertLessEqual(len(texts), 600 + 7 + 2)
        self.assertLessEqual(self.server.n_requests(), 3 + 1 + 2)
        features = self.folder / "features.safetensors"
        self.server.forget()
        self.tool("embed", "--data", self.data, "--out", features, *spec)
        self.assertLessEqual(self.server.n_requests(), 2 * 3 + 2)
        direct_eval = self.tool("eval", "--model", direct, "--data", self.data, "--json")
        self.server.stop()
        # features bring the fingerprint along
        through = self.train("through", "--data", features, url=False)
        metadata = models.read_safetensors(through)[2]
        self.assertEqual(metadata["encoder"], "openai:8?model=m&use_activation=false")
        self.assertEqual(metadata["encoder.fingerprint"],
                         models.read_safetensors(direct)[2]["encoder.fingerprint"])
        self.assertEqual(models.read_safetensors(through)[0], models.read_safetensors(direct)[0])
        through_eval = self.tool("eval", "--model", direct, "--data", features, "--json",
                                 url=False)
        self.assert_near(json.loads(direct_eval)["nll"], json.loads(through_eval)["nll"], 1e-6)
        # texts cannot be encoded without it
        errors = self.tool("eval", "--model", direct, "--data", self.data, url=False, expected=2)
        self.assertIn("--encoder-url URL", errors)
        self.assertIn("openai:8", self.tool("show", "--model", direct, url=False))

    def test_features_of_another_model_are_refused(self):
        features = self.folder / "features.safetensors"
        self.tool("embed", "--data", self.data, "--out", features, "--encoder", "openai:8")
        model = self.train("model", "--data", features)
        self.server.salt = "another"
        self.assertIn("cosine", self.tool("eval", "--model", model, "--data", features,
                                          expected=1))
        self.assertIn("cosine", self.tool("train", "--data", features, "--out",
                                          self.folder / "no", expected=1))

    def test_heads_of_others_with_their_backbone(self):
        checkpoint = self.folder / "score.safetensors"
        checkpoint.write_bytes(models.safetensors(
            {"score.weight": [[1, 0, 0, 0, 0, 0, 0, 1]]}, {"format": "pt"}))
        model = self.folder / "imported"
        self.tool("import", "--from", checkpoint, "--out", model, "--encoder", "openai:8",
                  "--template-phi", "{prompt}{response}")
        metadata = models.read_safetensors(model)[2]
        self.assertEqual(metadata["encoder.fingerprint"],
                         models.floats_base64(self.server.vector(PROBE)))

    def test_embed_outlasts_faults_and_goes_on_after_one_too_many(self):
        features = self.folder / "features.safetensors"
        self.server.faults = [None, None, 503, faults.cut_off, 429, None, faults.hang_up]
        self.tool("embed", "--data", self.data, "--out", features, "--encoder", "openai:8")
        features.unlink()
        self.server.faults = [None, None, None, faults.garbage]
        arguments = ("embed", "--data", self.data, "--out", features, "--encoder", "openai:8")
        self.assertIn("the reply is no JSON", self.tool(*arguments, expected=1))
        self.assertFalse(features.exists())
        self.tool(*arguments)
        self.assertTrue(features.exists())

    def test_missing_and_repeated_vectors_are_named(self):
        for fault, fragment in ((faults.half, "the reply has 128 vectors, want 256"),
                                (faults.same_index, "index 0 is there twice")):
            self.server.faults = [fault]
            self.assertIn(fragment, self.tool(
                "train", "--data", self.data, "--encoder", "openai:8", "--out",
                self.folder / "n", expected=1))

    def test_error_names_the_lines(self):
        self.server.refused_text = "good 270"
        errors = self.tool("embed", "--data", self.data, "--out", self.folder / "f", "--encoder",
                           "openai:8", expected=1)
        self.assertRegex(errors, r'pairs.jsonl:257 to 300: encoder openai:8 at .*: the text "good 270"')

    def test_key_comes_from_the_environment_alone(self):
        self.server.key = "k"
        arguments = ("--data", self.data, "--encoder", "openai:8")
        self.train("m", *arguments, env={"MICROD_ENCODER_KEY": "k"})
        self.assertIn("wants another key", self.tool(
            "train", *arguments, "--out", self.folder / "n", expected=1))


class Recipes(Scenario):
    """deploy/encoders/README.md"""

    TEXT = (ROOT / "deploy" / "encoders" / "README.md").read_text("utf-8")

    def test_each_name_is_one_and_asks_for_what_it_says(self):
        data = self.folder / "pairs.jsonl"
        data.write_text('{"prompt":"p","chosen":"a","rejected":"b"}\n' * 2, "utf-8")
        names = re.findall(r"`((?:openai|tei):4096\?[^`]*)`", self.TEXT)
        self.assertEqual(len(names), 5)
        server = EmbeddingServer(4096)
        self.addCleanup(server.stop)
        for name in names:
            with self.subTest(name):
                server.forget()
                url = server.tei if name.startswith("tei") else server.openai
                status, _, errors = run("micro-model", "train", "--data", data, "--out",
                                        self.folder / "m", "--encoder", name, "--encoder-url", url,
                                        "--heads", "1", "--epochs", "1", "--router", "static",
                                        "--objective", "bt", "--quiet")
                self.assertEqual(status, 0, errors)
                body = server.requests[-1]["body"]
                for field in name.split("?")[1].split("&"):
                    key, value = field.split("=")
                    try:
                        value = json.loads(value)
                    except ValueError:
                        pass
                    self.assertEqual(body[key], value)
                    self.assertIs(type(body[key]), type(value))

    def test_options_and_metrics_are_there(self):
        _, options, _ = run("microd", "--help")
        for option in re.findall(r"`(--encoder-[a-z]+)", self.TEXT):
            self.assertIn(option, options)
        server = EmbeddingServer(models.DIM)
        self.addCleanup(server.stop)
        metadata = {"encoder": SPEC, "encoder.fingerprint": models.floats_base64(
            vector_of(PROBE, models.DIM)), **TEMPLATES}
        model = self.folder / "model.safetensors"
        models.write_vector_model(model, metadata=metadata)
        daemon = self.start(model, "--encoder-url", server.openai)
        metrics = read_metrics(daemon.client)
        for name in re.findall(r"micro_encoder_[a-z_]+", self.TEXT):
            self.assertIn(name, metrics)


class Messages(Scenario):
    """Conversations: the same text for the encoder in training and serving."""

    PHI = ("<s>{messages}<|{role}|>{content}<|end|>{/messages}<|assistant|>{response}<|end|>")
    CHAT = [{"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "How "},
                                         {"type": "text", "text": "long?"}]}]
    FLAT = "system: Be brief.\nuser: How long?"

    def rendered(self, response):
        return ("<s><|system|>Be brief.<|end|><|user|>How long?<|end|><|assistant|>"
                f"{response}<|end|>")

    def test_training_and_serving_send_the_same_texts(self):
        server = EmbeddingServer(8)
        self.addCleanup(server.stop)
        data, model = self.folder / "pairs.jsonl", self.folder / "model.safetensors"
        pairs = [{"prompt": self.CHAT, "chosen": "Yes.", "rejected": "No."},
                 {"messages": self.CHAT, "chosen": [{"role": "assistant", "content": "Yes."}],
                  "rejected": "Perhaps."},
                 {"prompt": "plain", "chosen": "a", "rejected": "b"}]
        data.write_text("".join(json.dumps(pair) + "\n" for pair in pairs), "utf-8")
        status, _, errors = run(
            "micro-model", "train", "--data", data, "--out", model, "--heads", "2", "--epochs",
            "1", "--encoder", "openai:8", "--encoder-url", server.openai, "--template-phi",
            self.PHI, "--router", "linear", "--objective", "micro", "--quiet")
        self.assertEqual(status, 0, errors)
        trained = set(server.texts())
        self.assertEqual(trained - {PROBE}, {
            self.rendered("Yes."), self.rendered("No."), self.rendered("Perhaps."),
            "<s><|user|>plain<|end|><|assistant|>a<|end|>",
            "<s><|user|>plain<|end|><|assistant|>b<|end|>", "\n" + self.FLAT, "\nplain"})
        server.forget()
        daemon = self.start(model, "--encoder-url", server.openai, "--keep-inputs")
        answers = [daemon.client.post("/score", {field: self.CHAT, "responses": ["Yes.", "No."]})
                   for field in ("prompt", "messages")]
        self.assertEqual([answer.status for answer in answers], [200, 200])
        self.assertEqual(answers[0].json, answers[1].json)
        answer = daemon.client.post("/feedback", {
            "user": "ada", "messages": self.CHAT, "chosen": "Yes.", "rejected": "No.", "id": "1"})
        self.assertEqual(answer.status, 200, answer)
        self.assertLessEqual(set(server.texts()), trained)
        # conversations that differ in their roles alone are different, also beside each other
        others = [[{"role": role, "content": "How long?"}] for role in ("user", "tool")]
        others += [self.CHAT, self.FLAT, "How long?"]
        items = [{"prompt": prompt, "responses": ["Yes.", "No."]} for prompt in others]
        together = daemon.client.post("/score", {"items": items}).json["items"]
        alone = [daemon.client.post("/score", item).json for item in items]
        self.assertEqual([item["rewards"] for item in together],
                         [item["rewards"] for item in alone])
        self.assertEqual(len({tuple(item["rewards"]) for item in together}), 4)
        # another conversation with the same flat text is another feedback
        answer = daemon.client.post("/feedback", {
            "user": "ada", "prompt": self.FLAT, "chosen": "Yes.", "rejected": "No.", "id": "1"})
        self.assert_error(answer, 422, "event_id_reused", param="/id")
        self.assert_error(daemon.client.post("/score", {"messages": [], "responses": ["a"]}),
                          422, "invalid_value", param="/messages")
        daemon.stop()
        with contextlib.closing(sqlite3.connect(daemon.state)) as database:
            kept = database.execute("SELECT input FROM events").fetchone()[0]
        self.assertEqual(json.loads(kept)["prompt"], [
            self.CHAT[0], {"role": "user", "content": "How long?"}])


if __name__ == "__main__":
    main()
