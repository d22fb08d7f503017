#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""POST /feedback: the closed form of the Hedge step, event ids, contexts, options."""
import concurrent.futures
import random
import re
import threading
import urllib.parse
import uuid

import models
from harness import Scenario, main
from models import embedding

PSI = [1.0, -0.5, 0.25, 0.0]


class Learner:
    """A user whose state is computed here beside the daemon's."""

    def __init__(self, test, reference, user):
        self.test, self.reference, self.user = test, reference, user
        self.state = reference.start()
        self.updates = 0
        self.rng = random.Random(user)

    def body(self, **more):
        self.chosen, self.rejected = (models.random_vector(self.rng) for _ in range(2))
        return {"user": self.user, "prompt": embedding(PSI), "chosen": embedding(self.chosen),
                "rejected": embedding(self.rejected)} | more

    def give(self, client, body=None, tau=1.0, strength=1.0, drift=0.0, **more):
        """One feedback; its answer must be what the closed form says."""
        body = body or self.body(**more)
        answer = client.post("/feedback", body)
        self.test.assertEqual(answer.status, 200, answer)
        self.state = self.reference.learn(self.state, self.chosen, self.rejected, tau, strength,
                                          drift)
        self.updates += 1
        self.check(answer.json)
        return answer.json

    def check(self, answer):
        self.test.assertEqual(answer["updates"], self.updates)
        self.test.assert_near(answer["weights"], self.reference.weights(PSI, self.state),
                              what="weights")


class Explained(models.VectorDaemon):
    def setUp(self):
        super().setUp()
        self.learner = Learner(self, self.reference, self.id())

    def give(self, headers=None, **more):
        return self.client.post("/feedback", self.learner.body(**more), headers=headers)

    def test_dry_run_tells_and_changes_nothing(self):
        self.learner.give(self.client)
        state = self.learner.state
        for _ in range(2):
            answer = self.give(dry_run=True, explain=True, id="dry").json
            would = self.reference.learn(state, self.learner.chosen, self.learner.rejected)
            self.assert_near(answer["weights"], self.reference.weights(PSI, would))
            self.assert_near(answer["explain"]["weights_before"],
                             self.reference.weights(PSI, state))
            self.assert_near(answer["explain"]["losses"], self.reference.losses(
                self.learner.chosen, self.learner.rejected))
            self.assertEqual((answer["id"], answer["updates"], answer["dry_run"],
                              answer["duplicate"]), (None, 2, True, False))
        self.assertEqual(self.client.get(f"/users/{self.learner.user}").json["events"], 1)
        self.learner.give(self.client, id="dry")

    def test_dry_run_of_somebody_new_leaves_nobody(self):
        answer = self.give(dry_run=True, context="c").json
        self.assertEqual((answer["updates"], answer["dry_run"]), (1, True))
        self.assertEqual(self.client.get(f"/users/{self.learner.user}").status, 404)

    def test_explanation_follows_the_context(self):
        self.learner.give(self.client)
        overall = self.learner.state
        answer = self.give(context="new", explain=True).json
        self.assert_near(answer["explain"]["weights_before"],
                         self.reference.weights(PSI, overall))
        again = self.give(context="new", explain=True).json
        self.assert_near(again["explain"]["weights_before"], answer["weights"])

    def test_repeat_has_nothing_to_explain(self):
        body = self.learner.body(id="e", explain=True)
        first = self.client.post("/feedback", body).json
        again = self.client.post("/feedback", body).json
        self.assertIsNone(again["explain"])
        self.assertEqual(again["weights"], first["weights"])

    def test_idempotency_key_is_the_id(self):
        body = self.learner.body()
        first = self.client.post("/feedback", body, headers={"Idempotency-Key": '"k-1"'})
        self.assertEqual((first.json["id"], first.json["duplicate"]), ("k-1", False))
        for key, more in (("k-1", {}), ('"k-1"', {"id": "k-1"})):
            again = self.client.post("/feedback", body | more, headers={"Idempotency-Key": key})
            self.assertEqual(again.json, first.json | {"duplicate": True})
        other = self.give({"Idempotency-Key": '"k-1"'})
        self.assert_error(other, 422, "event_id_reused", "k-1", "Idempotency-Key")
        self.assert_error(self.give({"Idempotency-Key": '"a"'}, id="b"), 422, "invalid_value",
                          "another id", "Idempotency-Key")
        self.assert_error(self.give({"Idempotency-Key": '"a'}), 400, "malformed", "quoted",
                          "Idempotency-Key")

    def test_of_many_with_one_key_at_once_one_is_applied(self):
        body = self.learner.body()
        clients = [self.daemon.new_client() for _ in range(8)]
        for key in range(5):
            start = threading.Barrier(len(clients))

            def give(client, headers={"Idempotency-Key": f'"at-once-{key}"'}, start=start):
                start.wait(timeout=30)
                return client.post("/feedback", body, headers=headers)

            with concurrent.futures.ThreadPoolExecutor(len(clients)) as pool:
                answers = list(pool.map(give, clients))
            first, = (answer.json for answer in answers
                      if answer.status == 200 and not answer.json["duplicate"])
            self.assertEqual(first["updates"], key + 1)
            for client, answer in zip(clients, answers):
                if answer.status != 200:
                    self.assert_error(answer, 409, "in_progress", "not answered yet",
                                      "Idempotency-Key")
                    # sent again when the first has its answer
                    answer = give(client, start=threading.Barrier(1))
                self.assertEqual(answer.json | {"duplicate": False}, first)

    def test_of_many_with_one_id_at_once_one_is_applied_and_all_are_answered(self):
        body = self.learner.body() | {"id": "of-many"}
        clients = [self.daemon.new_client() for _ in range(8)]
        start = threading.Barrier(len(clients))

        def give(client):
            start.wait(timeout=30)
            return client.post("/feedback", body)

        with concurrent.futures.ThreadPoolExecutor(len(clients)) as pool:
            answers = list(pool.map(give, clients))
        self.assertEqual([answer.status for answer in answers], [200] * len(clients))
        self.assertEqual(sum(not answer.json["duplicate"] for answer in answers), 1)


class BesideTheBody(models.VectorDaemon):
    """User and context in the query or in headers."""

    def setUp(self):
        super().setUp()
        self.user, self.other = self.id() + " ä", self.id() + "-other"
        quoted = urllib.parse.quote(self.user)
        header = {"X-Micro-User": self.user.encode()}
        self.ways = ((f"?user={quoted}&context=work", {}),
                     ("", header | {"X-Micro-Context": "work"}),
                     (f"?user={quoted}", header | {"X-Micro-Context": "work"}))
        rng = random.Random(self.id())
        first, second = (embedding(models.random_vector(rng)) for _ in range(2))
        self.item = {"prompt": embedding(PSI), "responses": [first, second]}
        self.pair = {"prompt": embedding(PSI), "chosen": first, "rejected": second}
        self.named = {"user": self.user, "context": "work"}

    def post(self, path, body, way=("", {})):
        return self.client.post(path + way[0], body, headers=way[1])

    def score(self, body, way=("", {})):
        answer = self.post("/score", body, way)
        self.assertEqual(answer.status, 200, answer)
        return answer.json

    def teach(self):
        """Two users, one of them in a context besides."""
        for body in (self.pair | {"user": self.user}, self.pair | self.named,
                     self.pair | {"user": self.other, "strength": 3}):
            self.assertEqual(self.post("/feedback", body).status, 200)

    def test_feedback_is_that_person_s(self):
        for updates, way in enumerate(self.ways, 1):
            answer = self.post("/feedback", self.pair, way)
            self.assertEqual(answer.status, 200, answer)
            self.assertEqual((answer.json["user"], answer.json["context"], answer.json["updates"]),
                             (self.user, "work", updates))
        # null is not said, and the same may be said twice
        for more in ({"user": None, "context": None}, self.named):
            self.assertEqual(self.post("/feedback", self.pair | more, self.ways[0]).status, 200)
        self.assertEqual(self.client.get("/users/" + urllib.parse.quote(self.user))
                         .json["states"][0]["updates"], 5)

    def test_score_is_for_that_person(self):
        self.teach()
        nobody, personal = self.score(self.item), self.score(self.item | self.named)
        self.assertEqual((nobody["updates"], personal["updates"]), (0, 1))
        self.assertNotEqual(nobody["rewards"], personal["rewards"])
        for way in self.ways:
            self.assertEqual(self.score(self.item, way), personal)
            self.assertEqual(self.score(self.item | self.named, way), personal)
            self.assertEqual(self.score(self.item | {"personalize": False}, way), nobody)

    def test_items_that_name_nobody_are_for_that_person(self):
        self.teach()
        own = ({}, {"user": self.other}, {"user": self.other, "context": ""}, {"context": ""},
               {"context": "new"}, {"user": None})
        meant = (self.named, self.named | own[1], own[2], self.named | own[3],
                 self.named | own[4], self.named)
        want = self.score({"items": [self.item | more for more in meant]})
        self.assertEqual([one["updates"] for one in want["items"]], [1, 1, 1, 2, 2, 1])
        for way in self.ways:
            self.assertEqual(self.score({"items": [self.item | more for more in own]}, way), want)

    def test_receipt_is_that_person_s(self):
        scored = self.score(self.item | {"receipt": True}, self.ways[0])
        choice = {"receipt": scored["receipt"], "chosen": 0, "rejected": 1}
        self.assert_error(self.post("/feedback", choice, ("?user=b", {})), 422, "receipt_foreign",
                          "", "/receipt")
        self.assert_error(self.post("/feedback", choice, ("?context=b", {})), 422,
                          "receipt_foreign", "", "/receipt")
        answer = self.post("/feedback", choice, self.ways[1])
        self.assertEqual((answer.json["user"], answer.json["context"]), (self.user, "work"))

    def test_two_persons_are_refused(self):
        for path, body in (("/score", self.item), ("/feedback", self.pair)):
            for more, fragment, param in (
                    ({"user": self.other}, "another user, want one", "/user"),
                    ({"context": "home"}, "another context, want one", "/context"),
                    ({"context": ""}, "another context, want one", "/context")):
                for way in self.ways:
                    self.assert_error(self.post(path, body | more, way), 422, "invalid_value",
                                      fragment, param)
            for way, status, code, param in (
                    (("?user=a", {"X-Micro-User": "b"}), 422, "invalid_value", "X-Micro-User"),
                    (("?user=a&user=b", {}), 422, "invalid_value", "?user"),
                    (("?context=a&user=u&context=", {}), 422, "invalid_value", "?context"),
                    (("?user=", {}), 422, "invalid_value", "?user"),
                    (("?user=%4", {}), 400, "malformed", "?user"),
                    (("", {"X-Micro-Context": b"\xff"}), 400, "malformed", "X-Micro-Context")):
                self.assert_error(self.post(path, body, way), status, code, "", param)
        self.assert_error(self.post("/feedback", self.pair, ("?context=work", {})), 422,
                          "missing_field", "required", "/user")
        self.assertEqual(self.client.get("/users/" + urllib.parse.quote(self.user)).status, 404)


class Learning(models.VectorDaemon):
    def learner(self):
        return Learner(self, self.reference, self.id())

    def test_weights_follow_the_closed_form(self):
        learner = self.learner()
        for _ in range(30):
            answer = learner.give(self.client)
            self.assertEqual(set(answer), {"user", "context", "id", "model", "weights",
                                           "updates", "duplicate"})
            self.assertEqual((answer["user"], answer["context"], answer["duplicate"]),
                             (learner.user, None, False))
        stored = self.client.get(f"/users/{learner.user}").json
        self.assert_near(stored["states"][0]["log_weights"], learner.state)

    def test_score_uses_what_was_learnt(self):
        learner = self.learner()
        for _ in range(5):
            learner.give(self.client)
        first, second = (models.random_vector(learner.rng) for _ in range(2))
        body = {"user": learner.user, "prompt": embedding(PSI),
                "responses": [embedding(first), embedding(second)]}
        answer = self.client.post("/score", body).json
        self.assertEqual(answer["updates"], 5)
        self.assert_near(answer["weights"], self.reference.weights(PSI, learner.state))
        self.assert_near(answer["rewards"],
                         self.reference.rewards(PSI, [first, second], learner.state))
        self.assert_near(answer["preference"],
                         self.reference.preference(PSI, first, second, learner.state))

    def test_feedback_moves_the_preference_towards_the_choice(self):
        chosen, rejected = [0.0, 2.0, 0.0, 0.0], [2.0, 0.0, 0.0, 0.0]
        score = {"user": self.id(), "prompt": embedding(PSI),
                 "responses": [embedding(chosen), embedding(rejected)]}
        before = self.client.post("/score", score).json["preference"]
        self.client.post("/feedback", {"user": self.id(), "prompt": embedding(PSI),
                                       "chosen": embedding(chosen),
                                       "rejected": embedding(rejected)})
        self.assertGreater(self.client.post("/score", score).json["preference"], before)

    def test_users_do_not_touch_each_other(self):
        learners = [Learner(self, self.reference, f"{self.id()} {i}") for i in range(5)]
        for _ in range(4):
            for learner in learners:
                learner.give(self.client)

    def test_order_of_feedbacks_does_not_matter(self):
        learner = self.learner()
        bodies = [learner.body() for _ in range(6)]
        for user, order in (("forward", bodies), ("backward", bodies[::-1])):
            for body in order:
                last = self.client.post("/feedback", body | {"user": self.id() + user}).json
            learner.state = last["weights"] if user == "forward" else learner.state
        self.assert_near(last["weights"], learner.state, 1e-12)

    def test_strength_scales_the_step(self):
        learner = self.learner()
        for strength in (0.25, 0, 10, 1):
            learner.give(self.client, strength=strength, body=learner.body(strength=strength))

    def test_id_is_returned_or_made(self):
        learner = self.learner()
        self.assertEqual(learner.give(self.client, id="évent 1 / ü")["id"], "évent 1 / ü")
        made = [learner.give(self.client)["id"] for _ in range(2)]
        self.assertNotEqual(*made)
        for text in made:
            self.assertEqual((uuid.UUID(text).version, str(uuid.UUID(text))), (4, text))

    def test_repeat_of_an_id_changes_nothing(self):
        learner = self.learner()
        body = learner.body(id="event-1")
        first = learner.give(self.client, body)
        learner.give(self.client)
        for _ in range(3):
            again = self.client.post("/feedback", body).json
            self.assertEqual(again, first | {"duplicate": True})
        stored = self.client.get(f"/users/{learner.user}").json
        self.assertEqual((stored["events"], stored["states"][0]["updates"]), (2, 2))
        self.assert_near(stored["states"][0]["log_weights"], learner.state)

    def test_same_id_of_another_user_is_another_event(self):
        for user in ("a", "b"):
            learner = Learner(self, self.reference, f"{self.id()} {user}")
            self.assertFalse(learner.give(self.client, id="event-1")["duplicate"])

    def test_id_reused_for_something_else_is_refused(self):
        learner = self.learner()
        body = learner.body(id="event-1")
        learner.give(self.client, body)
        other = {"chosen": body["rejected"], "rejected": body["chosen"]}
        for change in (other, {"strength": 0.5}, {"context": "work"},
                       {"prompt": embedding([0.0] * models.DIM)}):
            answer = self.client.post("/feedback", body | change)
            self.assert_error(answer, 422, "event_id_reused", "event-1", "/id")
        self.assertEqual(self.client.get(f"/users/{learner.user}").json["events"], 1)

    def test_context_starts_from_the_overall_state(self):
        learner = self.learner()
        for _ in range(3):
            learner.give(self.client)
        # what the first feedback in a context learns from, and where it leaves both states
        work = Learner(self, self.reference, learner.user)
        work.state = learner.state
        body = learner.body(context="work")
        work.chosen, work.rejected = learner.chosen, learner.rejected
        self.assertEqual(work.give(self.client, body)["context"], "work")
        learner.state, learner.updates = self.reference.learn(
            learner.state, learner.chosen, learner.rejected), 4
        states = {state["context"]: state
                  for state in self.client.get(f"/users/{learner.user}").json["states"]}
        self.assertEqual(set(states), {None, "work"})
        self.assert_near(states["work"]["log_weights"], work.state)
        self.assert_near(states[None]["log_weights"], learner.state)
        self.assertEqual((states["work"]["updates"], states[None]["updates"]), (1, 4))

        # from here on the context learns only from its own
        learner.give(self.client)
        scored = self.client.post("/score", {
            "user": learner.user, "context": "work", "prompt": embedding(PSI),
            "responses": [embedding(PSI)]}).json
        self.assertEqual(scored["updates"], 1)
        self.assert_near(scored["weights"], self.reference.weights(PSI, work.state))

    def test_unseen_context_scores_with_the_overall_state(self):
        learner = self.learner()
        for _ in range(2):
            learner.give(self.client)
        scored = self.client.post("/score", {
            "user": learner.user, "context": "new", "prompt": embedding(PSI),
            "responses": [embedding(PSI)]}).json
        self.assert_near(scored["weights"], self.reference.weights(PSI, learner.state))

    def test_base64_and_v1(self):
        learner = self.learner()
        body = learner.body()
        for field in ("prompt", "chosen", "rejected"):
            body[field] = embedding(body[field]["embedding"])
            body[field]["embedding"] = models.floats_base64(body[field]["embedding"])
        answer = self.client.post("/v1/feedback", body)
        self.assertEqual(answer.status, 200, answer)
        learner.state = self.reference.learn(learner.state, learner.chosen, learner.rejected)
        learner.updates = 1
        learner.check(answer.json)


class Options(Scenario):
    def learn_with(self, *options, **expected):
        reference = models.write_vector_model(self.folder / "m")
        daemon = self.start(self.folder / "m", *options)
        learner = Learner(self, reference, "ada")
        for _ in range(6):
            learner.give(daemon.client, **expected)
        return daemon, learner

    def test_tau_divides_the_losses(self):
        self.learn_with("--tau", "0.25", tau=0.25)

    def test_drift_is_a_fixed_share(self):
        self.learn_with("--drift", "0.125", drift=0.125)

    def test_max_strength_is_a_limit(self):
        daemon, learner = self.learn_with("--max-strength", "2")
        answer = daemon.client.post("/feedback", learner.body(strength=2.5))
        self.assert_error(answer, 422, "invalid_value", "2", "/strength")

    def test_options_come_from_the_environment(self):
        reference = models.write_vector_model(self.folder / "m")
        daemon = self.start(self.folder / "m", env={"MICROD_TAU": "0.5"})
        Learner(self, reference, "ada").give(daemon.client, tau=0.5)

    def test_log_has_no_user_and_no_content(self):
        reference = models.write_vector_model(self.folder / "m")
        daemon = self.start(self.folder / "m", "--log-level", "debug")
        learner = Learner(self, reference, "secret-user")
        answer = daemon.client.post("/feedback", learner.body(context="secret-context",
                                                              id="secret-event"))
        daemon.client.get("/users/secret-user")
        daemon.client.get("/users/secret-stranger")
        self.assertEqual(answer.status, 200, answer)
        daemon.stop()
        self.assertNotIn("secret", daemon.log())
        for line in daemon.log().splitlines():
            self.assertTrue(re.match(r"time=\S+Z level=\w+ event=\S+", line), line)


if __name__ == "__main__":
    main()
