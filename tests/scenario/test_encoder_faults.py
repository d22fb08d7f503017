#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Encoders behind HTTP: a server that is wrong, full, cut off, another one or away."""
import time

import embedding_server as faults
from encoder_scenario import BODY, SPEC, Served
from harness import main, run, wait_until


class Fault(Served):
    def refused(self, status, code, fragment, body=None, param=None):
        answer = self.daemon.client.post("/score", body or BODY)
        self.assert_error(answer, status, code, fragment, param)
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
        self.serve("--encoder-timeout", "2", "--encoder-cache", "0")
        self.server.delay = 60
        began = time.monotonic()
        answer = self.refused(503, "encoder_down", "timed out")
        self.assertIn("Retry-After", answer.headers)
        self.assertLess(time.monotonic() - began, 20)
        self.server.delay = 0
        self.assert_scores()

    def test_text_that_is_too_long_is_the_clients_fault(self):
        self.serve()
        self.server.refused_text = "p|b"
        self.refused(422, "encoder_refused", 'the text "p|b": HTTP 422: the text is too long',
                     param="/responses/1")
        self.server.refused_text = None
        self.assert_scores()
        self.assertEqual(self.daemon.client.get("/readyz").status, 200)

    def test_refused_text_is_named_on_every_route(self):
        self.serve("--encoder-cache", "0")
        items = [BODY, BODY | {"responses": ["a", "b", "long"]}]
        preference = {"user": "u", "prompt": "p", "chosen": "a", "rejected": ["b", "long"]}
        talk = [{"role": "user", "content": "p"}, {"role": "assistant", "content": "long"}]
        cases = (
            ("/score", BODY | {"responses": ["long", "b"]}, "p|long", "/responses/0"),
            ("/score", BODY, "c|p", "/prompt"),
            ("/score", BODY | {"prompt": talk[:1]}, "c|p", "/prompt"),
            ("/score", {"items": items}, "p|long", "/items/1/responses/2"),
            ("/score", {"prompt": "p", "response": "long", "label": ""}, "p|long", "/response"),
            ("/feedback", preference, "p|long", "/rejected/1"),
            ("/feedback", preference, "p|a", "/chosen"),
            ("/get_reward", {"query": ["pa", "plong"], "prompts": ["p", "p"]}, "p|long",
             "/query/1"),
            ("/get_reward", {"query": ["pa", "qb"], "prompts": ["p", "q"]}, "|q", "/prompts/1"),
            ("/get_reward", {"query": "long"}, "|long", "/query"),
            ("/classify", {"input": ["a", "b", "long"]}, "|long", "/input/2"),
            ("/classify", {"text": ["long"]}, "|long", "/text/0"),
            ("/classify", {"messages": talk}, "p|long", "/messages"),
            ("/score/evaluation", {"messages": ["a", "long"]}, "|long", "/messages/1"),
            ("/rerank", {"query": "p", "documents": ["a", {"text": "long"}]}, "p|long",
             "/documents/1"),
            ("/rerank", {"query": "p", "documents": ["a"]}, "|p", "/query"))
        for route, body, text, param in cases:
            with self.subTest(route=route, param=param):
                self.server.refused_text = text
                answer = self.daemon.client.post(route, body)
                self.assert_error(answer, 422, "encoder_refused", f'the text "{text}"', param)
                self.server.refused_text = None
                self.assertEqual(self.daemon.client.post(route, body).status, 200)

    def test_refused_text_among_many_is_found_with_few_calls(self):
        self.serve("--encoder-cache", "0")
        body = BODY | {"responses": [f"r{i}" for i in range(100)]}
        for number in (0, 49, 99):
            self.server.refused_text = f"p|r{number}"
            self.server.forget()
            self.refused(422, "encoder_refused", f'the text "p|r{number}"', body,
                         f"/responses/{number}")
            self.assertLessEqual(self.server.n_requests(), 16)

    def test_refused_text_is_named_beside_cached_and_equal_ones(self):
        self.serve()
        self.assert_scores()
        self.server.refused_text = "p|long"
        self.refused(422, "encoder_refused", 'the text "p|long"',
                     BODY | {"responses": ["a", "new", "new", "long", "long", "b"]},
                     "/responses/3")

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


class Secrecy(Served):
    """What a server says of a text is for who sent the text."""

    SECRET = BODY | {"prompt": "secretprompt"}

    def fail_until_down(self, status):
        """The answers to who sends the secret."""
        self.server.always = faults.echo(status)
        answers = []
        wait_until(lambda: answers.append(self.daemon.client.post("/score", self.SECRET)) or
                   self.daemon.client.get("/readyz").status == 503, "/readyz to say no")
        return answers

    def test_texts_that_a_server_quotes_reach_nobody_else(self):
        self.serve("--encoder-cache", "0", "--encoder-timeout", "0.5", "--log-level", "debug",
                   "--access-log")
        self.assert_scores()
        for status, code in ((500, "encoder_down"), (404, "encoder_fault"),
                             (401, "encoder_fault")):
            with self.subTest(status):
                first, *_ = self.fail_until_down(status)
                self.assert_error(first, 503, code, f"HTTP {status}")
                self.assertIn("cannot embed: ['c|secretprompt', 'secretprompt|a'", first.error["message"])
                other = self.daemon.new_client().post("/score", BODY)
                self.assertEqual(other.status, 503, other)
                told = [other, *(self.daemon.client.get(route) for route in
                                 ("/readyz", "/metrics", "/model"))]
                self.assertIn(f"HTTP {status}", other.error["message"])
                self.assertIn(f"HTTP {status}", told[1].json["reasons"][0])
                for answer in told:
                    self.assertNotIn(b"secret", answer.body)
                self.server.always = None
                wait_until(lambda: self.daemon.client.get("/readyz").status == 200, "/readyz")
        self.server.always = faults.echo(422)
        answer = self.daemon.client.post("/score", self.SECRET)
        self.assert_error(answer, 422, "encoder_refused", "cannot embed: [", "/prompt")
        log = self.daemon.log()
        self.assertEqual(log.count("event=encoder_down"), 3)
        self.assertIn("HTTP 500", log)
        self.assertNotIn("secret", log)


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


if __name__ == "__main__":
    main()
