#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 at random moments under mixed load: no acknowledged feedback is lost, none counts twice,
nothing that was deleted comes back. MICRO_KILLS is how often (60)."""
import collections
import os
import random
import time

import database
import models
from harness import SANITIZED, Scenario, main, wait_until
from load import Load, feedback_body, score_body
from prometheus import read_metrics

N_KILLS = int(os.environ.get("MICRO_KILLS", "15" if SANITIZED else "60"))
N_CLIENTS = 6     # that give feedback
N_USERS = 3       # fewer than clients: several write to one user
FOLD_EVERY = 20   # one life in so many is long enough for states to be folded into the tables
ROLES = ["feedback"] * N_CLIENTS + ["score", "forget", "reset"]


class Kill(Scenario):
    def setUp(self):
        super().setUp()
        self.rng = random.Random(20)
        self.reference = models.write_vector_model(self.folder / "m")
        # a small cache is often full, and its states are often folded into the tables
        self.daemon = self.start(self.folder / "m", "--state-cache", "1M", "--drift", "0.01")
        self.bodies = {}          # event id -> what was sent
        self.acknowledged = set() # event ids answered with 200
        self.forgotten = set()    # users whose deletion was answered with 200
        self.reset = set()        # events whose context was reset, answered with 200
        self.n_scores = 0

    def send(self, client, body):
        """Send one feedback; True if it had been applied before."""
        answer = client.post("/feedback", body)
        assert answer.status == 200, answer
        assert answer.json["id"] == body["id"], answer
        self.acknowledged.add(body["id"])
        return answer.json["duplicate"]

    def feed(self, client, rng, event, number):
        """Feedback of a user of several clients, or of one who is never seen again."""
        user = f"user {number % N_USERS}" if rng.random() < 0.5 else f"guest {event}"
        body = feedback_body(rng, user, id=event, context=rng.choice(["", "work", "home"]))
        self.bodies[event] = body
        assert not self.send(client, body), event

    def forget(self, client, rng, event):
        """A user who learns and is deleted, at once."""
        user = "gone/" + event
        for part in range(2):
            answer = client.post("/feedback", feedback_body(rng, user, id=f"{event} {part}"))
            assert answer.status == 200 and not answer.json["duplicate"], answer
        path = "/users/" + user.replace("/", "%2F").replace(" ", "%20")
        deleted = client.delete(path)
        assert (deleted.status, deleted.json["deleted"]["events"]) == (200, 2), deleted
        self.forgotten.add(user)
        assert client.get(path).status == 404

    def take_back(self, client, rng, event):
        """Feedbacks of a user of several clients, in a context of their own that is reset."""
        user = f"user {rng.randrange(N_USERS)}"
        for part in range(2):
            body = feedback_body(rng, user, id=f"reset {event} {part}", context="in " + event)
            answer = client.post("/feedback", body)
            assert answer.status == 200 and not answer.json["duplicate"], answer
        answer = client.post(f"/users/{user.replace(' ', '%20')}/reset",
                             {"context": "in " + event})
        assert answer.status == 200, answer
        assert answer.json["deleted"] == {"states": 1, "events": 2}, answer
        self.reset.update(f"reset {event} {part}" for part in range(2))

    def load(self, turn):
        rngs = [random.Random(f"{turn} {number}") for number in range(len(ROLES))]
        counts = [0] * len(ROLES)

        def work(client, number):
            event = f"event {turn}/{number}/{counts[number]}"
            counts[number] += 1
            if ROLES[number] == "feedback":
                self.feed(client, rngs[number], event, number)
            elif ROLES[number] == "forget":
                self.forget(client, rngs[number], event)
            elif ROLES[number] == "reset":
                self.take_back(client, rngs[number], event)
            else:
                answer = client.post("/score", score_body(rngs[number], "user 1"))
                assert answer.status == 200, answer
                self.n_scores += 1
        return Load(self.daemon, len(ROLES), work)

    def check(self):
        """Every acknowledged event is there, no event twice, and the counts agree."""
        self.assertEqual(database.integrity(self.daemon.state), [("ok",)])
        rows = database.event_ids(self.daemon.state)
        self.assertEqual(len(rows), len(set(rows)))
        users = {user for user, _ in rows}
        self.assertEqual(users & self.forgotten, set(), "deleted, and there again")
        rows = [(user, event) for user, event in rows if not user.startswith("gone/")]
        self.assertEqual(self.reset & {event for _, event in rows}, set(), "reset, and there")
        per_user = collections.Counter(user for user, _ in rows)
        stored = {event for _, event in rows if not event.startswith("reset ")}
        self.assertEqual(self.acknowledged - stored, set(), "acknowledged and lost")
        self.assertEqual(stored - set(self.bodies), set(), "never sent")
        for user in (f"user {number}" for number in range(N_USERS)):
            if user not in per_user:
                continue
            events = per_user[user]
            shown = self.daemon.client.get("/users/" + user.replace(" ", "%20")).json
            overall = next(s for s in shown["states"] if s["context"] is None)
            self.assertEqual((shown["events"], overall["updates"]), (events, events), user)
        return stored

    def check_weights(self):
        """Each state is one step for each of its events, no more and no less, to the bit."""
        self.daemon.stop()
        states = database.stored_states(self.daemon.state)
        self.assertEqual(states, database.replay(self.daemon.state))
        self.assertEqual(len(states), len(set(states)))
        return len(states)

    def n_folds(self):
        return read_metrics(self.daemon.client)["micro_store_folds_total"]

    def test_kills(self):
        resent = applied_before = n_folds = n_replayed = 0
        for turn in range(N_KILLS):
            load = self.load(turn)
            if turn % FOLD_EVERY == 0:
                wait_until(lambda: self.n_folds() > 0, "states to be folded")
            time.sleep(self.rng.uniform(0.02, 0.25))
            n_folds += self.n_folds()
            self.daemon.kill()
            load.stop()
            self.daemon.start()
            n_replayed += read_metrics(self.daemon.client)["micro_store_replayed_events"]
            stored = self.check()
            for event in sorted(set(self.bodies) - self.acknowledged):
                resent += 1
                duplicate = self.send(self.daemon.client, self.bodies[event])
                self.assertEqual(duplicate, event in stored, event)
                applied_before += duplicate
        self.assertEqual(self.check(), set(self.bodies))
        n_states = self.check_weights()
        print(f"{N_KILLS} kills, {len(self.acknowledged)} feedbacks acknowledged, 0 lost, 0 twice;"
              f" {resent} were cut off, {applied_before} of them already durable;"
              f" {len(self.forgotten)} users deleted, {len(self.reset)} feedbacks taken back,"
              f" 0 came back; {self.n_scores} scores;"
              f" {n_folds:.0f} folds, {n_replayed:.0f} events replayed;"
              f" {n_states} states equal to the replay of the events")
        self.assertGreater(len(self.acknowledged), 10 * N_KILLS)
        self.assertGreater(n_replayed, 0)
        self.assertGreater(n_folds, 0)


if __name__ == "__main__":
    main()
