#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""/users: who is listed, what is shown of whom, how ids are written in a path, complete deletion,
and a context that is taken back as if it had never been."""
import math
from urllib.parse import quote, urlencode

import database
import models
from harness import Scenario, SharedDaemon, main
from load import Load, feedback_body, seeded
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

    def test_one_context_can_be_asked_for(self):
        for context in (None, "work", "a&b=ü", "work"):
            self.give("iris", **({"context": context} if context else {}))
        whole = {state["context"]: state
                 for state in self.client.get("/users/iris").json["states"]}
        for asked, context, events in (("work", "work", 2), ("a&b=ü", "a&b=ü", 1), ("", None, 4)):
            user = self.client.get("/users/iris?" + urlencode({"context": asked})).json
            self.assertEqual(user, {"user": "iris", "events": events, "states": [whole[context]]})
        self.assert_error(self.client.get("/users/iris?context=home"), 404, "not_found",
                          "in this context")
        self.assert_error(self.client.get("/users/iris?context=%00"), 422, "invalid_value",
                          param="?context")
        self.assert_error(self.client.get("/users/iris?context=%FF"), 400, "malformed",
                          param="?context")

    def test_reset_without_context_is_deletion(self):
        self.give("max", context="work")
        answer = self.client.post("/users/max/reset", {})
        self.assertEqual((answer.status, answer.json), (200, {
            "user": "max", "context": None, "deleted": {"states": 2, "events": 1}}))
        self.assertEqual(self.client.get("/users/max").status, 404)
        again = self.client.post("/users/max/reset", {"context": None})
        self.assertEqual((again.status, again.json["deleted"]), (200, {"states": 0, "events": 0}))

    def test_reset_of_what_is_no_context_is_refused(self):
        self.give("ned", context="work")
        for body, code, param in (({"context": ""}, "invalid_value", "/context"),
                                  ({"context": 1}, "invalid_type", "/context"),
                                  ({"context": "x" * 257}, "invalid_value", "/context"),
                                  ({"contexts": ["work"]}, "unknown_field", "/contexts"),
                                  ([], "invalid_type", "")):
            with self.subTest(body=body):
                self.assert_error(self.client.post("/users/ned/reset", body), 422, code,
                                  param=param or None)
        self.assert_error(self.client.post("/users/ned/reset", ""), 400, "malformed",
                          param=None)
        self.assertEqual(self.client.get("/users/ned").json["events"], 1)

    def test_context_in_the_query_of_what_is_for_all_contexts_is_refused(self):
        """One who asks for the end of one context must not lose all of them."""
        self.give("otto", context="work")
        self.give("otto")
        lines = self.client.get("/users/otto/export").body
        as_lines = {"Content-Type": "application/x-ndjson"}
        for method, path, body, headers in (("DELETE", "", None, {}), ("POST", "/reset", {}, {}),
                                            ("POST", "/reset", {"context": "work"}, {}),
                                            ("GET", "/export", None, {}),
                                            ("POST", "/import", lines, as_lines)):
            for query in ("?context=work", "?context=", "?x=1&context=work"):
                with self.subTest(method=method, path=path + query):
                    answer = self.client.request(method, f"/users/otto{path}{query}", body,
                                                 headers=headers)
                    self.assert_error(answer, 422, "invalid_value", "/users/{id}/reset",
                                      param="?context")
        self.assertEqual(self.client.get("/users/otto").json["events"], 2)

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
            ("/users//reset", 404, "not_found"),
            ("/users/a/b", 404, "not_found"),
            ("/users/a/reset/", 404, "not_found"),
        ]
        for path, status, code in cases:
            for method in ("GET", "DELETE"):
                with self.subTest(path=path, method=method):
                    self.assert_error(self.client.request(method, path), status, code)

    def test_query_is_not_part_of_the_id(self):
        self.give("query")
        self.assertEqual(self.client.get("/users/query?x=1").json["user"], "query")


class Lists(Scenario):
    """GET /users, with users in the tables, in memory alone, and in both."""

    def setUp(self):
        super().setUp()
        models.write_vector_model(self.folder / "m")
        self.daemon = self.start(self.folder / "m")
        self.client = self.daemon.client

    def give(self, *users, **more):
        for user in users:
            answer = self.client.post("/feedback", feedback(user, **more))
            self.assertEqual(answer.status, 200, answer)

    def pages(self, limit):
        """Every answer until the last one."""
        cursor = {}
        while True:
            answer = self.client.get("/users?" + urlencode({"limit": limit} | cursor))
            self.assertEqual(answer.status, 200, answer)
            yield answer.json
            if answer.json["next_cursor"] is None:
                return
            cursor = {"cursor": answer.json["next_cursor"]}

    def listed(self, limit):
        return [entry["user"] for page in self.pages(limit) for entry in page["users"]]

    def test_every_user_once_in_order(self):
        self.assertEqual(self.client.get("/users").json, {"users": [], "next_cursor": None})
        folded = ["b", "B", "a b", "ü", "漢字", "x" * 256] + [f"user {i}" for i in range(40)]
        self.give(*folded)
        self.give("b", "user 3", context="work")
        self.daemon.stop()  # brings all into the tables
        self.daemon.start()
        self.client = self.daemon.client
        recent = ["aa", "user 3", "user 30x", "zz"]
        self.give(*recent)
        self.client.delete("/users/user%207")
        users = sorted({*folded, *recent} - {"user 7"}, key=lambda user: user.encode())
        for limit in (1, 2, 7, 48, 49, 50, 1000):
            self.assertEqual(self.listed(limit), users, limit)
        for page in self.pages(10):
            for entry in page["users"]:
                shown = self.client.get(user_path(entry["user"])).json
                last = max(state["updated_at"] for state in shown["states"])
                self.assertEqual(entry, {"user": entry["user"], "events": shown["events"],
                                         "updated_at": last})
        self.assertEqual([entry["events"] for entry in self.client.get("/users").json["users"]
                          if entry["user"] == "user 3"], [3])

    def test_stable_while_others_come_and_go(self):
        stay = [f"stay {i:03}" for i in range(60)]
        self.give(*stay)

        def come_and_go(client, number):
            user = f"stay {number:03} and go"
            assert client.post("/feedback", feedback(user)).status == 200
            assert client.delete(user_path(user)).status == 200
        load = Load(self.daemon, 4, come_and_go)
        try:
            for limit in (1, 7, 13):
                users = self.listed(limit)
                self.assertEqual([user for user in users if user in stay], stay)
                self.assertEqual(len(users), len(set(users)))
        finally:
            load.stop()

    def test_what_is_no_page_is_refused(self):
        for query, param in (("limit=0", "?limit"), ("limit=1&limit=2", "?limit"), ("limit=1001", "?limit"), ("limit=x", "?limit"),
                             ("limit=-1", "?limit"), ("limit=99999999999999999999", "?limit"),
                             ("limit=1%30", "?limit"), ("cursor=u", "?cursor"),
                             ("cursor=dQ", "?cursor"), ("cursor=eHg", "?cursor"),
                             ("cursor=dQA", "?cursor"), ("cursor=" + "d" * 400, "?cursor")):
            with self.subTest(query):
                self.assert_error(self.client.get("/users?" + query), 422, "invalid_value",
                                  param=param)

    def test_only_admin_may(self):
        for path in ("/users", "/users/x", "/v1/users?limit=1"):
            self.assertEqual(self.client.get(path).status, 404 if "/x" in path else 200)
        keyed = self.start(self.folder / "m", state=self.folder / "keyed.db",
                           env={"MICROD_API_KEY": "k" * 32})
        self.assert_error(keyed.client.get("/users"), 401, "unauthorized")
        self.assertEqual(keyed.new_client("k" * 32).get("/users").status, 200)


class ContextReset(Scenario):
    """The weights are those of a user who never gave the feedbacks of the context."""

    def setUp(self):
        super().setUp()
        models.write_vector_model(self.folder / "m")
        self.daemon = self.start(self.folder / "m", "--drift", "0.01")
        self.rng = seeded(self)
        self.n_sent = 0

    def send(self, user, body):
        answer = self.daemon.client.post("/feedback", body | {"user": user})
        self.assertEqual(answer.status, 200, answer)

    def give(self, *contexts):
        """The same to ada and, but for context work, to bob."""
        for context in contexts:
            self.n_sent += 1
            body = feedback_body(self.rng, "", id=f"e{self.n_sent}", context=context)
            self.send("ada", body)
            if context != "work":
                self.send("bob", body)

    def reset(self, **wanted):
        answer = self.daemon.client.post("/users/ada/reset", {"context": "work"})
        self.assertEqual((answer.status, answer.json["deleted"]), (200, wanted))

    def assert_same(self):
        shown = [self.daemon.client.get(f"/users/{user}").json for user in ("ada", "bob")]
        for user in shown:
            del user["user"]
            for state in user["states"]:
                del state["updated_at"]
        self.assertEqual(*shown)

    def assert_follows_from_events(self):
        self.daemon.stop()
        self.assertEqual(database.stored_states(self.daemon.state),
                         database.replay(self.daemon.state))
        self.daemon.start()

    def test_recent_feedbacks(self):
        self.give("", "work", "home", "work", "home", "", "work")
        self.reset(states=1, events=3)
        self.assert_same()
        self.give("work")
        self.give("home", "work", "")
        self.reset(states=1, events=2)
        self.reset(states=0, events=0)
        self.give("home")
        self.assert_same()
        self.assert_follows_from_events()
        self.assert_same()

    def test_feedbacks_in_the_tables(self):
        self.give("work", "", "work", "home")
        self.daemon.stop()
        self.daemon.start()
        self.give("home", "work", "", "home")
        self.reset(states=1, events=3)
        self.assert_same()
        self.assert_follows_from_events()
        self.assert_same()

    def test_kill_after_a_reset(self):
        self.give("work", "", "home")
        self.daemon.stop()
        self.daemon.start()
        self.give("home", "work", "other")
        self.reset(states=1, events=2)
        self.give("other", "", "work")
        self.daemon.kill()
        self.daemon.start()
        self.reset(states=1, events=1)
        self.daemon.kill()
        self.daemon.start()
        self.assert_same()
        self.assert_follows_from_events()

    def test_nothing_is_left_without_other_feedbacks(self):
        self.give("work", "work")
        self.reset(states=2, events=2)
        self.assertEqual(self.daemon.client.get("/users/ada").status, 404)
        self.assertEqual(self.daemon.client.get("/users").json["users"], [])

    def test_ids_are_free_again(self):
        body = feedback_body(self.rng, "ada", id="e1", context="work")
        first = self.daemon.client.post("/feedback", body)
        self.reset(states=2, events=1)
        again = self.daemon.client.post("/feedback", body)
        self.assertEqual((again.json["duplicate"], again.body), (False, first.body))


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
