#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What operators do: check, backup and restore, watch."""
import contextlib
import resource
import shutil
import signal
import sqlite3
import subprocess
import unittest

import models
from harness import PATIENCE, Scenario, clean_environment, main, program, run, wait_until
from load import Load, feedback_body, seeded
from prometheus import read_metrics

N_CLIENTS = 4


class Operations(Scenario):
    def setUp(self):
        super().setUp()
        self.model = self.folder / "m"
        models.write_vector_model(self.model)


class Check(Operations):
    def check(self, *options, state="s.db", expected=0):
        """The report of microd check, by part."""
        status, text, errors = run("microd", "check", "--model", self.model, "--state",
                                   self.folder / state, *options)
        self.assertEqual((status, errors), (expected, ""), text)
        return {line.split(" ", 1)[0]: line.split(" ", 1)[1].strip() for line in text.splitlines()}

    def test_says_what_it_would_do_and_changes_nothing(self):
        before = sorted(self.folder.iterdir())
        report = self.check("--port", "9")
        self.assertEqual(sorted(self.folder.iterdir()), before)
        self.assertRegex(report["model"], f"{self.model}: 3 heads, linear router, encoder none:4, "
                         "id [0-9a-f]{64}$")
        self.assertTrue(report["state"].endswith("s.db: not there, it would be made"))
        self.assertTrue(report["keys"].startswith("none: everyone"))
        self.assertEqual(report["listen"], "http://127.0.0.1:9")
        self.assertEqual(self.check("--listen", "::1")["listen"], "http://[::1]:8080")

    def test_beside_a_running_daemon(self):
        daemon = self.start(self.model, state=self.folder / "s.db")
        for number in range(5):
            daemon.client.post("/feedback", feedback_body(seeded(self), f"user {number % 2}"))
        self.assertTrue(self.check()["state"].endswith("undamaged, 2 users, 5 feedbacks"))
        self.assertEqual(daemon.client.get("/readyz").status, 200)
        daemon.kill()
        self.assertTrue(self.check()["state"].endswith("undamaged, 2 users, 5 feedbacks"))
        daemon.start()
        self.assertEqual(daemon.client.get("/users/user%200").json["events"], 3)

    def test_every_wrong_part_is_named_and_the_others_are_looked_at(self):
        (self.folder / "bad").write_bytes(b"x" * 5000)
        (self.folder / "keys").write_text("nonsense\n")
        with contextlib.closing(sqlite3.connect(self.folder / "other.db")) as other:
            other.execute("CREATE TABLE t (x)")
            other.commit()
        report = self.check("--api-keys", self.folder / "keys", "--tls-cert", self.folder / "none",
                            "--tls-key", self.folder / "none", "--listen", "localhost",
                            state="bad", expected=1)
        for part, fragment in (("state", "not a database"), ("keys", "line 1"),
                               ("tls", "No such file"), ("listen", "want an IPv4 or IPv6")):
            self.assertTrue(report[part].startswith("WRONG: "), report)
            self.assertIn(fragment, report[part])
        self.assertNotIn("WRONG", report["model"])
        for state, fragment in (("other.db", "another application"), ("none/s.db", "none"),
                                (".", "")):
            report = self.check(state=state, expected=1)
            self.assertTrue(report["state"].startswith("WRONG: "), report)
            self.assertIn(fragment, report["state"])
        self.model.write_bytes(b"no model")
        self.assertTrue(self.check(expected=1)["model"].startswith("WRONG: "))

    def test_damaged_pages_are_found(self):
        daemon = self.start(self.model, state=self.folder / "s.db")
        for number in range(200):
            daemon.client.post("/feedback", feedback_body(seeded(self), f"user {number}"))
        daemon.stop()
        content = bytearray((self.folder / "s.db").read_bytes())
        content[len(content) // 2:len(content) // 2 + 4096] = b"\xff" * 4096
        (self.folder / "s.db").write_bytes(content)
        self.assertIn("WRONG", self.check(expected=1)["state"])

    def test_wrong_options_are_wrong_here_too(self):
        status, _, errors = run("microd", "check", "--model", self.model, "--listen", "0.0.0.0")
        self.assertEqual(status, 2)
        self.assertIn("--api-keys", errors)


class Commands(Operations):
    def test_help_of_each_command(self):
        status, text, _ = run("microd", "--help")
        self.assertEqual(status, 0)
        for name in ("check", "backup", "key"):
            self.assertRegex(text, rf"(?m)^  {name} ")
            status, own, errors = run("microd", name, "--help")
            self.assertEqual((status, errors), (0, ""))
            self.assertIn(f"usage: microd {name}", own)
            for line in own.splitlines():
                self.assertLessEqual(len(line), 80, line)

    def test_unknown_command_names_the_nearest(self):
        status, _, errors = run("microd", "bakup", "x")
        self.assertEqual(status, 2)
        self.assertIn("the nearest one is backup", errors)

    def test_full_standard_output_is_a_failure(self):
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run([program("microd"), "key", "new", "--name", "a", "--scopes",
                                   "none"], stdout=full, stderr=subprocess.PIPE, timeout=60,
                                  env=clean_environment(), check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"standard output", done.stderr)


class Backup(Operations):
    def setUp(self):
        super().setUp()
        self.daemon = self.start(self.model)
        self.copy = self.folder / "copy.db"

    def backup(self, to=None, expected=0):
        status, text, errors = run("microd", "backup", to or self.copy, "--state",
                                   self.daemon.state)
        self.assertEqual(status, expected, errors)
        return text or errors

    def restore(self, copy):
        """As deploy/README.md has it."""
        self.daemon.stop()
        aside = self.folder / "aside"
        aside.mkdir()
        for suffix in ("", "-wal", "-shm"):
            part = self.daemon.state.with_name(self.daemon.state.name + suffix)
            if part.exists():
                part.rename(aside / part.name)
        shutil.copy(copy, self.daemon.state)
        self.daemon.start()

    def feed(self):
        """Load with event ids; acknowledged: [client] -> ids in order."""
        rngs = [seeded(self, number) for number in range(N_CLIENTS)]
        acknowledged = [[] for _ in range(N_CLIENTS)]

        def work(client, number):
            identity = f"event-{number}-{len(acknowledged[number])}"
            answer = client.post("/feedback", feedback_body(
                rngs[number], f"user-{number}", id=identity, context=f"c{number % 2}"))
            assert answer.status == 200 and not answer.json["duplicate"], answer
            acknowledged[number].append(identity)
        return Load(self.daemon, N_CLIENTS, work), acknowledged

    def rows(self, path, sql):
        with contextlib.closing(sqlite3.connect(path)) as database:
            return database.execute(sql).fetchall()

    def test_under_load_then_restored_has_every_acknowledged_feedback_once(self):
        load, acknowledged = self.feed()
        wait_until(lambda: load.count() > 200, "load")
        before = [list(ids) for ids in acknowledged]
        text = self.backup()
        during = load.count()
        wait_until(lambda: load.count() > during + 200, "load goes on")
        load.stop()
        self.assertEqual(load.lost, 0)
        self.assertEqual(self.rows(self.copy, "PRAGMA integrity_check"), [("ok",)])
        self.assertIn(f"{N_CLIENTS} users", text)
        self.restore(self.copy)
        for number, ids in enumerate(before):
            user = self.daemon.client.get(f"/users/user-{number}").json
            stored = [row[0] for row in self.rows(
                self.daemon.state, f"SELECT id FROM events WHERE user = 'user-{number}' ORDER BY seq")]
            # all that were acknowledged before, none twice, and nothing that was not sent
            self.assertEqual(stored[:len(ids)], ids)
            self.assertEqual(stored, acknowledged[number][:len(stored)])
            self.assertEqual(user["events"], len(stored))
            for state in user["states"]:
                self.assertEqual(state["updates"], len(stored))
            # what came after the copy is learnt when it is sent again, what is in it is not
            body = feedback_body(seeded(self), f"user-{number}")
            later = self.daemon.client.post("/feedback", body | {"id": acknowledged[number][-1]})
            self.assertEqual(later.json["duplicate"], len(stored) == len(acknowledged[number]))

    def test_restored_weights_are_the_same_to_the_bit(self):
        rng = seeded(self)
        for _ in range(20):
            self.daemon.client.post("/feedback", feedback_body(rng, "ada", context="c"))
        before = self.daemon.client.get("/users/ada").body
        self.backup()
        self.daemon.client.post("/feedback", feedback_body(rng, "ada"))
        self.restore(self.copy)
        self.assertEqual(self.daemon.client.get("/users/ada").body, before)

    def test_nothing_deleted_is_in_a_copy_or_comes_back(self):
        rng = seeded(self)
        users = [f"deletedname-{number:04d}-" + "x" * 100 for number in range(300)]
        for number, user in enumerate(users):
            self.daemon.client.post("/feedback", feedback_body(rng, user))
            self.daemon.client.post("/feedback", feedback_body(rng, f"kept-{number:04d}"))
        for user in users:
            self.daemon.client.delete(f"/users/{user}")
        self.backup()
        content = self.copy.read_bytes()
        self.assertNotIn(b"deletedname", content)
        self.assertEqual(content.count(b"kept-0123") > 0, True)
        # and what is deleted after a restore is gone from that file too
        self.restore(self.copy)
        for number in range(0, 300, 2):
            self.daemon.client.delete(f"/users/kept-{number:04d}")
        self.daemon.stop()
        content = self.daemon.state.read_bytes()
        for number in range(0, 300, 2):
            self.assertNotIn(b"kept-%04d" % number, content)

    def test_copy_is_for_its_owner_and_nothing_is_left_beside_it(self):
        self.backup()
        self.assertEqual(self.copy.stat().st_mode & 0o777, 0o600)
        self.assertEqual([path.name for path in self.folder.glob("copy.db*")], ["copy.db"])

    def test_names_that_are_taken_are_refused(self):
        self.daemon.client.post("/feedback", feedback_body(seeded(self), "ada"))
        self.copy.write_text("precious")
        self.assertIn("there already", self.backup(expected=1))
        self.assertEqual(self.copy.read_text(), "precious")
        self.assertIn("there already", self.backup(self.daemon.state, expected=1))
        self.assertIn("No such file", self.backup(self.folder / "none" / "copy.db", expected=1))
        self.assertEqual(self.daemon.client.get("/users/ada").json["events"], 1)

    def test_no_space_leaves_no_copy(self):
        rng = seeded(self)
        for number in range(100):
            self.daemon.client.post("/feedback", feedback_body(rng, f"user {number}"))
        limit = 16384

        def limit_files():
            # Python ignores SIGXFSZ, and so does its child: a write past the limit is EFBIG
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        done = subprocess.run([program("microd"), "backup", self.copy, "--state",
                               self.daemon.state], capture_output=True, text=True, timeout=60,
                              env=clean_environment(), preexec_fn=limit_files, check=False,
                              restore_signals=False)
        self.assertEqual(done.returncode, 1, done)
        self.assertIn("backup", done.stderr)
        self.assertEqual(list(self.folder.glob("copy.db*")), [])

    def test_of_a_stopped_daemon_and_of_a_killed_one(self):
        rng = seeded(self)
        for number in range(10):
            self.daemon.client.post("/feedback", feedback_body(rng, f"user {number}"))
        self.daemon.kill()
        self.assertIn("10 users, 10 feedbacks", self.backup())
        self.daemon.start()
        self.daemon.stop()
        self.assertIn("10 users, 10 feedbacks", self.backup(self.folder / "second.db"))

    def test_what_is_no_state_is_not_copied(self):
        for state in (self.model, self.folder / "none"):
            status, _, errors = run("microd", "backup", self.copy, "--state", state)
            self.assertEqual(status, 1, errors)
            self.assertFalse(self.copy.exists())
        for arguments in ((), ("a", "b")):
            status, _, errors = run("microd", "backup", *arguments)
            self.assertEqual(status, 2)
            self.assertIn("want one FILE", errors)


class Watch(Operations):
    @unittest.skipUnless(shutil.which("promtool"), "promtool is not installed")
    def test_metrics_are_as_promtool_wants_them(self):
        daemon = self.start(self.model)
        for path, body in (("/score", {"responses": [models.embedding([1])]}), ("/score", "{"),
                           ("/feedback", feedback_body(seeded(self), "ada"))):
            daemon.client.post(path, body)
        daemon.signal(signal.SIGHUP)
        wait_until(lambda: "event=model_reloaded" in daemon.log(), "the reload")
        done = subprocess.run(["promtool", "check", "metrics"], timeout=PATIENCE, check=False,
                              input=daemon.client.get("/metrics").body, capture_output=True)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""))

    def test_commits_and_their_sizes_are_counted(self):
        daemon = self.start(self.model)
        rngs = [seeded(self, number) for number in range(N_CLIENTS)]

        def work(client, number):
            answer = client.post("/feedback", feedback_body(rngs[number], f"user {number}"))
            assert answer.status == 200, answer
        load = Load(daemon, N_CLIENTS, work)
        wait_until(lambda: load.count() > 200, "load")
        load.stop()
        metrics = read_metrics(daemon.client)
        self.assertEqual(metrics["micro_store_commit_operations_sum"], load.count())
        n_commits = metrics["micro_store_commit_operations_count"]
        self.assertLessEqual(n_commits, load.count())
        self.assertEqual(metrics["micro_store_commit_duration_seconds_count"], n_commits)
        self.assertGreater(metrics["micro_store_commit_duration_seconds_sum"], 0)
        self.assertEqual(metrics['micro_feedback_total{result="applied"}'], load.count())

    def test_readyz_and_metrics_tell_of_a_table_that_is_gone(self):
        for table in ("models", "states", "events"):
            with self.subTest(table):
                (self.folder / "microd.log").unlink(missing_ok=True)
                daemon = self.start(self.model, state=self.folder / f"{table}.db")
                daemon.expect_error("no such table")
                self.assertEqual(read_metrics(daemon.client)["micro_ready"], 1)
                with contextlib.closing(sqlite3.connect(daemon.state)) as other:
                    other.execute("PRAGMA foreign_keys = OFF")
                    other.execute(f"DROP TABLE {table}")
                    other.commit()
                answer = daemon.client.get("/readyz")
                self.assertEqual(answer.status, 503)
                self.assertIn(f"no such table: {table}", answer.json["reasons"][0])
                self.assertEqual(read_metrics(daemon.client)["micro_ready"], 0)
                daemon.stop()

    def test_refusals_are_counted_by_code(self):
        daemon = self.start(self.model)
        daemon.client.post("/score", "{")
        daemon.client.post("/score", {"responses": [models.embedding([1])]})
        daemon.client.get("/nothing")
        metrics = read_metrics(daemon.client)
        for code in ("malformed", "wrong_dimension", "not_found"):
            self.assertEqual(metrics[f'micro_http_refusals_total{{code="{code}"}}'], 1)


if __name__ == "__main__":
    main()
