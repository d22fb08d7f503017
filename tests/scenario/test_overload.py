#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""When the database is held by another process or the queue is full: 503, and nothing is lost."""
import contextlib
import sqlite3
import threading

import models
from harness import Scenario, main, wait_until
from load import feedback_body, score_body, seeded


class Overload(Scenario):
    def start_daemon(self, *options):
        models.write_vector_model(self.folder / "m")
        self.daemon = self.start(self.folder / "m", *options)
        self.client = self.daemon.client
        self.rng = seeded(self)

    @contextlib.contextmanager
    def database_held(self):
        """Another process's write transaction."""
        connection = sqlite3.connect(self.daemon.state, isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            connection.execute("ROLLBACK")
            connection.close()

    def test_database_held_longer_than_the_timeout(self):
        self.start_daemon("--busy-timeout", "50")
        self.daemon.expect_error("state_busy")
        body = feedback_body(self.rng, "ada", id="event-1")
        with self.database_held():
            answer = self.client.post("/feedback", body)
            self.assert_error(answer, 503, "state_busy")
            self.assertEqual(answer.headers["Retry-After"], "1")
            self.assertEqual(self.client.post("/score", score_body(self.rng, "ada")).status, 200)
            self.assertEqual(self.client.get("/livez").status, 200)
        again = self.client.post("/feedback", body)
        self.assertEqual((again.status, again.json["updates"], again.json["duplicate"]),
                         (200, 1, False))

    def test_database_held_shorter_than_the_timeout(self):
        self.start_daemon("--busy-timeout", "20000")
        answers = []
        thread = threading.Thread(target=lambda: answers.append(
            self.daemon.new_client().post("/feedback", feedback_body(self.rng, "ada"))))
        with self.database_held():
            thread.start()
            thread.join(0.3)
            self.assertEqual(answers, [])
        thread.join(30)
        self.assertEqual(answers[0].status, 200, answers)

    def test_full_queue_is_refused_at_once(self):
        self.start_daemon("--busy-timeout", "20000", "--queue", "4", "--max-batch", "1")
        answers = []

        def give(number):
            body = feedback_body(seeded(self, number), f"user-{number}", id="event-1")
            answers.append((number, body, self.daemon.new_client().post("/feedback", body)))
        threads = [threading.Thread(target=give, args=(number,)) for number in range(20)]
        with self.database_held():
            for thread in threads:
                thread.start()
            # one with the writer, four in the queue: the others have their answer already
            wait_until(lambda: len(answers) >= 15, "refusals")
            for _, _, answer in answers:
                self.assert_error(answer, 503, "overloaded")
                self.assertEqual(answer.headers["Retry-After"], "1")
        for thread in threads:
            thread.join(30)
        self.assertEqual(len(answers), 20)
        for number, body, answer in answers:
            if answer.status == 503:
                self.assertEqual(self.client.get(f"/users/user-{number}").status, 404)
                answer = self.client.post("/feedback", body)
            self.assertEqual((answer.status, answer.json["updates"]), (200, 1), answer)


if __name__ == "__main__":
    main()
