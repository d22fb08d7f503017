#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Encoders behind HTTP when much goes on: a server that goes and comes back under load, a queue, servers
that keep no connection or want TLS, the end while older models are in use."""
import ctypes
import http.client
import json
import os
import signal
import ssl
import subprocess
import threading
import time
import unittest
from collections import Counter

from embedding_server import cut_off, hang_up
from encoder_scenario import BODY, Served
from harness import PATIENCE, SANITIZED, Client, main, run, wait_until
from prometheus import read_metrics


class Load(Served):
    def load(self, number, over, seen):
        client, count = Client(self.daemon.port), 0
        while not over.is_set():
            count += 1
            body = json.dumps(BODY | {"prompt": f"{number} {count}" if count % 5 else "same"})
            try:
                client.connection.request("POST", "/score", body,
                                          {"Content-Type": "application/json"})
                if count % 10 == 0:
                    client.close()
                    continue
                answer = client.connection.getresponse()
                answer.read()
                seen[answer.status] += 1
            except (OSError, http.client.HTTPException):
                seen["broken"] += 1
                client.close()
        client.close()

    def test_server_goes_and_comes_back(self):
        self.serve("--threads", "2", "--encoder-connections", "4", "--encoder-queue", "8",
                   "--encoder-timeout", "3")
        self.daemon.expect_error("model_reload_failed")
        self.assert_scores()
        self.server.delay = 0.01
        over, seen, queued = threading.Event(), Counter(), []
        threads = [threading.Thread(target=self.load, args=(number, over, seen))
                   for number in range(24)]
        for thread in threads:
            thread.start()
        try:
            for turn in range(6):
                self.server.stop()
                time.sleep(0.05 if turn % 3 else 0.6)
                self.server.start()
                with self.server.lock:
                    self.server.faults += [503, cut_off, hang_up, 429, None,
                                           (503, (("Retry-After", "0"),))]
                if turn % 2:
                    self.daemon.signal(signal.SIGHUP)
                for _ in range(10):
                    queued.append(self.metric("queue_length"))
                    time.sleep(0.03)
        finally:
            over.set()
            for thread in threads:
                thread.join()
        self.assertLessEqual(max(queued), 8)
        self.assertLessEqual(set(seen), {200, 503})
        self.assertGreater(seen[200], 0)
        wait_until(lambda: self.daemon.client.get("/readyz").status == 200, "/readyz")
        self.server.faults.clear()
        self.assert_scores(BODY | {"prompt": "after"})
        wait_until(lambda: self.metric("workers_busy") == 0 == self.metric("queue_length"),
                   "the places")

    def test_connection_that_ends_with_each_answer(self):
        self.server.close_each = True
        self.serve("--encoder-connections", "2")
        for number in range(5):
            self.assert_scores(BODY | {"prompt": f"{number}"})
        self.assertEqual(self.metric("call_failures_total"), 0)


class Queue(Served):
    def send(self, n, make_body):
        clients = [self.daemon.new_client() for _ in range(n)]
        for number, client in enumerate(clients):
            client.connection.request("POST", "/score", json.dumps(make_body(number)),
                                      {"Content-Type": "application/json"})
        return clients

    def statuses(self, clients):
        return [client.connection.getresponse().status for client in clients]

    def resident(self):
        with open(f"/proc/{self.daemon.process.pid}/status", encoding="ascii") as lines:
            return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) << 10

    def test_equal_requests_are_one_call(self):
        self.serve("--encoder-connections", "1")
        self.assert_scores()
        self.server.delay = 1
        before = self.server.n_requests()
        clients = self.send(8, lambda _: BODY | {"prompt": "same"})
        self.assertEqual(self.statuses(clients), [200] * 8)
        self.assertEqual(self.server.n_requests() - before, 1)

    def test_what_waits_takes_no_more_than_its_body(self):
        n, size = 30, 200_000
        self.serve("--encoder-connections", "1", "--encoder-timeout", "60", "--grace", "0.1")
        self.assert_scores()
        self.server.delay = 40
        before = self.resident()
        self.send(n, lambda number: {"prompt": f"{number} " + "x" * size, "context": "c",
                                     "responses": [str(i) for i in range(64)]})
        wait_until(lambda: self.metric("queue_length") == n - 1, "the queue")
        # its texts with their templates would be 64 times that
        if not SANITIZED:
            self.assertLess(self.resident() - before, 12 * n * size)

    def test_who_is_refused_is_not_counted(self):
        self.serve("--threads", "1", "--encoder-connections", "1", "--encoder-queue", "1")
        self.assert_scores()
        answering = threading.Event()
        self.addCleanup(answering.set)

        def hold(handler, body):
            answering.wait(PATIENCE)
            handler.reply(200, body)
        self.server.faults = [hold]
        before = read_metrics(self.daemon.client)
        clients = self.send(6, lambda number: BODY | {"prompt": f"{number}"})
        wait_until(lambda: read_metrics(self.daemon.client)
                   ['micro_http_refusals_total{code="overloaded"}'] == 4, "the refusals")
        answering.set()
        self.assertEqual(Counter(self.statuses(clients)), {200: 2, 503: 4})
        after = read_metrics(self.daemon.client)
        for name in ("texts_total", "cache_misses_total"):
            name = f"micro_encoder_{name}"
            self.assertEqual(after[name] - before[name], 2 * 3, name)


class End(Served):
    def test_stop_gives_up_what_an_older_model_waits_for(self):
        self.serve("--grace", "0.2", "--encoder-timeout", "60")
        self.assert_scores()
        self.server.delay = 40
        client = self.daemon.new_client()
        client.connection.request("POST", "/score", json.dumps(BODY | {"prompt": "slow"}),
                                  {"Content-Type": "application/json"})
        wait_until(lambda: self.metric("workers_busy") == 1, "the request")
        self.server.delay = 0
        self.daemon.signal(signal.SIGHUP)
        wait_until(lambda: "event=model_reloaded" in self.daemon.log(), "the reload")
        began = time.monotonic()
        self.daemon.signal(signal.SIGTERM)
        self.assertEqual(self.daemon.wait(), 0)
        self.assertLess(time.monotonic() - began, 20)


CLONE_NEWNS, MS_BIND, MS_REC, MS_PRIVATE = 0x20000, 4096, 16384, 1 << 18
AUTHORITIES = b"/etc/ssl/certs/ca-certificates.crt"


class Https(Served):
    def setUp(self):
        super().setUp()
        self.cert, key = self.folder / "cert.pem", self.folder / "key.pem"
        subprocess.run(["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-days", "30", "-subj", "/CN=encoder",
                        "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out",
                        self.cert], check=True, capture_output=True, timeout=60)
        self.server.stop()
        self.server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.tls.load_cert_chain(self.cert, key)
        self.server.start()

    def trust(self):
        """In the child: its own view of the system's authorities."""
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(CLONE_NEWNS) != 0 or \
                libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None) != 0 or \
                libc.mount(bytes(self.cert), AUTHORITIES, None, MS_BIND, None) != 0:
            os._exit(99)

    @unittest.skipUnless(os.geteuid() == 0 and os.path.exists(AUTHORITIES),
                         "a certificate of one's own is trusted by root alone")
    def test_certificate_that_is_trusted(self):
        for close_each in (False, True):
            self.server.close_each = close_each
            self.serve("--encoder-connections", "2", limits=self.trust)
            for number in range(3):
                self.assert_scores(BODY | {"prompt": f"{number}"})
            self.daemon.stop()

    def test_certificate_that_is_not(self):
        status, text, _ = run("microd", "check", "--model", self.model, "--state",
                              self.folder / "s.db", "--encoder-url", self.server.openai)
        self.assertEqual(status, 1, text)
        self.assertIn("certificate", text)
        self.assertEqual(self.server.n_requests(), 0)


if __name__ == "__main__":
    main()
