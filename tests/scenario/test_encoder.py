#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Encoders behind HTTP: scores and feedback with vectors of a server, many texts in one call, and
serving while the server takes its time."""
import json
import signal
import time

import models
from embedding_server import EmbeddingServer
from encoder_scenario import BODY, SPEC, Served
from harness import main, wait_until
from prometheus import read_metrics


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

    def test_what_is_in_the_cache_waits_for_nobody(self):
        self.serve("--encoder-connections", "1", "--encoder-queue", "1")
        self.assert_scores()
        self.server.delay = 2
        clients = self.pending(1)
        wait_until(lambda: self.metric("workers_busy") == 1, "the worker")
        clients += self.pending(1)
        wait_until(lambda: self.metric("queue_length") == 1, "the queue")
        before = self.server.n_requests()
        began = time.monotonic()
        self.assert_scores()
        self.assertLess(time.monotonic() - began, 1.5)
        self.assertEqual(self.server.n_requests(), before)
        self.assertEqual(self.answers(clients), [200] * 2)

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


if __name__ == "__main__":
    main()
