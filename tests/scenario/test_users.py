#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""GET and DELETE /users/{id}: what is shown, how ids are written in a path, complete deletion."""
import math
from urllib.parse import quote

import models
from harness import Scenario, SharedDaemon, main
from models import embedding


def feedback(user, **more):
    return {"user": user, "prompt": embedding([1, 0, 0, 0]), "chosen": embedding([0, 1, 0, 0]),
            "rejected": embedding([1, 0, 1, 0])} | more


def user_path(user):
    return "/users/" + quote(user, safe="")


class Users(SharedDaemon):
    @classmethod
    def make_model(cls, folder):
        models.write_vector_model(folder / "m")
        return folder / "m"

    def give(self, user, **more):
        answer = self.client.post("/feedback", feedback(user, **more))
        self.assertEqual(answer.status, 200, answer)
        return answer.json

    def test_user_shows_every_state(self):
        for context in (None, "work", "home", "work"):
            self.give("ada", **({"context": context} if context else {}))
        user = self.client.get("/users/ada").json
        self.assertEqual(set(user), {"user", "events", "states"})
        self.assertEqual((user["user"], user["events"]), ("ada", 4))
        self.assertEqual([(state["context"], state["updates"]) for state in user["states"]],
                         [(None, 4), ("home", 1), ("work", 2)])
        for state in user["states"]:
            self.assertEqual(set(state), {"context", "model", "updates", "updated_at", "weights",
                                          "log_weights"})
            self.assertEqual(state["model"], self.client.get("/model").json["id"])
            self.assertRegex(state["updated_at"],
                             r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")
            self.assert_near([math.exp(s) for s in state["log_weights"]], state["weights"])
            self.assert_near(sum(state["weights"]), 1.0, 1e-12)

    def test_unknown_user(self):
        self.assert_error(self.client.get("/users/nobody"), 404, "not_found")

    def test_delete_counts_and_can_be_repeated(self):
        self.give("bob")
        self.give("bob", context="work")
        answer = self.client.delete("/users/bob")
        self.assertEqual((answer.status, answer.json),
                         (200, {"user": "bob", "deleted": {"states": 2, "events": 2}}))
        self.assert_error(self.client.get("/users/bob"), 404, "not_found")
        again = self.client.delete("/users/bob")
        self.assertEqual((again.status, again.json["deleted"]),
                         (200, {"states": 0, "events": 0}))

    def test_deleted_user_starts_anew(self):
        first = self.give("eve", id="event-1")
        self.client.delete("/users/eve")
        anew = self.give("eve", id="event-1")
        self.assertEqual(anew, first)

    def test_delete_leaves_others_alone(self):
        for user in ("carol", "carol2", "carol/", "Carol"):
            self.give(user)
        self.client.delete("/users/carol")
        for user in ("carol2", "carol/", "Carol"):
            self.assertEqual(self.client.get(user_path(user)).json["events"], 1, user)

    def test_v1_is_an_alias(self):
        self.give("v1")
        self.assertEqual(self.client.get("/v1/users/v1").body, self.client.get("/users/v1").body)
        self.assertEqual(self.client.delete("/v1/users/v1").json["deleted"]["events"], 1)

    def test_any_valid_id_in_a_path(self):
        for user in ("a/b", "a b", "100%", "ü", "漢字", "a+b", "?q=1", "#x", "..", ".", "%2F",
                     "a" * 256, "ü" * 128, '"quoted"', "a\\b"):
            with self.subTest(user=user):
                self.give(user)
                answer = self.client.get(user_path(user))
                self.assertEqual(answer.status, 200, answer)
                self.assertEqual((answer.json["user"], answer.json["events"]), (user, 1))
                self.assertEqual(self.client.delete(user_path(user)).json["deleted"]["events"], 1)

    def test_path_that_is_no_id_is_refused(self):
        cases = [
            ("/users/a%00b", 422, "invalid_value"),
            ("/users/a%0Ab", 422, "invalid_value"),
            ("/users/a%7F", 422, "invalid_value"),
            ("/users/" + "a" * 257, 422, "invalid_value"),
            ("/users/%C3%28", 400, "malformed"),
            ("/users/%FF", 400, "malformed"),
            ("/users/%ED%A0%80", 400, "malformed"),
            ("/users/%", 400, "malformed"),
            ("/users/%4", 400, "malformed"),
            ("/users/%zz", 400, "malformed"),
            ("/users/a%2", 400, "malformed"),
            ("/users/", 404, "not_found"),
            ("/users", 404, "not_found"),
            ("/users/a/b", 404, "not_found"),
        ]
        for path, status, code in cases:
            for method in ("GET", "DELETE"):
                with self.subTest(path=path, method=method):
                    self.assert_error(self.client.request(method, path), status, code)

    def test_query_is_not_part_of_the_id(self):
        self.give("query")
        self.assertEqual(self.client.get("/users/query?x=1").json["user"], "query")


class DeletionIsComplete(Scenario):
    def files_containing(self, text):
        return [path.name for path in self.folder.iterdir()
                if path.name.startswith("micro.db") and text.encode() in path.read_bytes()]

    def test_nothing_of_a_user_stays_in_the_files(self):
        models.write_vector_model(self.folder / "m")
        daemon = self.start(self.folder / "m", "--keep-inputs")
        for number in range(200):
            for user in ("gone-for-good", "somebody-else"):
                body = feedback(user, context=f"context-of-{user}", id=f"event-{user}-{number}")
                self.assertEqual(daemon.client.post("/feedback", body).status, 200)
        self.assertTrue(self.files_containing("gone-for-good"))
        deleted = daemon.client.delete("/users/gone-for-good").json["deleted"]
        self.assertEqual(deleted, {"states": 2, "events": 200})
        daemon.stop()
        self.assertEqual(self.files_containing("gone-for-good"), [])
        self.assertTrue(self.files_containing("somebody-else"))
        daemon.start()
        self.assertEqual(daemon.client.get("/users/somebody-else").json["events"], 200)
        self.assertEqual(daemon.client.get("/users/gone-for-good").status, 404)


if __name__ == "__main__":
    main()
