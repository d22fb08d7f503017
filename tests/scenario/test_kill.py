#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 at random moments under load: no acknowledged feedback is lost, none counts twice."""
import collections
import random
import sqlite3
import time

import models
from harness import Scenario, main
from load import Load, feedback_body

N_KILLS = 20
N_CLIENTS = 6
N_USERS = 3  # fewer than clients: several write to one user


class Kill(Scenario):
    def setUp(self):
        super().setUp()
        self.rng = random.Random(20)
        self.reference = models.write_vector_model(self.folder / "m")
        self.daemon = self.start(self.folder / "m")
        self.bodies = {}          # event id -> what was sent
        self.acknowledged = set() # event ids answered with 200

    def send(self, client, body):
        """Send one feedback; True if it had been applied before."""
        answer = client.post("/feedback", body)
        assert answer.status == 200, answer
        assert answer.json["id"] == body["id"], answer
        self.acknowledged.add(body["id"])
        return answer.json["duplicate"]

    def load(self, turn):
        rngs = [random.Random(f"{turn} {number}") for number in range(N_CLIENTS)]
        counts = [0] * N_CLIENTS

        def work(client, number):
            event = f"event {turn}/{number}/{counts[number]}"
            counts[number] += 1
            body = feedback_body(rngs[number], f"user {number % N_USERS}", id=event,
                                 context="work" if number % 2 else "")
            self.bodies[event] = body
            assert not self.send(client, body), event
        return Load(self.daemon, N_CLIENTS, work)

    def events_in_database(self):
        """(user, event id) of every row, read without the daemon."""
        with sqlite3.connect(f"file:{self.daemon.state}?mode=ro", uri=True) as connection:
            self.assertEqual(connection.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
            rows = connection.execute("SELECT user, id FROM events").fetchall()
        connection.close()
        return rows

    def check(self):
        """Every acknowledged event is there, no event twice, and the counts agree."""
        rows = self.events_in_database()
        self.assertEqual(len(rows), len(set(rows)))
        stored = {event for _, event in rows}
        self.assertEqual(self.acknowledged - stored, set(), "acknowledged and lost")
        self.assertEqual(stored - set(self.bodies), set(), "never sent")
        per_user = collections.Counter(user for user, _ in rows)
        for user, events in per_user.items():
            shown = self.daemon.client.get("/users/" + user.replace(" ", "%20")).json
            overall = next(s for s in shown["states"] if s["context"] is None)
            self.assertEqual((shown["events"], overall["updates"]), (events, events), user)
        return stored

    def check_weights(self):
        """The overall state is one Hedge step for each event, no more and no less."""
        for number in range(N_USERS):
            user = f"user {number}"
            state = self.reference.start()
            for body in self.bodies.values():
                if body["user"] == user:
                    state = self.reference.learn(state, body["chosen"]["embedding"],
                                                 body["rejected"]["embedding"])
            shown = self.daemon.client.get(f"/users/user%20{number}").json
            overall = next(s for s in shown["states"] if s["context"] is None)
            self.assert_near(overall["log_weights"], state, 1e-6)

    def test_twenty_kills(self):
        resent = applied_before = 0
        for turn in range(N_KILLS):
            load = self.load(turn)
            time.sleep(self.rng.uniform(0.02, 0.25))
            self.daemon.kill()
            load.stop()
            self.daemon.start()
            stored = self.check()
            for event in sorted(set(self.bodies) - self.acknowledged):
                resent += 1
                duplicate = self.send(self.daemon.client, self.bodies[event])
                self.assertEqual(duplicate, event in stored, event)
                applied_before += duplicate
        self.assertEqual(self.check(), set(self.bodies))
        self.check_weights()
        print(f"{N_KILLS} kills, {len(self.acknowledged)} feedbacks acknowledged, 0 lost, 0 twice;"
              f" {resent} were cut off, {applied_before} of them already durable")
        self.assertGreater(len(self.acknowledged), 20 * N_KILLS)


if __name__ == "__main__":
    main()
