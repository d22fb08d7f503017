#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""--retention-days: whoever has given no feedback for so long is deleted, whole, also from the
files; everybody else stays as they were, to the bit; a restart in the middle ends what was begun."""
import contextlib
import random
import sqlite3
import time

import database
import models
from harness import SANITIZED, Scenario, main, wait_until
from load import feedback_body
from prometheus import read_metrics

DAY_US = 86400 * 10**6


class Retention(Scenario):
    def setUp(self):
        super().setUp()
        models.write_vector_model(self.folder / "m")
        self.daemon = self.start(self.folder / "m", "--keep-inputs")
        self.rng = random.Random(4)
        self.n_sent = 0

    @property
    def client(self):
        return self.daemon.client

    def give(self, user, n=1, **more):
        for _ in range(n):
            self.n_sent += 1
            answer = self.client.post("/feedback", feedback_body(
                self.rng, user, id=f"event {self.n_sent} of {user}", **more))
            self.assertEqual(answer.status, 200, answer)
        return answer.json

    def shift(self, days, users=None):
        """Make what is stored of users, or of all, so much older; nobody has it open."""
        where = "" if users is None else f" WHERE user IN ({','.join('?' * len(users))})"
        with contextlib.closing(sqlite3.connect(self.daemon.state)) as connection:
            for table, column in (("events", "time_us"), ("states", "updated_us")):
                connection.execute(f"UPDATE {table} SET {column} = {column} - ?{where}",
                                   (int(days * DAY_US), *(users or ())))
            connection.commit()

    def restart(self, days):
        self.daemon.options[1:] = ["--retention-days", str(days)]
        self.daemon.start()

    def passes(self):
        return read_metrics(self.client)["micro_retention_passes_total"]

    def wait_for_pass(self):
        wait_until(self.passes, "a pass over all users")

    def users(self):
        return [entry["user"] for entry in self.client.get("/users?limit=1000").json["users"]]

    def files_containing(self, text):
        return [path.name for path in self.folder.iterdir()
                if path.name.startswith("micro.db") and text.encode() in path.read_bytes()]


class Old(Retention):
    def test_off_by_default(self):
        self.give("ada")
        self.daemon.stop()
        self.shift(30000)
        self.daemon.start()
        metrics = read_metrics(self.client)
        self.assertEqual((metrics["micro_retention_seconds"],
                          metrics["micro_retention_passes_total"]), (0, 0))
        self.assertEqual(self.users(), ["ada"])

    def test_old_users_are_deleted_and_nobody_else(self):
        old = [f"old-user-{i}-" for i in range(90)]  # more than a step takes
        young = [f"young {i}" for i in range(40)]
        for user in old + young:
            self.give(user, 2, context="work")
        self.daemon.stop()
        self.shift(31, old)
        self.shift(29, young)
        self.daemon.start()
        self.give(old[0])  # who has come back
        shown = [self.client.get(f"/users/{user.replace(' ', '%20')}").body for user in young]
        self.daemon.stop()
        self.restart(30)
        self.wait_for_pass()
        self.assertEqual(self.users(), sorted(young + old[:1]))
        self.assertEqual([self.client.get(f"/users/{user.replace(' ', '%20')}").body
                          for user in young], shown)
        self.assertEqual(self.client.get(f"/users/{old[0]}").json["events"], 3)
        metrics = read_metrics(self.client)
        self.assertEqual((metrics["micro_retention_seconds"],
                          metrics["micro_retention_deleted_users_total"],
                          metrics["micro_retention_deleted_events_total"],
                          metrics["micro_retention_failures_total"]), (30 * 86400, 89, 178, 0))
        log = self.daemon.log()
        self.assertRegex(log, r"event=retention days=30 users=89 events=178 ")
        self.assertNotIn("old-user", log)
        # nothing is left in the files, also while it runs
        self.assertEqual([user for user in old[1:] if self.files_containing(user)], [])
        self.assertTrue(self.files_containing("young 1"))
        self.daemon.stop()
        self.assertEqual(database.stored_states(self.daemon.state),
                         database.replay(self.daemon.state))
        self.assertEqual(database.integrity(self.daemon.state), [("ok",)])

    def test_age_is_that_of_the_last_feedback_in_any_context(self):
        self.give("ada", context="work")
        self.daemon.stop()
        self.shift(31)
        self.daemon.start()
        self.give("ada", context="home")
        self.daemon.stop()
        self.restart(30)
        self.wait_for_pass()
        shown = self.client.get("/users/ada").json
        self.assertEqual([state["context"] for state in shown["states"]], [None, "home", "work"])

    def test_what_is_not_in_the_tables_yet(self):
        """Of a crash, everything is replayed: the pass begins with folding it."""
        for i in range(30):
            self.give(f"old {i}", context="work")
        self.daemon.kill()
        self.shift(31)
        self.daemon.start()  # on the shifted events
        self.give("young")
        self.daemon.kill()
        self.restart(30)
        self.wait_for_pass()
        self.assertEqual(self.users(), ["young"])
        self.assertEqual(self.files_containing("old 1"), [])

    def test_who_is_deleted_begins_anew(self):
        body = feedback_body(self.rng, "ada", id="e", context="work")
        first = self.client.post("/feedback", body)
        self.daemon.stop()
        self.shift(31)
        self.restart(30)
        self.wait_for_pass()
        self.assertEqual(self.client.get("/users/ada").status, 404)
        self.assertEqual(self.client.post("/feedback", body).body, first.body)


class OfManyEvents(Retention):
    N_EVENTS = 6000
    N_KILLS = 3 if SANITIZED else 10

    def make_many(self, user):
        """By an import; in the tables when this returns, and old."""
        lines = {"Content-Type": "application/x-ndjson"}
        self.give(user, context="work")
        body = self.client.get(f"/users/{user}/export").body.decode()
        head, overall, work, event, _ = body.splitlines()
        self.client.delete(f"/users/{user}")
        states = [state.replace('"updates":1', f'"updates":{self.N_EVENTS}')
                  for state in (overall, work)]
        events = [event.replace('"id":"event ', f'"id":"{i} ') for i in range(self.N_EVENTS)]
        end = f'{{"type":"end","states":2,"events":{self.N_EVENTS}}}'
        answer = self.client.post(f"/users/{user}/import",
                                  "\n".join([head, *states, *events, end]), headers=lines)
        self.assertEqual(answer.status, 200, answer)
        self.daemon.stop()
        self.shift(31, [user])

    def count(self, user):
        with database.opened(self.daemon.state) as connection:
            return connection.execute("SELECT (SELECT count(*) FROM events WHERE user = ?1),"
                                      " (SELECT count(*) FROM states WHERE user = ?1)",
                                      (user,)).fetchone()

    def test_kill_while_many_events_are_deleted(self):
        """After it the user is there as before, or not at all."""
        self.give("bob", 3)
        n_there = n_gone = 0
        for turn in range(self.N_KILLS):
            self.make_many("many")
            self.restart(30)
            time.sleep(self.rng.uniform(0, 0.25))
            self.daemon.kill()
            self.restart(0)
            there = self.client.get("/users/many").status == 200
            self.assertEqual(self.count("many"), (self.N_EVENTS, 2) if there else (0, 0), turn)
            n_there, n_gone = n_there + there, n_gone + (not there)
            self.client.delete("/users/many")
        print(f"{self.N_KILLS} kills: {n_there} times there, {n_gone} times gone")
        self.daemon.stop()
        self.assertEqual(database.stored_states(self.daemon.state),
                         database.replay(self.daemon.state))
        self.assertEqual(self.count("bob"), (3, 1))
        self.assertEqual(self.files_containing("many"), [])

    def test_who_comes_back_meanwhile_begins_anew(self):
        self.make_many("many")
        self.restart(30)
        # the states go first: from then on the user is unknown
        wait_until(lambda: self.client.get("/users/many").status == 404, "the first step")
        self.assertEqual(self.give("many", context="work")["updates"], 1)
        self.wait_for_pass()
        self.assertEqual(self.count("many")[0], 1)
        self.assertEqual(self.client.get("/users/many").json["events"], 1)


if __name__ == "__main__":
    main()
