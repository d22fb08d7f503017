#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""GET /users/{id}/export and POST /users/{id}/import: everything, of one moment, to the bit; all or
nothing, never twice; what does not fit is refused with its line and field."""
import http.client
import json
import random
import socket
import threading
import time
from pathlib import Path

import database
import models
from harness import SANITIZED, Scenario, main, wait_until
from load import feedback_body
from prometheus import read_metrics

LINES = {"Content-Type": "application/x-ndjson"}
CONTEXTS = ("", "work", "home", "a/b ü \"quoted\"")


class Files(Scenario):
    OPTIONS = ("--drift", "0.01", "--keep-inputs")

    def setUp(self):
        super().setUp()
        models.write_vector_model(self.folder / "m")
        self.daemon = self.start(self.folder / "m", *self.OPTIONS)
        self.rng = random.Random(3)
        self.n_sent = 0

    @property
    def client(self):
        return self.daemon.client

    def give(self, user, n, contexts=CONTEXTS, daemon=None):
        for _ in range(n):
            self.n_sent += 1
            body = feedback_body(self.rng, user, id=f"event {self.n_sent}",
                                 context=self.rng.choice(contexts),
                                 strength=self.rng.choice((1, 0.1, 2.5)))
            answer = (daemon or self.daemon).client.post("/feedback", body)
            self.assertEqual(answer.status, 200, answer)

    def export(self, user, daemon=None):
        answer = (daemon or self.daemon).client.get(f"/users/{user}/export")
        self.assertEqual((answer.status, answer.headers["Content-Type"]),
                         (200, "application/x-ndjson"), answer)
        return answer.body

    def take_in(self, user, body, daemon=None):
        return (daemon or self.daemon).client.post(f"/users/{user}/import", body, headers=LINES)

    def assert_imported(self, answer, events, duplicates=0):
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual((answer.json["imported"], answer.json["duplicates"]),
                         ({"events": events}, duplicates))

    def other_daemon(self, model="m", **more):
        folder = self.folder / "other"
        folder.mkdir(exist_ok=True)
        daemon = self.start(self.folder / model, *self.OPTIONS, state=folder / "micro.db", **more)
        return daemon


def lines_of(body):
    return [json.loads(line) for line in body.decode().splitlines()]


def body_of(lines):
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


def write_other_model(path):
    """The model of the tests with its heads in another order, so that it has another id."""
    tensors = dict(models.vector_tensors("linear"))
    tensors["heads.weight"] = tensors["heads.weight"][::-1]
    Path(path).write_bytes(models.safetensors(tensors, models.vector_metadata()))


def without_moment(body):
    return body.split(b"\n", 1)[1]


class RoundTrip(Files):
    def test_export_tells_all(self):
        self.give("ada", 12)
        self.give("bob", 3)
        shown = self.client.get("/users/ada").json
        lines = lines_of(self.export("ada"))
        head, *records, end = lines
        self.assertEqual((head["type"], head["format"], head["user"]),
                         ("user", "micro-user/1", "ada"))
        states = [line for line in records if line["type"] == "state"]
        events = [line for line in records if line["type"] == "event"]
        self.assertEqual(end, {"type": "end", "states": len(states), "events": 12})
        self.assertEqual([{key: state[key] for key in ("context", "model", "updates", "updated_at",
                                                       "log_weights")} for state in states],
                         [{key: state[key] for key in ("context", "model", "updates", "updated_at",
                                                       "log_weights")}
                          for state in shown["states"]])
        self.assertEqual([event["id"] for event in events],
                         [f"event {i}" for i in range(1, 13)])
        self.assertEqual(set(events[0]), {
            "type", "id", "context", "model", "at", "temperature", "strength", "drift", "digest",
            "losses", "weights", "updates", "input"})
        self.assertIn("chosen", json.loads(events[0]["input"]))
        self.assert_error(self.client.get("/users/nobody/export"), 404, "not_found")
        self.assertEqual(self.client.request("HEAD", "/users/ada/export").status, 200)

    def test_export_delete_import_gives_the_same_to_the_bit(self):
        self.give("ada", 20)
        self.daemon.stop()  # a part in the tables, a part recent
        self.daemon.start()
        self.give("ada", 20)
        before, shown = self.export("ada"), self.client.get("/users/ada").body
        self.client.delete("/users/ada")
        self.assert_imported(self.take_in("ada", before), 40)
        self.assertEqual(self.client.get("/users/ada").body, shown)
        self.assertEqual(without_moment(self.export("ada")), without_moment(before))
        # also after a crash, and after a stop
        self.daemon.kill()
        self.daemon.start()
        self.assertEqual(self.client.get("/users/ada").body, shown)
        self.daemon.stop()
        self.assertEqual(database.stored_states(self.daemon.state),
                         database.replay(self.daemon.state))
        self.daemon.start()
        self.assertEqual(without_moment(self.export("ada")), without_moment(before))
        self.give("ada", 1)
        self.assertEqual(self.client.get("/users/ada").json["events"], 41)

    def test_another_daemon_takes_it_and_goes_on_as_the_first_would(self):
        self.give("ada", 15)
        other = self.other_daemon()
        self.assert_imported(self.take_in("ada", self.export("ada"), other), 15)
        body = feedback_body(self.rng, "ada", id="next", context="work")
        answers = [daemon.client.post("/feedback", body).body for daemon in (self.daemon, other)]
        self.assertEqual(*answers)

    def test_import_twice_counts_once(self):
        self.give("ada", 6)
        exported, shown = self.export("ada"), self.client.get("/users/ada").body
        self.assert_imported(self.take_in("ada", exported), 0, 6)
        self.assertEqual(self.client.get("/users/ada").body, shown)
        self.client.delete("/users/ada")
        self.assert_imported(self.take_in("ada", exported), 6)
        self.assert_imported(self.take_in("ada", exported), 0, 6)
        self.assertEqual(self.client.get("/users/ada").body, shown)

    def test_a_known_user_learns_what_is_new(self):
        self.give("ada", 5)
        first = self.export("ada")
        self.give("ada", 4)
        whole = self.export("ada")
        shown = self.client.get("/users/ada").body
        other = self.other_daemon()
        self.assert_imported(self.take_in("ada", first, other), 5)
        self.assert_imported(self.take_in("ada", whole, other), 4, 5)
        self.assertEqual(other.client.get("/users/ada").body, shown)

    def test_an_id_that_stands_for_something_else_is_refused(self):
        self.give("ada", 3)
        lines = lines_of(self.export("ada"))
        self.client.delete("/users/ada")
        self.client.post("/feedback", feedback_body(self.rng, "ada", id="event 2"))
        shown = self.client.get("/users/ada").body
        number = next(i for i, line in enumerate(lines) if line.get("id") == "event 2") + 1
        self.assert_error(self.take_in("ada", body_of(lines)), 422, "event_id_reused",
                          f"line {number}: ", f"/{number}/id")
        self.assertEqual(self.client.get("/users/ada").body, shown)

    def test_an_event_of_an_import_answers_its_repetition(self):
        body = feedback_body(self.rng, "ada", id="e", context="work")
        first = self.client.post("/feedback", body).json
        exported = self.export("ada")
        self.client.delete("/users/ada")
        self.assert_imported(self.take_in("ada", exported), 1)
        self.assertEqual(self.client.post("/feedback", body).json, first | {"duplicate": True})

    def test_export_is_of_one_moment(self):
        self.give("ada", 30)
        stop = threading.Event()

        def learn():
            client, rng, n = self.daemon.new_client(), random.Random(8), 0
            while not stop.is_set() and n < 20000:
                body = feedback_body(rng, "ada", id=f"more {n}", context=rng.choice(CONTEXTS))
                assert client.post("/feedback", body).status == 200
                n += 1
        thread = threading.Thread(target=learn)
        thread.start()
        try:
            other = self.other_daemon()
            for _ in range(8):
                # the import would refuse states that are not those of the events
                exported = self.export("ada")
                n_events = lines_of(exported)[-1]["events"]
                self.assert_imported(self.take_in("ada", exported, other), n_events)
                self.assertEqual(without_moment(self.export("ada", other)),
                                 without_moment(exported))
                other.client.delete("/users/ada")
        finally:
            stop.set()
            thread.join()


class Refused(Files):
    def setUp(self):
        super().setUp()
        self.give("ada", 4, ("", "work"))
        self.lines = lines_of(self.export("ada"))
        self.client.delete("/users/ada")

    def number(self, kind):
        """Of the first line of a type, from 1."""
        return next(i for i, line in enumerate(self.lines) if line["type"] == kind) + 1

    def refuse(self, change, status, code, place, fragment=""):
        lines = json.loads(json.dumps(self.lines))
        lines = change(lines) or lines
        body = lines if isinstance(lines, bytes) else body_of(lines)
        self.assert_error(self.take_in("ada", body), status, code, fragment, place)
        self.assertEqual(self.client.get("/users/ada").status, 404)
        self.assertEqual(self.client.get("/users").json["users"], [])

    def test_each_field_of_each_line(self):
        state, event, end = map(self.number, ("state", "event", "end"))
        changes = [
            (1, "type", "state", "invalid_value"), (1, "format", "micro-user/2", "invalid_value"),
            (1, "user", "bob", "invalid_value"), (1, "user", 7, "invalid_type"),
            (1, "exported_at", "today", "invalid_value"),
            (state, "type", "user", "invalid_value"), (state, "context", "", "invalid_value"),
            (state, "context", 1, "invalid_type"), (state, "model", "", "invalid_value"),
            (state, "model", None, "missing_field"), (state, "updates", 0, "invalid_value"),
            (state, "updates", 1.5, "invalid_type"), (state, "updates", 99, "invalid_value"),
            (state, "updated_at", "2026-02-30T00:00:00.000000Z", "invalid_value"),
            (state, "updated_at", "2020-01-01T00:00:00.000000Z", "invalid_value"),
            (state, "log_weights", [], "wrong_dimension"),
            (state, "log_weights", [-1] * 2000, "wrong_dimension"),
            (state, "log_weights", "x", "invalid_type"), (state, "weights", [1], "unknown_field"),
            (event, "id", None, "missing_field"), (event, "id", "a\nb", "invalid_value"),
            (event, "id", "x" * 257, "invalid_value"), (event, "context", "nowhere", "invalid_value"),
            (event, "model", "f" * 64, "invalid_value"), (event, "at", 7, "invalid_type"),
            (event, "temperature", 0, "invalid_value"), (event, "temperature", "1", "invalid_type"),
            (event, "strength", -1, "invalid_value"), (event, "drift", 1, "invalid_value"),
            (event, "digest", "00", "invalid_value"), (event, "digest", "z" * 32, "invalid_value"),
            (event, "losses", [], "wrong_dimension"), (event, "weights", [1], "wrong_dimension"),
            (event, "updates", -1, "invalid_value"), (event, "input", {}, "invalid_type"),
            (end, "states", 7, "invalid_value"), (end, "events", 7, "invalid_value"),
            (end, "events", None, "missing_field"),
        ]
        for number, field, value, code in changes:
            with self.subTest(number=number, field=field, value=value):
                def change(lines, number=number, field=field, value=value):
                    lines[number - 1][field] = value
                self.refuse(change, 422, code, f"/{number}/{field}", f"line {number}: ")

    def test_elements_of_arrays(self):
        event = self.number("event")
        for field in ("losses", "weights"):
            for value, code in ((-0.5, "invalid_value"), ("1", "invalid_type"),
                                (None, "invalid_type")):
                with self.subTest(field=field, value=value):
                    def change(lines, field=field, value=value):
                        lines[event - 1][field][1] = value
                    self.refuse(change, 422, code, f"/{event}/{field}/1", f"line {event}: ")

    def test_weights_that_do_not_sum_to_1(self):
        state = self.number("state")

        def change(lines):
            lines[state - 1]["log_weights"] = [w + 0.01 for w in lines[state - 1]["log_weights"]]
        self.refuse(change, 422, "invalid_value", f"/{state}/log_weights", f"line {state}: ")

    def test_lines_that_are_not_there_or_twice(self):
        state, event, end = map(self.number, ("state", "event", "end"))
        last = len(self.lines)
        cases = [
            (lambda lines: lines[:-1], f"/{last}", "missing"),
            (lambda lines: lines[:3], "/4", "missing"),
            (lambda lines: b"", "/1", "missing"),
            (lambda lines: lines[1:], "/1/type", "want user"),
            (lambda lines: lines + lines[-1:], f"/{last + 1}", "after the one of type end"),
            (lambda lines: lines[:state] + lines[state - 1:-1] + [lines[-1] | {
                "states": lines[-1]["states"] + 1}], f"/{state + 1}/context", "second"),
            (lambda lines: lines[:-1] + lines[event - 1:event] + [lines[-1] | {
                "events": lines[-1]["events"] + 1}], None, None),
            (lambda lines: [line for line in lines[:-1] if line.get("context") is not None or
                            line["type"] != "state"] + [lines[-1] | {
                                "states": lines[-1]["states"] - 1}], None, "no overall state"),
        ]
        for i, (change, place, fragment) in enumerate(cases):
            with self.subTest(i):
                lines = change(self.lines)
                body = lines if isinstance(lines, bytes) else body_of(lines)
                answer = self.take_in("ada", body)
                self.assertEqual((answer.status, answer.error["code"]), (422, "invalid_value"))
                if place is not None:
                    self.assertEqual(answer.error["param"], place)
                self.assertIn(fragment or "", answer.error["message"])
                self.assertEqual(self.client.get("/users/ada").status, 404)
        self.assertEqual(end, last)

    def test_a_line_that_is_no_json_object(self):
        whole = body_of(self.lines)
        first, rest = whole.split(b"\n", 1)
        for body, status, code, place, message in (
                (first + b"\n{\n" + rest, 400, "malformed", None, "line 2, column"),
                (first + b"\n\n" + rest, 400, "malformed", "/2", "line 2: an empty line"),
                (first + b"\n[]\n" + rest, 422, "invalid_type", "/2", "line 2: want an object"),
                (whole[:-30], 400, "malformed", None, f"line {len(self.lines)}, column"),
                (whole.replace(b"event 1", b"event \xff", 1), 400, "malformed", None, "line "),
                (whole.replace(b"event 1", b"event \0", 1), 400, "malformed", None, "line "),
        ):
            with self.subTest(message):
                answer = self.take_in("ada", body)
                self.assertEqual((answer.status, answer.error["code"], answer.error["param"]),
                                 (status, code, place), answer)
                self.assertIn(message, answer.error["message"])
        self.assertEqual(self.client.get("/users/ada").status, 404)

    def test_another_model(self):
        write_other_model(self.folder / "other_model")
        other = self.other_daemon("other_model")
        answer = self.take_in("ada", body_of(self.lines), other)
        state = self.number("state")
        self.assert_error(answer, 422, "model_mismatch", other.client.get("/model").json["id"],
                          f"/{state}/model")
        self.assertEqual(other.client.get("/users").json["users"], [])
        # another number of heads for the model that is served
        n_heads = self.client.get("/model").json["n_heads"]
        lines = json.loads(json.dumps(self.lines))
        for line in lines:
            for field in ("log_weights", "losses", "weights"):
                if field in line:
                    line[field] = [0.0] * 1 if field == "log_weights" else [0.5]
        self.assert_error(self.take_in("ada", body_of(lines)), 422, "model_mismatch",
                          f"has {n_heads} here", f"/{state}/log_weights")

    def test_a_model_of_before_is_known(self):
        """Users who learnt under an older model may come back, and take further models along."""
        self.assert_imported(self.take_in("ada", body_of(self.lines)), 4)
        write_other_model(self.folder / "m")
        self.daemon.stop()
        self.daemon.start()
        self.client.delete("/users/ada")
        self.assert_imported(self.take_in("ada", body_of(self.lines)), 4)
        self.give("ada", 2)
        both, shown = self.export("ada"), self.client.get("/users/ada").body
        self.assertEqual(len({line["model"] for line in lines_of(both) if "model" in line}), 2)
        other = self.other_daemon()
        self.assert_imported(self.take_in("ada", both, other), 6)
        self.assertEqual(other.client.get("/users/ada").body, shown)

    def test_limits_and_types_of_the_body(self):
        small = self.other_daemon(env={"MICROD_MAX_BODY": "1024"})
        self.assert_error(self.take_in("ada", body_of(self.lines), small), 413, "too_large")
        answer = self.client.post("/users/ada/import", body_of(self.lines),
                                  headers={"Content-Type": "application/json"})
        self.assert_error(answer, 415, "unsupported_media_type", "application/x-ndjson")


class Many(Files):
    N_EVENTS = 3000 if SANITIZED else 30000
    N_UNREAD = 30000  # more than lies between the daemon and readers who do not read

    def make_lines(self, n_events=N_EVENTS):
        """A user of many events, made of one export."""
        self.give("ada", 1, ("work",))
        head, overall, work, event, end = lines_of(self.export("ada"))
        self.client.delete("/users/ada")
        events = [event | {"id": f"event {i}"} for i in range(n_events)]
        for state in (overall, work):
            state["updates"] = n_events
        return body_of([head, overall, work, *events, end | {"events": n_events}])

    def resident(self):
        return read_metrics(self.client)["process_resident_memory_bytes"]

    def test_many_events_in_bounded_memory(self):
        lines = self.make_lines()
        self.assert_imported(self.take_in("ada", lines), self.N_EVENTS)
        for _ in range(2):
            before = self.resident()
            exported = self.export("ada")
            self.assertEqual(lines_of(exported)[1:], lines_of(lines)[1:])
            if not SANITIZED:
                self.assertLess(self.resident() - before, len(exported) / 4)
            self.daemon.stop()  # from recent events, then from the tables
            self.daemon.start()

    def begin_export(self):
        """A reader who takes its time: little fits between the daemon and it."""
        connection = http.client.HTTPConnection("127.0.0.1", self.daemon.port, timeout=30)
        connection.sock = socket.socket()
        connection.sock.settimeout(30)
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sock.connect(("127.0.0.1", self.daemon.port))
        connection.request("GET", "/users/ada/export")
        return connection, connection.getresponse()

    def test_a_reader_who_leaves_and_one_too_many(self):
        self.take_in("ada", self.make_lines(self.N_UNREAD))
        readers = []
        try:
            for _ in range(8):
                readers.append(self.begin_export())
            answer = self.client.get("/users/ada/export")
            self.assert_error(answer, 503, "overloaded", "8 exports")
            # what they read is of their moment, and others are served meanwhile
            self.client.delete("/users/ada")
            self.assertEqual(self.client.get("/users/ada").status, 404)
            whole = readers[0][1].read().splitlines()
            self.assertEqual(json.loads(whole[-1])["events"], self.N_UNREAD)
        finally:
            for connection, _ in readers:
                connection.close()
        self.give("bob", 1)
        wait_until(lambda: self.client.get("/users/bob/export").status == 200, "a free export")

    def test_stop_while_an_export_is_read(self):
        self.daemon.stop()
        self.daemon.options += ["--grace", "0.1"]
        self.daemon.start()
        self.take_in("ada", self.make_lines(self.N_UNREAD))
        connection, response = self.begin_export()
        try:
            self.daemon.stop()
            # what had been sent may still come, but not its end
            with self.assertRaises((http.client.HTTPException, OSError)):
                response.read()
        finally:
            connection.close()


class Killed(Files):
    N_KILLS = 4 if SANITIZED else 20

    def test_kill_during_an_import(self):
        """All of it is there, or nothing; and it can be repeated."""
        self.give("ada", 1, ("work",))
        head, overall, work, event, end = lines_of(self.export("ada"))
        self.client.delete("/users/ada")
        n_events = 2000
        for state in (overall, work):
            state["updates"] = n_events
        n_whole = n_nothing = 0
        for turn in range(self.N_KILLS):
            user = f"user{turn}"
            events = [event | {"id": f"event {i}"} for i in range(n_events)]
            body = body_of([head | {"user": user}, overall, work, *events,
                            end | {"events": n_events}])
            client = self.daemon.new_client()
            thread = threading.Thread(target=self.import_and_lose, args=(client, user, body))
            thread.start()
            time.sleep(self.rng.uniform(0.0, 0.12))
            self.daemon.kill()
            thread.join()
            self.daemon.start()
            answer = self.client.get(f"/users/{user}")
            self.assertIn(answer.status, (200, 404))
            there = answer.status == 200
            n_whole, n_nothing = n_whole + there, n_nothing + (not there)
            if there:
                self.assertEqual(answer.json["events"], n_events)
            self.assert_imported(self.take_in(user, body), 0 if there else n_events,
                                 n_events if there else 0)
        print(f"{self.N_KILLS} kills: {n_whole} imports were whole, {n_nothing} not there")
        self.daemon.stop()
        self.assertEqual(database.integrity(self.daemon.state), [("ok",)])
        rows = database.event_ids(self.daemon.state)
        self.assertEqual(len(rows), len(set(rows)))
        self.assertEqual(len(rows), self.N_KILLS * n_events)

    @staticmethod
    def import_and_lose(client, user, body):
        try:
            client.post(f"/users/{user}/import", body, headers=LINES)
        except (OSError, http.client.HTTPException):
            pass


if __name__ == "__main__":
    main()
