#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""HTTPS with certificates of our own making, replaced while connections are open."""
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
import unittest
import warnings

import models
from harness import PATIENCE, Scenario, main, run, wait_until
from load import Load, feedback_body, score_body, seeded
from prometheus import read_metrics


class InMemory:
    """A client that makes all its bytes before it sends any."""

    def __init__(self, context, connection):
        self.connection = connection
        self.received, self.made = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.session = context.wrap_bio(self.received, self.made, server_hostname="127.0.0.1")
        while True:
            try:
                self.session.do_handshake()
                break
            except ssl.SSLWantReadError:
                connection.sendall(self.made.read())
                self.received.write(connection.recv(65536))
        connection.sendall(self.made.read())

    def send_and_end(self, text, farewell):
        if text:
            self.session.write(text)
        if farewell:
            try:
                self.session.unwrap()
            except ssl.SSLWantReadError:
                pass
        self.connection.sendall(self.made.read())
        self.connection.shutdown(socket.SHUT_WR)

    def all_until_the_end(self):
        text = b""
        while part := self.connection.recv(65536):
            self.received.write(part)
        try:
            while part := self.session.read(65536):
                text += part
        except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            pass
        return text


@unittest.skipUnless(shutil.which("openssl"), "openssl is not installed")
class Tls(Scenario):
    def setUp(self):
        super().setUp()
        self.model = self.folder / "m"
        models.write_vector_model(self.model)
        self.cert, self.key = self.folder / "cert.pem", self.folder / "key.pem"

    def make(self, name, kind="ec", days=30):
        """A self-signed certificate for 127.0.0.1; (certificate, key)."""
        cert, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        algorithm = {"ec": ("ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
                     "rsa": ("rsa:2048",)}[kind]
        subprocess.run(["openssl", "req", "-x509", "-nodes", "-newkey", *algorithm, "-days",
                        str(days), "-subj", f"/CN={name}", "-addext",
                        "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert],
                       check=True, capture_output=True, timeout=60)
        return cert, key

    def put(self, pair):
        for source, target in zip(pair, (self.cert, self.key)):
            part = self.folder / "part"
            shutil.copy(source, part)
            os.replace(part, target)

    def trusting(self, *certs):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        for cert in certs:
            context.load_verify_locations(cert)
        return context

    def start_tls(self, pair, *options, trusted=()):
        self.put(pair)
        return self.start(self.model, "--tls-cert", self.cert, "--tls-key", self.key, *options,
                          tls=self.trusting(pair[0], *trusted))

    def shown(self, daemon):
        """The certificate that a new connection is shown."""
        return ssl.get_server_certificate(("127.0.0.1", daemon.port), timeout=PATIENCE)

    def reload(self, daemon, event):
        before = daemon.log().count(event)
        daemon.signal(signal.SIGHUP)
        wait_until(lambda: daemon.log().count(event) > before, event)


class Serving(Tls):
    def test_requests_and_long_bodies_with_each_kind_of_key(self):
        for kind in ("ec", "rsa"):
            with self.subTest(kind):
                daemon = self.start_tls(self.make(kind, kind))
                rng = seeded(self)
                self.assertIn("protocol=https", daemon.log())
                before = daemon.client.get("/model")
                self.assertEqual(before.status, 200)
                item = score_body(rng, "ada")
                answer = daemon.client.post("/score", {"items": [item] * 2000})
                self.assertEqual(len(answer.json["items"]), 2000)
                for number in range(20):
                    answer = daemon.client.post("/feedback", feedback_body(rng, f"ada-{kind}"))
                    self.assertEqual(answer.json["updates"], number + 1)
                daemon.stop()

    def test_old_protocols_and_plain_http_are_not_spoken(self):
        daemon = self.start_tls(self.make("a"))
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = self.trusting(self.cert)
            context.minimum_version = context.maximum_version = version
            with socket.create_connection(("127.0.0.1", daemon.port), PATIENCE) as plain:
                with context.wrap_socket(plain, server_hostname="127.0.0.1") as wrapped:
                    self.assertEqual(wrapped.version(), version.name.replace("_", "."))
        context = self.trusting(self.cert)
        context.set_ciphers("DEFAULT:@SECLEVEL=0")  # or the client itself would not offer it
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
        with socket.create_connection(("127.0.0.1", daemon.port), PATIENCE) as plain:
            with self.assertRaises(ssl.SSLError) as refusal:
                context.wrap_socket(plain, server_hostname="127.0.0.1")
            self.assertNotIn("no protocols available", str(refusal.exception).lower())
        with socket.create_connection(("127.0.0.1", daemon.port), PATIENCE) as plain:
            plain.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            try:
                self.assertNotIn(b"HTTP/1.1 200", plain.recv(65536))
            except ConnectionResetError:
                pass
        self.assertEqual(daemon.client.get("/livez").status, 200)

    def test_bytes_of_handshakes_that_fail_are_not_logged(self):
        daemon = self.start_tls(self.make("a"), "--log-level", "debug", "--access-log")
        for request in (b"GET /users/usersecret HTTP/1.1\r\nHost: secret\r\n\r\n",
                        b"\x16\x03\x01\x00\x30secret" + b"secret" * 8, b"secret" * 10000):
            with socket.create_connection(("127.0.0.1", daemon.port), PATIENCE) as plain:
                try:
                    plain.sendall(request)
                    plain.shutdown(socket.SHUT_WR)
                    while plain.recv(65536):
                        pass
                except OSError as fault:
                    self.assertNotIsInstance(fault, TimeoutError)
        with socket.create_connection(("127.0.0.1", daemon.port), PATIENCE) as plain:
            with self.assertRaises(ssl.SSLCertVerificationError):
                self.trusting(self.cert).wrap_socket(plain, server_hostname="secret.example")
        self.assertEqual(daemon.client.get("/livez").status, 200)
        daemon.stop()
        self.assertNotIn("secret", daemon.log())

    def test_end_that_comes_with_the_last_bytes(self):
        """They are there when the daemon looks, with or without a farewell of TLS."""
        daemon = self.start_tls(self.make("a"), "--threads", "1", "--idle-timeout", "3600")
        get = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
        for sent, n_answers in ((b"", 0), (get[:9], 0), (get, 1), (get * 3, 3), (get * 1000, 1000)):
            for farewell in (False, True):
                with self.subTest(len(sent), farewell=farewell), socket.create_connection(
                        ("127.0.0.1", daemon.port), PATIENCE) as connection:
                    client = InMemory(self.trusting(self.cert), connection)
                    daemon.signal(signal.SIGSTOP)
                    client.send_and_end(sent, farewell)
                    daemon.signal(signal.SIGCONT)
                    answers = client.all_until_the_end()
                    if not farewell:  # a client that took its leave cannot read any more
                        self.assertEqual(answers.count(b" 200 OK"), n_answers)

    def test_handshakes_that_stop_half_way_hold_up_nobody(self):
        daemon = self.start_tls(self.make("a"))
        stuck = [socket.create_connection(("127.0.0.1", daemon.port), PATIENCE) for _ in range(50)]
        for number, connection in enumerate(stuck):
            connection.sendall(b"\x16\x03\x01\x02\x00\x01"[:number % 7])
        begin = time.monotonic()
        for _ in range(20):
            client = daemon.new_client()
            self.assertEqual(client.get("/livez").status, 200)
            client.close()
        self.assertLess(time.monotonic() - begin, 10)
        for connection in stuck:
            connection.close()

    def test_idle_connection_gives_way_to_a_handshake(self):
        pair = self.make("a")
        daemon = self.start_tls(pair, "--max-connections", "2")
        self.assertEqual(daemon.client.get("/livez").status, 200)
        with socket.create_connection(("127.0.0.1", daemon.port), PATIENCE) as connection, \
                self.trusting(pair[0]).wrap_socket(
                    connection, server_hostname="127.0.0.1") as busy:
            busy.sendall(b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
            self.assertEqual(daemon.new_client().get("/livez").status, 200)

    def test_handshakes_that_never_end_are_given_up(self):
        daemon = self.start_tls(self.make("a"), "--idle-timeout", "1")
        with socket.create_connection(("127.0.0.1", daemon.port), PATIENCE) as connection:
            connection.sendall(b"\x16\x03\x01\x02")
            while connection.recv(100):  # an alert may come first
                pass

    def test_sigterm_under_load(self):
        daemon = self.start_tls(self.make("a"))
        rngs = [seeded(self, number) for number in range(4)]

        def work(client, number):
            answer = client.post("/feedback", feedback_body(rngs[number], f"user-{number}"))
            assert answer.status in (200, 503), answer
            return number, answer
        load = Load(daemon, 4, work)
        wait_until(lambda: load.count() > 50, "load")
        daemon.stop()
        learnt = [0] * 4
        for number, answer in load.stop():
            if answer.status == 200:
                learnt[number] = answer.json["updates"]
        daemon.start()
        for number, updates in enumerate(learnt):
            events = daemon.client.get(f"/users/user-{number}").json["events"]
            self.assertIn(events, (updates, updates + 1))


class Replacing(Tls):
    def test_sighup_shows_the_new_certificate_and_keeps_open_connections(self):
        first, second = self.make("first"), self.make("second", "rsa")
        daemon = self.start_tls(first, trusted=second[:1])
        self.assertEqual(self.shown(daemon), first[0].read_text())
        self.put(second)
        self.reload(daemon, "event=tls_reloaded")
        self.assertEqual(self.shown(daemon), second[0].read_text())
        # the connection of the first certificate goes on
        self.assertEqual(daemon.client.get("/model").status, 200)
        metrics = read_metrics(daemon.client)
        self.assertEqual(metrics['micro_reloads_total{result="ok",what="tls"}'], 1)
        expiry = metrics["micro_tls_certificate_expiry_time_seconds"] - time.time()
        self.assertAlmostEqual(expiry / 86400, 30, delta=0.1)

    def test_bad_files_keep_the_old_certificate_and_are_named(self):
        good, other = self.make("good"), self.make("other")
        expired = self.make_expired("expired")
        daemon = self.start_tls(good)
        daemon.expect_error("event=tls_reload_failed")
        empty = self.folder / "empty"
        empty.write_text("")
        for pair, fragment in (
                ((good[0], other[1]), "is not the key of the first certificate"),
                ((empty, good[1]), "certificates in PEM"), ((good[0], empty), "a private key in PEM"),
                ((good[1], good[1]), "certificates in PEM"), (expired, "has expired")):
            self.put(pair)
            self.reload(daemon, "event=tls_reload_failed")
            self.assertIn(fragment, [line for line in daemon.log().splitlines()
                                     if "tls_reload_failed" in line][-1])
            self.assertEqual(self.shown(daemon), good[0].read_text())
        self.cert.unlink()
        self.reload(daemon, "event=tls_reload_failed")
        self.assertEqual(self.shown(daemon), good[0].read_text())

    def make_expired(self, name):
        """openssl req takes no end in the past, openssl x509 does: one that ended yesterday."""
        cert, key = self.make(name)
        request = self.folder / "request"
        subprocess.run(["openssl", "x509", "-x509toreq", "-in", cert, "-signkey", key, "-out",
                        request], check=True, capture_output=True, timeout=60)
        subprocess.run(["openssl", "x509", "-req", "-in", request, "-signkey", key, "-days", "-1",
                        "-out", cert], check=True, capture_output=True, timeout=60)
        return cert, key

    def test_reloads_during_handshakes(self):
        pairs = [self.make("first"), self.make("second", "rsa")]
        daemon = self.start_tls(pairs[0], trusted=pairs[1][:1])
        faults, stopping = [], threading.Event()

        def connect():
            while not stopping.is_set():
                client = daemon.new_client()
                try:
                    if client.get("/livez").status != 200:
                        faults.append("status")
                except OSError as fault:
                    faults.append(fault)
                client.close()
        threads = [threading.Thread(target=connect) for _ in range(3)]
        for thread in threads:
            thread.start()
        for turn in range(40):
            self.put(pairs[turn % 2])
            self.reload(daemon, "event=tls_reloaded")
        stopping.set()
        for thread in threads:
            thread.join(PATIENCE)
        self.assertEqual(faults, [])


class Starting(Tls):
    def test_one_of_the_two_files_is_not_enough(self):
        cert, key = self.make("a")
        for given, missing in ((("--tls-cert", cert), "--tls-key"), (("--tls-key", key), "--tls-cert")):
            status, _, errors = run("microd", "--model", self.model, *given)
            self.assertEqual(status, 2)
            self.assertIn(missing, errors)

    def test_bad_files_do_not_start(self):
        cert, key = self.make("a")
        for pair in ((cert, cert), (self.folder / "absent", key), (key, key)):
            status, _, errors = run("microd", "--model", self.model, "--state", self.folder / "s",
                                    "--port", "0", "--tls-cert", pair[0], "--tls-key", pair[1])
            self.assertEqual(status, 1)
            self.assertIn("TLS", errors)
        self.assertFalse((self.folder / "s").exists())


if __name__ == "__main__":
    main()
