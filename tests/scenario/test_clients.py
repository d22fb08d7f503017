#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Clients that are too many, too slow, silent or gone: the others do not notice."""
import contextlib
import json
import os
import resource
import socket
import sqlite3
import threading
import time

import models
from harness import PATIENCE, SANITIZED, Scenario, main, wait_until
from load import feedback_body, score_body, seeded
from prometheus import read_metrics


class Clients(Scenario):
    def start_daemon(self, *options, **more):
        models.write_vector_model(self.folder / "m")
        self.daemon = self.start(self.folder / "m", *options, **more)
        self.rng = seeded(self)

    def connect(self):
        connection = socket.create_connection(("127.0.0.1", self.daemon.port), PATIENCE)
        self.addCleanup(connection.close)
        return connection

    def ended(self, reason):
        """How many connections the daemon has ended, or not let in, for that reason."""
        return self.metric(f'micro_http_connections_ended_total{{reason="{reason}"}}')

    def metric(self, name):
        """By a new connection: old ones may be ended."""
        client = self.daemon.new_client()
        value = read_metrics(client)[name]
        client.close()
        return value

    def request(self, path="/score", body=None):
        """The bytes of a POST."""
        body = json.dumps(body or score_body(self.rng, "ada")).encode()
        return (f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n").encode() + body

    def assert_scores(self, client=None):
        answer = (client or self.daemon.client).post("/score", score_body(self.rng, "ada"))
        self.assertEqual(answer.status, 200, answer)

    def assert_closes(self, connection):
        """The daemon ends it; what it had to say before."""
        received = b""
        with contextlib.suppress(ConnectionResetError):
            while chunk := connection.recv(65536):
                received += chunk
        return received

    def cpu_seconds(self):
        with open(f"/proc/{self.daemon.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class TooMany(Clients):
    def busy(self, n):
        """Connections with a request each that is not whole yet."""
        connections = []
        for _ in range(n):
            connections.append(self.connect())
            connections[-1].sendall(self.request()[:-1])
        return connections

    def score_anew(self):
        client = self.daemon.new_client()
        answer = client.post("/score", score_body(self.rng, "ada"))
        client.close()
        return answer

    def test_past_the_limit_503_at_once_and_room_again_later(self):
        self.start_daemon("--max-connections", "8")
        # of its eight this client has one; it asks for nothing that it would have to wait for
        self.daemon.client.connection.sock.sendall(self.request()[:-1])
        busy = [self.daemon.client.connection.sock, *self.busy(7)]
        wait_until(lambda: self.score_anew().status == 503, "a refusal")
        for _ in range(20):
            answer = self.score_anew()
            self.assert_error(answer, 503, "overloaded")
            self.assertEqual(answer.headers["Retry-After"], "1")
        self.assertEqual(self.daemon.new_client().get("/livez").status, 200)
        for connection in busy:
            connection.sendall(b"}")
            self.assertIn(b" 200 ", connection.recv(65536))
            connection.close()
        wait_until(lambda: self.score_anew().status == 200, "room")
        self.assertGreaterEqual(self.ended("limit"), 21)

    def test_idle_connections_give_way(self):
        self.start_daemon("--max-connections", "16")
        connections = [self.connect() for _ in range(200)]
        self.assert_scores(self.daemon.new_client())
        self.assertGreater(self.ended("displaced"), 0)
        del connections

    def test_more_idle_connections_than_fit_while_others_work(self):
        """Whoever is at work is never the one that is idle for longest."""
        self.start_daemon("--max-connections", "64")
        client = self.daemon.new_client()
        for _ in range(200):
            self.connect()
            time.sleep(0.005)
            self.assert_scores(client)
        self.assertGreater(self.ended("displaced"), 50)

    def test_many_at_work_at_once_are_all_answered(self):
        """More than one libmicrohttpd daemon has seats for, by one thread."""
        self.start_daemon("--threads", "1", "--idle-timeout", "5")
        connections = [self.connect() for _ in range(300)]
        for path, body in (("/score", None), ("/feedback", feedback_body(self.rng, "ada"))) * 2:
            for connection in connections:
                connection.sendall(self.request(path, body))
            for connection in connections:
                self.assertIn(b" 200 ", connection.recv(65536))
        states = self.daemon.client.get("/users/ada").json["states"]
        self.assertEqual({state["updates"] for state in states}, {600})
        # and each is let go when its time is over
        for connection in connections:
            self.assertEqual(self.assert_closes(connection), b"")

    def test_ten_thousand_idle_connections(self):
        n = 10000
        need = n + 500
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        if before[1] < need:
            n = before[1] - 500
            print(f"only {n} connections: {before[1]} files may be open")
        resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, before)
        self.start_daemon("--max-connections", str(n + 100), "--idle-timeout", "600")
        empty = self.resident()
        connections = [self.connect() for _ in range(n)]
        for connection in connections[::100]:
            connection.sendall(self.request())
            self.assertIn(b" 200 ", connection.recv(65536))
        for _ in range(100):
            self.assert_scores()
        each = (self.resident() - empty) / n
        print(f"{n} idle connections take {each / 1024:.1f} KB each")
        if not SANITIZED:
            self.assertLess(each, 64 << 10)
        self.assertEqual(self.ended("displaced"), 0)

    def resident(self):
        return self.metric("process_resident_memory_bytes")


class TooMuch(Clients):
    def hold(self, sent, refused):
        """A connection that has sent this, and for which a request is refused now. If that one
        was first, it is the connection that was refused: then again."""
        for _ in range(100):
            connection = self.connect()
            connection.sendall(sent)
            time.sleep(0.1)
            if self.daemon.client.post("/score", refused).status == 503:
                return connection
            connection.close()
        return self.fail("nothing is refused")

    def test_bodies_past_max_pending_are_refused_and_one_alone_is_not(self):
        self.start_daemon("--max-pending", "4096")
        large = {"items": [score_body(self.rng, "ada")] * 200}
        self.assertEqual(self.daemon.client.post("/score", large).status, 200)

        waiting = self.hold(self.request(body=large)[:-1], large)
        answer = self.daemon.client.post("/score", large)
        self.assert_error(answer, 503, "overloaded", "--max-pending")
        self.assertEqual(answer.headers["Retry-After"], "1")
        self.assertEqual(self.daemon.client.get("/readyz").status, 200)
        waiting.sendall(b"}")
        self.assertIn(b" 200 ", waiting.recv(65536))
        self.assertEqual(self.daemon.client.post("/score", large).status, 200)

    def test_body_past_max_pending_waits_for_room(self):
        self.start_daemon("--max-pending", "4096")
        large = {"items": [score_body(self.rng, "ada")] * 200}
        answers = []
        # a machine may be too slow for one try
        for _ in range(10):
            first = self.hold(self.request(body=large)[:-1], large)
            thread = threading.Thread(target=lambda: answers.append(
                (self.daemon.new_client().post("/score", large).status, time.monotonic())))
            thread.start()
            time.sleep(0.1)
            begin = time.monotonic()
            first.sendall(b"}")
            self.assertIn(b" 200 ", first.recv(65536))
            thread.join()
            status, end = answers[-1]
            if status == 200 and begin < end < begin + 0.5:
                return
        self.fail(f"nothing that waited was answered soon: {answers[-1]}")

    def test_who_waits_for_a_word_before_the_body_is_told_no(self):
        self.start_daemon("--max-pending", "4096")
        large = {"items": [score_body(self.rng, "ada")] * 200}
        self.hold(self.request(body=large)[:-1], large)
        connection = self.connect()
        connection.sendall(b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n"
                           b"Expect: 100-continue\r\n\r\n")
        self.assertTrue(connection.recv(65536).startswith(b"HTTP/1.1 503 "))

    def test_long_bodies_that_do_not_come_hold_up_nobody(self):
        """Neither of the others' turns, nor of what may be pending."""
        self.start_daemon()
        head = b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 67108864\r\n\r\n"
        stalled = [self.connect() for _ in range(40)]
        for connection in stalled:
            connection.sendall(head + b" ")
        large = {"items": [score_body(self.rng, "ada")] * 1000}
        times = []
        for _ in range(10):
            begin = time.monotonic()
            self.assertEqual(self.daemon.new_client().post("/score", large).status, 200)
            times.append(time.monotonic() - begin)
        self.assertLess(min(times), 0.9, "none had a turn before its time was over")

    def test_chunked_bodies_are_counted_as_they_come(self):
        self.start_daemon("--max-pending", "4096")
        chunk = b"1000\r\n" + b" " * 4096 + b"\r\n"
        head = b"POST /score HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        first = self.hold(head + chunk, score_body(self.rng, "ada"))
        second = self.connect()
        second.sendall(head + chunk + b"0\r\n\r\n")
        self.assertIn(b" 503 ", second.recv(65536))
        first.sendall(b"0\r\n\r\n")
        self.assertIn(b" 400 ", first.recv(65536))
        self.assert_scores()


class NoFiles(Clients):
    def limit_files(self, n):
        resource.prlimit(self.daemon.process.pid, resource.RLIMIT_NOFILE,
                         (n, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))

    def open_files(self):
        return len(os.listdir(f"/proc/{self.daemon.process.pid}/fd"))

    def test_survives_says_so_and_recovers(self):
        self.start_daemon()
        inside = self.daemon.new_client()
        self.assert_scores(inside)
        self.limit_files(self.open_files())
        for _ in range(20):
            answer = self.daemon.new_client().post("/score", score_body(self.rng, "ada"))
            if answer.status == 200:  # an idle connection gave way
                continue
            self.assert_error(answer, 503, "overloaded")
        connections = [self.connect() for _ in range(50)]
        # nobody can get in: that must not keep a processor busy
        before = self.cpu_seconds()
        time.sleep(1)
        self.assertLess(self.cpu_seconds() - before, 0.5)
        self.assertIsNone(self.daemon.process.poll())
        for connection in connections:
            connection.close()
        self.limit_files(1000)
        self.assert_scores(self.daemon.new_client())
        self.assertGreater(self.ended("files"), 0)

    def test_hard_limit_below_max_connections_is_told(self):
        self.start_daemon(limits=lambda: resource.setrlimit(
            resource.RLIMIT_NOFILE, (500, 500)))
        self.assertIn("event=few_files", self.daemon.log())
        connections = [self.connect() for _ in range(250)]
        for connection in connections:
            connection.sendall(self.request())
            self.assertIn(b" 200 ", connection.recv(65536))

    def test_soft_limit_below_max_connections_is_raised(self):
        low = 500
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.prlimit(0, resource.RLIMIT_NOFILE, (low, before[1]))
        try:
            self.start_daemon()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        self.assertNotIn("few_files", self.daemon.log())
        connections = [self.connect() for _ in range(900)]
        for connection in (connections[0], connections[-1]):
            connection.sendall(self.request())
            self.assertIn(b" 200 ", connection.recv(65536))


class TooSlow(Clients):
    def trickle(self, sent, seconds=PATIENCE):
        """Send byte after byte until the daemon ends the connection; how long that took."""
        connection = self.connect()
        connection.settimeout(0.1)
        begin = time.monotonic()
        for byte in sent:
            if time.monotonic() - begin > seconds:
                self.fail(f"still open after {seconds} s")
            try:
                connection.send(bytes([byte]))
                if connection.recv(1) == b"":
                    return time.monotonic() - begin
            except TimeoutError:
                self.assert_scores()
            except (ConnectionResetError, BrokenPipeError):
                return time.monotonic() - begin
        return self.fail("all was sent")

    def test_headers_byte_by_byte_are_given_up(self):
        self.start_daemon("--idle-timeout", "2", "--request-timeout", "1")
        self.trickle(b"GET /livez HTTP/1.1\r\nX: " + b"x" * 5000)
        # it is counted after the connection is closed
        wait_until(lambda: self.ended("slow") == 1, "the end")

    def test_body_byte_by_byte_is_given_up(self):
        self.start_daemon("--request-timeout", "1")
        head, _, body = self.request().partition(b"\r\n\r\n")
        connection = self.connect()
        connection.settimeout(0.1)
        connection.sendall(head + b"\r\n\r\n")
        begin = time.monotonic()
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            for byte in body:
                self.assertLess(time.monotonic() - begin, PATIENCE)
                connection.send(bytes([byte]))
                with contextlib.suppress(TimeoutError):
                    if connection.recv(1) == b"":
                        break
        wait_until(lambda: self.ended("slow") == 1, "the end")
        self.assert_scores()

    def test_answer_that_nobody_reads_is_given_up(self):
        self.start_daemon("--request-timeout", "1", "--idle-timeout", "60")
        connection = socket.socket()
        self.addCleanup(connection.close)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", self.daemon.port))
        connection.sendall(self.request(body={"items": [score_body(self.rng, "ada")] * 4000}) * 8)
        wait_until(lambda: self.ended("slow") == 1, "the end")
        self.assert_scores()

    def test_many_slow_clients_hold_up_nobody(self):
        self.start_daemon("--threads", "2")
        slow = []
        for number in range(400):
            connection = self.connect()
            connection.sendall(self.request()[:1 + number])
            slow.append(connection)
        for turn in range(50):
            slow[turn].send(b"x")
            self.assert_scores()
            self.assertEqual(self.daemon.client.post(
                "/feedback", feedback_body(self.rng, "ada")).json["updates"], turn + 1)


class Gone(Clients):
    @contextlib.contextmanager
    def database_held(self):
        connection = sqlite3.connect(self.daemon.state, isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            connection.execute("ROLLBACK")
            connection.close()

    @staticmethod
    def reset(connection):
        """End it without a goodbye."""
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.close()

    def test_at_every_byte_of_a_request(self):
        self.start_daemon()
        request = self.request("/feedback", feedback_body(self.rng, "ada"))
        for n in range(0, len(request), 3):
            for end in (socket.socket.close, self.reset):
                connection = self.connect()
                connection.sendall(request[:n])
                end(connection)
        self.assertEqual(self.daemon.client.get("/users/ada").status, 404)
        self.wait_for_their_end()

    def wait_for_their_end(self):
        """But for the test's own two."""
        wait_until(lambda: self.metric("micro_http_connections") <= 2, "the end of the others")

    def test_before_the_answer(self):
        self.start_daemon("--busy-timeout", "20000")
        body = feedback_body(self.rng, "ada", id="event-1")
        with self.database_held():
            for number, end in enumerate((socket.socket.close, self.reset), 1):
                connection = self.connect()
                connection.sendall(self.request("/feedback", body))
                # and the one that asks
                wait_until(lambda number=number: self.in_flight() == number + 1, "the write")
                end(connection)
            self.assert_scores()
        # learnt once, although nobody was told; the client that asks again is
        self.wait_for_their_end()
        answer = self.daemon.client.post("/feedback", body)
        self.assertEqual((answer.json["updates"], answer.json["duplicate"]), (1, True))

    def in_flight(self):
        return self.metric("micro_http_requests_in_flight")


if __name__ == "__main__":
    main()
