#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Start, reload and stop while clients are at work; --help and --version."""
import os
import re
import signal
import socket
import time

import models
from harness import PATIENCE, Scenario, main, run, wait_until
from load import Load, feedback_body, score_body, seeded
from prometheus import read_metrics

N_CLIENTS = 4
GRACE_MARGIN = 25  # seconds, on a slow machine; without a grace the requests would wait an hour


class Stopping(Scenario):
    def setUp(self):
        super().setUp()
        models.write_vector_model(self.folder / "m")
        self.daemon = self.start(self.folder / "m")

    def feed(self):
        """Feedback with an id and score in turns; each answer is checked."""
        rngs = [seeded(self, number) for number in range(N_CLIENTS)]

        def work(client, number):
            user = f"user {number}"
            answer = client.post("/feedback", feedback_body(rngs[number], user))
            if answer.status == 200:
                scored = client.post("/score", score_body(rngs[number], user))
                assert scored.status in (200, 503), scored
            else:
                assert answer.status == 503, answer
            return user, answer
        return Load(self.daemon, N_CLIENTS, work)

    def test_sigterm_finishes_what_is_in_flight(self):
        load = self.feed()
        wait_until(lambda: load.count() > 50, "load")
        self.daemon.stop()
        answers = load.stop()
        acknowledged = {}
        for user, answer in answers:
            if answer.status == 200:
                acknowledged[user] = answer.json["updates"]
        self.daemon.start()
        for user, updates in acknowledged.items():
            events = self.daemon.client.get("/users/" + user.replace(" ", "%20")).json["events"]
            # the last answer of a client may have been lost with its connection
            self.assertIn(events, (updates, updates + 1), user)

    def test_request_that_is_being_sent_at_sigterm_is_answered(self):
        body = models.json.dumps(feedback_body(seeded(self), "slow")).encode()
        with socket.create_connection(("127.0.0.1", self.daemon.port), PATIENCE) as connection:
            connection.sendall(b"POST /feedback HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
                               % len(body) + body[:20])
            wait_until(lambda: read_metrics(self.daemon.client)["micro_http_requests_in_flight"]
                       == 2, "the request")
            self.daemon.signal(signal.SIGTERM)
            time.sleep(0.1)
            connection.sendall(body[20:])
            answer = connection.recv(65536)
        self.assertIn(b" 200 ", answer.splitlines()[0])
        self.assertEqual(self.daemon.wait(), 0)
        self.daemon.start()
        self.assertEqual(self.daemon.client.get("/users/slow").json["events"], 1)

    def test_grace_is_all_that_a_stalled_request_gets(self):
        """Bodies that never come do not hold up the end."""
        self.daemon.stop()
        self.daemon.options += ["--grace", "1", "--request-timeout", "3600"]
        self.daemon.start()
        connections = [socket.create_connection(("127.0.0.1", self.daemon.port), PATIENCE)
                       for _ in range(3)]
        for connection in connections:
            connection.sendall(b"POST /feedback HTTP/1.1\r\nHost: x\r\n"
                               b"Content-Length: 999\r\n\r\n{")
        wait_until(lambda: read_metrics(self.daemon.client)["micro_http_requests_in_flight"]
                   == len(connections) + 1, "the requests")
        begin = time.monotonic()
        self.daemon.stop()  # exit status 0
        self.assertLess(time.monotonic() - begin, 1 + GRACE_MARGIN)
        self.assertIn("event=grace_exceeded", self.daemon.log())
        for connection in connections:
            with connection:
                self.assertEqual(connection.recv(65536), b"")

    def test_sigterm_at_the_limit_of_connections(self):
        """More clients than may connect, each with a new connection for each request."""
        self.daemon.stop()
        self.daemon.options += ["--max-connections", "8", "--threads", "4"]
        for turn in range(25):
            self.daemon.start(ready=False)

            def work(client, _):
                client.get("/livez")
                client.close()  # the next request connects again
            load = Load(self.daemon, 6, work)
            wait_until(lambda load=load: load.count() > 50, "load")
            time.sleep(turn % 5 / 1000)
            self.daemon.stop()
            load.stop()

    def test_idle_connections_do_not_delay_the_end(self):
        clients = [self.daemon.new_client() for _ in range(20)]
        for client in clients:
            client.get("/livez")
        begin = time.monotonic()
        self.daemon.stop()
        self.assertLess(time.monotonic() - begin, 5)

    def test_sigterm_right_after_the_start(self):
        self.daemon.stop()
        for _ in range(10):
            self.daemon.start(ready=False)
            self.daemon.stop()

    def test_sigint_ends_as_sigterm_does(self):
        self.daemon.signal(signal.SIGINT)
        self.assertEqual(self.daemon.wait(), 0)

    def test_second_start_on_the_same_state_knows_the_users(self):
        rng = seeded(self)
        answers = [self.daemon.client.post("/feedback", feedback_body(rng, "ada")).json
                   for _ in range(5)]
        before = self.daemon.client.get("/users/ada").body
        self.daemon.stop()
        self.daemon.start()
        self.assertEqual(self.daemon.client.get("/users/ada").body, before)
        self.assertEqual(self.daemon.client.post(
            "/feedback", feedback_body(rng, "ada")).json["updates"], len(answers) + 1)


class AtOnce(Scenario):
    def test_any_number_of_requests_at_once_is_answered(self):
        """They all come while the daemon does not look."""
        models.write_vector_model(self.folder / "m")
        daemon = self.start(self.folder / "m", "--threads", "1")
        for n_clients in (1, 127, 128, 129, 256, 512):
            connections = [socket.create_connection(("127.0.0.1", daemon.port), PATIENCE)
                           for _ in range(n_clients)]
            # the last to be accepted has been, when it is answered
            for turn in range(2):
                if turn == 1:
                    daemon.signal(signal.SIGSTOP)
                for connection in connections:
                    connection.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
                daemon.signal(signal.SIGCONT)
                for connection in connections:
                    self.assertIn(b" 200 ", connection.recv(65536), n_clients)
            for connection in connections:
                connection.close()


class Ending(Scenario):
    """Clients whose last bytes and whose end are there when the daemon looks."""
    GET = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"

    def setUp(self):
        super().setUp()
        models.write_vector_model(self.folder / "m")
        # the connection has to end long before it would be given up as idle
        self.daemon = self.start(self.folder / "m", "--threads", "1", "--idle-timeout", "3600",
                                 "--connection-memory", "4096")
        self.daemon.client.close()

    def post(self, route, body, more=0):
        return (f"POST {route} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body) + more}\r\n\r\n"
                ).encode() + body

    def all_until_the_end(self, connection):
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
        return b"".join(parts)

    def check(self, sent, n_answers, served_before=False):
        connection = socket.create_connection(("127.0.0.1", self.daemon.port), PATIENCE)
        with connection:
            if served_before:
                connection.sendall(self.GET)
                self.assertIn(b" 200 ", connection.recv(65536))
            self.daemon.signal(signal.SIGSTOP)
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            time.sleep(0.01)
            self.daemon.signal(signal.SIGCONT)
            answers = self.all_until_the_end(connection)
            self.assertEqual(answers.count(b"HTTP/1.1 200 "), n_answers, answers)

    def test_end_that_comes_with_the_last_bytes(self):
        rng = seeded(self)
        feedback = models.json.dumps(feedback_body(rng, "ada")).encode()
        score = models.json.dumps({"items": [score_body(rng, "ada")] * 200}).encode()
        for what, sent, n_answers in (
                ("nothing", b"", 0), ("half a head", self.GET[:20], 0), ("a request", self.GET, 1),
                ("two requests", self.GET * 2, 2), ("many requests", self.GET * 500, 500),
                ("a head without its body", self.post("/score", b"", 10), 0),
                ("half a body", self.post("/feedback", feedback, 10), 0),
                ("a request that is written", self.post("/feedback", feedback), 1),
                ("two of these", self.post("/feedback", feedback) * 2, 2),
                ("a body that comes in parts", self.post("/score", score), 1),
                ("half of such a body", self.post("/score", score, 1), 0),
                ("one and a half", self.GET + self.post("/score", score, 1), 1)):
            for served_before in (False, True):
                with self.subTest(what, served_before=served_before):
                    self.check(sent, n_answers, served_before)
        self.assertEqual(self.daemon.new_client().get("/users/ada").json["events"], 6)

    def test_connections_of_ended_clients_are_free_for_others(self):
        self.daemon.stop()
        self.daemon.options += ["--max-connections", "4"]
        self.daemon.start()
        self.daemon.client.close()
        for turn in range(20):
            connections = [socket.create_connection(("127.0.0.1", self.daemon.port), PATIENCE)
                           for _ in range(4)]
            for connection in connections:
                connection.sendall(self.GET)
                self.assertIn(b" 200 ", connection.recv(65536), turn)
            self.daemon.signal(signal.SIGSTOP)
            for connection in connections:
                connection.sendall(self.GET[:turn] if turn % 2 else self.GET)
                connection.close()
            self.daemon.signal(signal.SIGCONT)


class Reloading(Scenario):
    def setUp(self):
        super().setUp()
        self.model = self.folder / "m"
        models.write_vector_model(self.model, "linear")
        self.daemon = self.start(self.model)

    def replace(self, content):
        part = self.folder / "part"
        part.write_bytes(content)
        os.replace(part, self.model)

    def kind(self):
        return self.daemon.client.get("/model").json["router"]["kind"]

    def reload(self, condition, what):
        self.daemon.signal(signal.SIGHUP)
        wait_until(condition, what)

    def test_sighup_swaps_the_model_without_a_dropped_request(self):
        rngs = [seeded(self, number) for number in range(N_CLIENTS)]

        def work(client, number):
            answer = client.post("/score", score_body(rngs[number], f"user {number}"))
            assert answer.status == 200, answer
            answer = client.post("/feedback", feedback_body(rngs[number], f"user {number}"))
            assert answer.status == 200, answer
            return answer.json["updates"]
        load = Load(self.daemon, N_CLIENTS, work)
        for turn in range(20):
            kind = ("mlp", "static", "linear")[turn % 3]
            models.write_vector_model(self.folder / "next", kind)
            self.replace((self.folder / "next").read_bytes())
            self.reload(lambda kind=kind: self.kind() == kind, f"the {kind} router")
        wait_until(lambda: load.count() > 50, "load")
        load.stop()
        self.assertEqual(load.lost, 0)
        # the heads were the same throughout: so was the users' state
        for number, results in enumerate(load.results):
            self.assertEqual(results, list(range(1, len(results) + 1)), f"user {number}")

    def test_sighup_during_a_reload(self):
        for number in range(300):
            self.daemon.signal(signal.SIGHUP)
            time.sleep(number % 7 / 10000)
        self.assertEqual(self.daemon.client.get("/readyz").status, 200)

    def test_bad_model_keeps_the_old(self):
        before = self.daemon.client.get("/model").body
        self.daemon.expect_error("router.bias")
        tensors = models.vector_tensors() | {"router.bias": [0.0, float("nan"), 0.0]}
        self.replace(models.safetensors(tensors, models.vector_metadata()))
        self.reload(lambda: "not finite" in self.daemon.log(), "a message")
        self.assertEqual(self.daemon.client.get("/model").body, before)
        score = self.daemon.client.post("/score", score_body(seeded(self), "ada"))
        self.assertEqual(score.status, 200, score)
        self.assertEqual(self.daemon.client.get("/readyz").status, 200)

        models.write_vector_model(self.folder / "next", "mlp")
        self.replace((self.folder / "next").read_bytes())
        self.reload(lambda: self.kind() == "mlp", "the good model")

    def test_other_heads_start_anew_and_the_old_come_back(self):
        feedback = feedback_body(seeded(self), "ada")
        for _ in range(3):
            self.daemon.client.post("/feedback", feedback)
        original = self.model.read_bytes()
        first_id = self.daemon.client.get("/model").json["id"]
        score = score_body(seeded(self), "ada")
        before = self.daemon.client.post("/score", score).body

        other = models.vector_tensors() | {"heads.center": [0.0, 0.0, 0.0]}
        self.replace(models.safetensors(other, models.vector_metadata()))
        self.reload(lambda: self.daemon.client.get("/model").json["id"] != first_id, "new heads")
        self.assertEqual(self.daemon.client.post("/score", score).json["updates"], 0)

        self.replace(original)
        self.reload(lambda: self.daemon.client.get("/model").json["id"] == first_id, "old heads")
        self.assertEqual(self.daemon.client.post("/score", score).body, before)

    def test_sighup_of_a_model_of_another_size(self):
        tensors = {"heads.weight": [[1.0, 0.0], [0.0, 1.0]], "heads.center": [0.0, 0.0],
                   "router.bias": [0.0, 0.0]}
        self.replace(models.safetensors(tensors, models.vector_metadata(dim=2, n_heads=2)))
        self.reload(lambda: self.daemon.client.get("/model").json["dim"] == 2, "two dimensions")
        answer = self.daemon.client.post("/score", {
            "responses": [models.embedding([1, 0]), models.embedding([0, 1])]})
        self.assertEqual(len(answer.json["weights"]), 2)


class Help(Scenario):
    OPTIONS = {
        "model": None, "state": "micro.db", "listen": "127.0.0.1", "port": "8080",
        "port-file": None, "threads": "2", "max-body": "64M", "max-items": "4096",
        "max-responses": "1024", "max-connections": "1024", "max-pending": "64M",
        "request-timeout": "60", "connection-memory": "16K",
        "idle-timeout": "60", "tau": "1", "drift": "0", "max-strength": "10", "queue": "1024",
        "max-batch": "512", "busy-timeout": "5000", "grace": "10", "keep-inputs": None,
        "no-state-check": None, "log-level": "info",
    }

    def test_help_lists_every_option_with_range_default_and_environment(self):
        status, text, errors = run("microd", "--help")
        self.assertEqual((status, errors), (0, ""))
        for line in text.splitlines():
            self.assertLessEqual(len(line), 80, line)
        entries = re.split(r"\n(?=  --)", text)
        described = {re.match(r"  --([a-z-]+)", entry)[1]: entry for entry in entries[1:]}
        self.assertLessEqual(set(self.OPTIONS), set(described))
        for name, default in self.OPTIONS.items():
            with self.subTest(name):
                entry = described[name]
                self.assertIn("MICROD_" + name.upper().replace("-", "_"), entry)
                if default is not None:
                    self.assertIn(default, entry)
        self.assertIn("65535", described["port"])
        self.assertIn("debug", described["log-level"])

    def test_version(self):
        status, text, _ = run("microd", "--version")
        self.assertEqual(status, 0)
        self.assertRegex(text, r"^microd \d+\.\d+\.\d+\n$")


class PortFile(Scenario):
    def test_listening_is_logged_with_the_port_of_the_file(self):
        models.write_vector_model(self.folder / "m")
        daemon = self.start(self.folder / "m")
        self.assertIn(f"event=listening address=127.0.0.1 port={daemon.port} ", daemon.log())

    def test_log_comes_before_the_file(self):
        """Whoever waits for the file may look into the log."""
        models.write_vector_model(self.folder / "m")
        status, _, errors = run("microd", "--model", self.folder / "m", "--state",
                                self.folder / "s", "--port", "0", "--port-file",
                                self.folder / "absent" / "port")
        self.assertEqual(status, 1)
        self.assertRegex(errors, "(?s)event=listening .*event=failed .*absent/port")

    def test_root_is_warned_and_nobody_else(self):
        models.write_vector_model(self.folder / "m")
        daemon = self.start(self.folder / "m")
        daemon.stop()
        warned = "level=warn event=runs_as_root" in daemon.log()
        self.assertEqual(warned, os.geteuid() == 0, daemon.log())


if __name__ == "__main__":
    main()
