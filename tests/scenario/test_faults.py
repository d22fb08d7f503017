#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Faults around the database while microd runs: no space, damage, another microd, a clock that is
set back. Scores go on, what cannot be learnt is refused by name, and nothing acknowledged is lost."""
import contextlib
import os
import sqlite3
import subprocess
import time
import unittest
from pathlib import Path

import database
import models
from harness import SANITIZED, Scenario, main, run, wait_until
from load import Load, feedback_body, score_body, seeded
from prometheus import read_metrics

N_CLIENTS = 4
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")


@contextlib.contextmanager
def small_disk(folder, size):
    """A file system of its own; only root may mount one, and not in every container."""
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise unittest.SkipTest(f"a disk cannot be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


class Faults(Scenario):
    def setUp(self):
        super().setUp()
        self.model = self.folder / "m"
        models.write_vector_model(self.model)

    def feed(self, daemon, n, prefix, status=200):
        """n feedbacks with this outcome; their ids."""
        rng = seeded(self)
        ids = [f"{prefix} {number}" for number in range(n)]
        for event in ids:
            answer = daemon.client.post("/feedback",
                                        feedback_body(rng, f"user {event}", id=event))
            self.assertEqual(answer.status, status, answer)
        return ids


class FullDisk(Faults):
    """The whole life of a disk that fills up and is emptied again."""
    SIZE = "2m"

    def setUp(self):
        super().setUp()
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        disk = self.stack.enter_context(small_disk(self.folder / "disk", self.SIZE))
        self.ballast = disk / "ballast"
        self.daemon = self.start(self.model, state=disk / "micro.db")
        self.stack.callback(self.daemon.kill)
        self.daemon.expect_error("state_full")
        self.acknowledged = []
        self.n_loads = 0

    def fill(self):
        with open(self.ballast, "wb", buffering=0) as file:
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(4096))

    def feed_until_refused(self):
        self.n_loads += 1
        rngs = [seeded(self, f"{self.n_loads} {number}") for number in range(N_CLIENTS)]
        refusals = []

        def work(client, number):
            event = f"event {number}/{rngs[number].random()}"
            answer = client.post("/feedback",
                                 feedback_body(rngs[number], f"user {number}", id=event))
            if answer.status == 200:
                self.acknowledged.append((f"user {number}", event))
            else:
                refusals.append(answer)
        load = Load(self.daemon, N_CLIENTS, work)
        wait_until(lambda: len(refusals) > 20, "refusals")
        load.stop()
        for answer in refusals:
            self.assert_error(answer, 507, "state_full", "want free space on its disk")

    def learn_first(self):
        """Before the disk is full."""
        body = feedback_body(seeded(self, 9), "ada", id="first")
        self.assertEqual(self.daemon.client.post("/feedback", body).status, 200)
        self.acknowledged.append(("ada", "first"))
        return body

    def check_stored(self):
        rows = database.event_ids(self.daemon.state)
        self.assertEqual(sorted(rows), sorted(self.acknowledged))
        self.assertEqual(database.integrity(self.daemon.state), [("ok",)])

    def test_feedback_is_refused_while_scores_go_on_until_there_is_space(self):
        client = self.daemon.client
        known = self.learn_first()
        for turn in range(3):
            self.fill()
            self.feed_until_refused()
            # a try of writing is shorter than a feedback: it may take the last place in the log
            ready = wait_until(lambda: (answer := client.get("/readyz")).status == 503 and answer,
                               "/readyz to say no")
            self.assertIn("want free space on its disk", ready.json["reasons"][0])
            metrics = read_metrics(client)
            self.assertEqual(metrics["micro_ready"], 0)
            self.assertGreater(metrics["micro_store_commit_failures_total"], turn)
            self.assertGreater(metrics['micro_http_refusals_total{code="state_full"}'], 20)
            # scores go on: of who is known, with the weights learnt, and of who is not
            for user, updates in (("ada", 1), (f"new {turn}", 0)):
                score = client.post("/score", score_body(seeded(self), user))
                self.assertEqual((score.status, score.json["updates"]), (200, updates))
            self.assertEqual(client.get("/users/ada").json["events"], 1)
            self.assertEqual(client.get("/livez").status, 200)
            # what was acknowledged before is known: a repeat needs no space to be answered
            # once there is some again, without a restart and without a feedback
            self.ballast.unlink()
            wait_until(lambda: client.get("/readyz").status == 200, "/readyz")
            answer = client.post("/feedback", known)
            self.assertEqual((answer.status, answer.json["duplicate"]), (200, True))
            self.check_stored()
        self.daemon.stop()
        self.assertEqual(database.stored_states(self.daemon.state),
                         database.replay(self.daemon.state))

    def test_kill_and_start_on_a_full_disk(self):
        self.learn_first()
        self.fill()
        self.feed_until_refused()
        self.daemon.kill()
        self.daemon.start(ready=False)
        client = self.daemon.client
        for user in sorted({user for user, _ in self.acknowledged}):
            score = client.post("/score", score_body(seeded(self), user))
            self.assertEqual(score.json["updates"],
                             sum(name == user for name, _ in self.acknowledged))
        self.ballast.unlink()
        wait_until(lambda: client.post("/feedback", feedback_body(seeded(self), "bob", id="b"))
                   .status == 200, "space")
        self.acknowledged.append(("bob", "b"))
        self.check_stored()


class FullDiskBesideALongLog(FullDisk):
    """As large as makes the log longer than what is in it: feedbacks find room there."""
    SIZE = "80m"

    def check_stored(self):
        super().check_stored()
        self.assertGreater(len(self.acknowledged), 100)


class Damage(Faults):
    def damage(self, path):
        """Every page but the first."""
        size = path.stat().st_size
        with open(path, "r+b") as file:
            for at in range(4096, size, 4096):
                file.seek(at)
                file.write(b"\xa5" * 64)

    def test_damage_while_it_runs_is_named_and_no_score_is_made_up(self):
        # the check at start would leave the pages in memory
        daemon = self.start(self.model, "--no-state-check")
        # long names, so that a user's rows share their page with few others
        users = [f"user-{number:0200}" for number in range(300)]
        for user in users:
            daemon.client.post("/feedback", feedback_body(seeded(self), user))
        daemon.stop()
        daemon.start()
        client = daemon.client
        known = client.post("/score", score_body(seeded(self), users[0]))
        self.assertEqual(known.json["updates"], 1)
        self.damage(daemon.state)
        daemon.expect_error("state_corrupt")
        # what is in memory is as it was
        again = client.post("/score", score_body(seeded(self), users[0]))
        self.assertEqual(again.body, known.body)
        # nobody else's state is taken for none
        for path, body in (("/score", score_body(seeded(self), users[150])),
                           ("/feedback", feedback_body(seeded(self), users[200], id="new"))):
            self.assert_error(client.post(path, body), 500, "state_corrupt",
                              "want it restored from a backup")
        self.assert_error(client.get(f"/users/{users[250]}"), 500, "state_corrupt")
        nobody = {key: value for key, value in score_body(seeded(self), "x").items()
                  if key != "user"}
        self.assertEqual(client.post("/score", nobody).status, 200)
        self.assertEqual(client.get("/livez").status, 200)
        ready = client.get("/readyz")
        self.assertEqual(ready.status, 503)
        self.assertIn("malformed", ready.json["reasons"][0])
        self.assertEqual(read_metrics(client)["micro_ready"], 0)
        daemon.stop()
        status, _, errors = run("microd", "--model", self.model, "--state", daemon.state,
                                "--port", "0")
        self.assertEqual(status, 1)
        self.assertIn("want it restored from a backup", errors)
        status, report, _ = run("microd", "check", "--model", self.model, "--state", daemon.state)
        self.assertEqual(status, 1)
        self.assertRegex(report, r"state +WRONG: ")


class Owner(Faults):
    def test_a_second_microd_on_the_same_state_is_refused(self):
        daemon = self.start(self.model)
        self.feed(daemon, 3, "event")
        status, _, errors = run("microd", "--model", self.model, "--state", daemon.state,
                                "--port", "0")
        self.assertEqual(status, 1)
        self.assertIn("another microd has it open", errors)
        self.feed(daemon, 3, "later")
        # those who only read are let in
        status, report, _ = run("microd", "check", "--model", self.model, "--state", daemon.state)
        self.assertEqual(status, 0, report)
        self.assertIn("6 feedbacks", report)
        # and when it is gone, however it went, the next one is
        daemon.kill()
        daemon.start()
        self.assertEqual(len(database.event_ids(daemon.state)), 6)

    def test_state_of_a_newer_microd_is_left_alone(self):
        daemon = self.start(self.model)
        self.feed(daemon, 3, "event")
        daemon.stop()
        with contextlib.closing(sqlite3.connect(daemon.state)) as connection:
            connection.execute("PRAGMA user_version = 77")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        before = daemon.state.read_bytes()
        for command in ([], ["check"]):
            status, text, errors = run("microd", *command, "--model", self.model, "--state",
                                       daemon.state, *([] if command else ["--port", "0"]))
            self.assertEqual(status, 1)
            self.assertIn("schema version 77", text + errors)
        self.assertEqual(daemon.state.read_bytes(), before)


class Clock(Faults):
    """Times come from a clock that others set; nothing but the times may depend on them."""

    def setUp(self):
        super().setUp()
        if SANITIZED:
            self.skipTest("libfaketime cannot be loaded before a sanitizer's runtime")
        if not FAKETIME.exists():
            self.skipTest(f"{FAKETIME} is not there: Debian's faketime")
        self.clock = self.folder / "clock"
        self.set_clock("@2031-05-05 12:00:00")

    def set_clock(self, text):
        part = self.folder / "clock.part"
        part.write_text(text + "\n")
        os.replace(part, self.clock)

    def sweep(self, daemon):
        """What libfaketime leaves of a process that has ended."""
        for left in Path("/dev/shm").glob(f"*faketime*_{daemon.process.pid}"):
            left.unlink()

    def learn(self, daemon, event):
        answer = daemon.client.post("/feedback", feedback_body(self.rng, "ada", id=event,
                                                               context="work"))
        self.assertEqual(answer.status, 200, answer)
        return answer.json

    def updated(self, daemon):
        return daemon.client.get("/users/ada").json["states"][0]["updated_at"]

    def test_clock_is_set_back(self):
        self.rng = seeded(self)
        daemon = self.start(self.model, env={
            "LD_PRELOAD": str(FAKETIME), "FAKETIME_TIMESTAMP_FILE": str(self.clock),
            "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "TZ": "UTC"})
        first = self.learn(daemon, "one")
        self.assertTrue(self.updated(daemon).startswith("2031-05-05T12:"), self.updated(daemon))
        self.set_clock("@2029-01-01 00:00:00")
        wait_until(lambda: self.learn(daemon, f"two {time.monotonic()}") and
                   self.updated(daemon).startswith("2029-01-01"), "the clock of the past")
        before = daemon.client.get("/users/ada").json
        again = daemon.client.post("/feedback", feedback_body(seeded(self), "ada", id="one",
                                                              context="work")).json
        self.assertEqual(again, first | {"duplicate": True})
        # a crash: the order of the events is theirs, not that of their times
        daemon.kill()
        self.sweep(daemon)
        daemon.start()
        self.assertEqual(daemon.client.get("/users/ada").json, before)
        self.assertEqual(self.learn(daemon, "three")["updates"],
                         before["states"][0]["updates"] + 1)
        self.set_clock("@2035-01-01 00:00:00")
        self.learn(daemon, "four")
        daemon.stop()
        self.sweep(daemon)
        self.assertEqual(database.stored_states(daemon.state), database.replay(daemon.state))


if __name__ == "__main__":
    main()
