#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""API keys: who may ask for what, and how often; what is told to nobody."""
import base64
import hashlib
import itertools
import os
import re
import signal
import socket
import threading
import time

import models
from harness import PATIENCE, Scenario, main, run, wait_until
from models import embedding
from prometheus import read_metrics

FEEDBACK = {"user": "ada", "prompt": embedding([1, 0, 0, 0]), "chosen": embedding([1, 0, 0, 0]),
            "rejected": embedding([0, 1, 0, 0])}
SCORE = {"user": "ada", "prompt": embedding([1, 0, 0, 0]), "responses": [embedding([1, 0, 0, 0])]}
REQUESTS = {  # what each needs besides a key
    ("POST", "/score"): "score", ("POST", "/feedback"): "feedback", ("GET", "/users/ada"): "admin",
    ("DELETE", "/users/ada"): "admin", ("GET", "/model"): None, ("GET", "/metrics"): None,
    ("GET", "/openapi.yaml"): None}
BODIES = {"/score": SCORE, "/feedback": FEEDBACK}


def new_key(name, scopes):
    """(the key, its line)"""
    status, text, errors = run("microd", "key", "new", "--name", name, "--scopes", scopes)
    assert (status, errors) == (0, ""), errors
    key, line = text.splitlines()
    return key, line


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Keys(Scenario):
    def setUp(self):
        super().setUp()
        self.model = self.folder / "m"
        models.write_vector_model(self.model)
        self.file = self.folder / "keys"

    def write_keys(self, *lines):
        part = self.folder / "part"
        part.write_text("# clients\n\n" + "".join(line + "\n" for line in lines))
        os.replace(part, self.file)

    def start_with(self, keys, *options, **more):
        """keys: {name: scopes}; the daemon and {name: key}."""
        made = {name: new_key(name, scopes) for name, scopes in keys.items()}
        self.write_keys(*(line for _, line in made.values()))
        daemon = self.start(self.model, "--api-keys", self.file, *options, **more)
        return daemon, {name: key for name, (key, _) in made.items()}

    def ask(self, client, method, path, prefix=""):
        return client.request(method, prefix + path, BODIES.get(path))


class KeyNew(Scenario):
    def test_key_is_random_and_its_line_has_the_hash_only(self):
        key, line = new_key("trainer.1", "score,feedback")
        self.assertRegex(key, r"^micro-[A-Za-z0-9_-]{43}$")
        digest = hashlib.sha256(key.encode()).hexdigest()
        self.assertEqual(line, f"trainer.1 score,feedback sha256:{digest}")
        self.assertNotEqual(new_key("trainer.1", "score,feedback")[0], key)
        self.assertEqual(new_key("x", "admin,score")[1].split()[1], "score,admin")

    def test_wrong_options_say_what_would_be_right(self):
        for arguments, fragment in (
                (("key",), "microd key new"), (("key", "old"), "microd key new"),
                (("key", "new", "--name", "x"), "--scopes"),
                (("key", "new", "--name", "a b", "--scopes", "score"), "letters, digits"),
                (("key", "new", "--name", "a", "--scopes", "all"), "score,feedback,admin"),
                (("key", "new", "--name", "a", "--scopes", "score,score"), "each once")):
            status, text, errors = run("microd", *arguments)
            self.assertEqual((status, text), (2, ""), arguments)
            self.assertIn(fragment, errors)


class Scopes(Keys):
    def test_every_route_wants_its_scope(self):
        names = ("score", "feedback", "admin")
        sets = ["none"] + [",".join(c) for n in (1, 2, 3) for c in itertools.combinations(names, n)]
        daemon, keys = self.start_with({text.replace(",", "."): text for text in sets})
        for text in sets:
            client = daemon.new_client(keys[text.replace(",", ".")])
            for (method, path), scope in REQUESTS.items():
                with self.subTest(scopes=text, path=path):
                    answer = self.ask(client, method, path)
                    if scope is None or scope in text:
                        self.assertIn(answer.status, (200, 404), answer)
                        if answer.status == 404:  # a user who is deleted
                            self.assertEqual(path, "/users/ada")
                    else:
                        self.assert_error(answer, 403, "forbidden", f"needs the scope {scope}")

    def test_without_a_key_only_the_probes_answer(self):
        daemon, _ = self.start_with({"a": "score"})
        for prefix in ("", "/v1"):
            for path in ("/livez", "/readyz", "/health"):
                self.assertEqual(daemon.client.get(prefix + path).status, 200)
            for method, path in REQUESTS:
                answer = self.ask(daemon.client, method, path, prefix)
                self.assert_error(answer, 401, "unauthorized", "Authorization: Bearer KEY")
                challenges = answer.headers.get_all("WWW-Authenticate")
                self.assertEqual([text.split()[0] for text in challenges], ["Bearer", "Basic"])
        # not even which routes there are
        for method, path in (("GET", "/nothing"), ("PUT", "/score"), ("GET", "/users/%ff")):
            self.assert_error(daemon.client.request(method, path), 401, "unauthorized")
        self.assertEqual(daemon.client.request("PUT", "/livez").status, 405)

    def test_refused_feedback_is_not_learnt(self):
        daemon, keys = self.start_with({"a": "score,admin"})
        self.assertEqual(daemon.client.post("/feedback", FEEDBACK).status, 401)
        client = daemon.new_client(keys["a"])
        self.assertEqual(client.post("/feedback", FEEDBACK).status, 403)
        self.assertEqual(client.get("/users/ada").status, 404)

    def test_basic_takes_the_key_as_password_of_any_user(self):
        daemon, keys = self.start_with({"a": "score"})
        key = keys["a"]
        for header in (f"Bearer {key}", f"bearer   {key}", basic("any", key), basic("", key),
                       basic("ünï", key), basic("x", key).replace("Basic", "BASIC")):
            answer = daemon.client.post("/score", SCORE, headers={"Authorization": header.encode()})
            self.assertEqual(answer.status, 200, (header, answer))

    def test_what_is_no_key_of_ours_is_refused(self):
        daemon, keys = self.start_with({"a": "score"})
        key = keys["a"]
        for header in ("", "Bearer", "Bearer ", key, f"Token {key}", f"Bearer {key}x",
                       f"Bearer {key[:-1]}", f"Bearer {key.upper()}", f"Bearer {key} {key}",
                       "Basic !!!!", "Basic " + base64.b64encode(key.encode()).decode(),
                       basic(key, ""), basic("x", key + ":"), basic("x", key) + "=",
                       "Bearer " + "x" * 5000, "Bearer " + hashlib.sha256(key.encode()).hexdigest()):
            answer = daemon.client.post("/score", SCORE, headers={"Authorization": header})
            self.assert_error(answer, 401, "unauthorized")

    def test_refusal_of_a_long_body_reaches_the_client(self):
        daemon, _ = self.start_with({"a": "score"})
        answer = daemon.client.post("/score", b"x" * (8 << 20))
        self.assertEqual(answer.status, 401)


class KeyOfEnvironment(Keys):
    def test_one_key_with_every_scope(self):
        key, _ = new_key("x", "none")
        daemon = self.start(self.model, env={"MICROD_API_KEY": key})
        client = daemon.new_client(key)
        for method, path in REQUESTS:
            self.assertEqual(self.ask(client, method, path).status, 200, path)
            self.assertEqual(self.ask(daemon.client, method, path).status, 401, path)
        daemon.signal(signal.SIGHUP)
        wait_until(lambda: "keys_reloaded" in daemon.log(), "the reload")
        self.assertEqual(client.get("/model").status, 200)

    def test_short_keys_are_refused(self):
        for key in ("secret", "x" * 31, "x" * 257, "x" * 40 + " "):
            status, _, errors = run("microd", "--model", self.model, "--state", self.folder / "s",
                                    "--port", "0", env={"MICROD_API_KEY": key})
            self.assertNotEqual(status, 0)
            self.assertIn("MICROD_API_KEY", errors)
            self.assertNotIn(key, errors)


class Reload(Keys):
    def reload(self, daemon, event):
        before = daemon.log().count(event)
        daemon.signal(signal.SIGHUP)
        wait_until(lambda: daemon.log().count(event) > before, event)

    def test_sighup_lets_new_keys_in_and_old_ones_out(self):
        daemon, keys = self.start_with({"old": "score", "ops": "none"})
        old = daemon.new_client(keys["old"])
        ops = daemon.new_client(keys["ops"])
        self.assertEqual(old.post("/score", SCORE).status, 200)
        key, line = new_key("new", "score")
        self.write_keys(line, self.file.read_text().splitlines()[3])
        self.reload(daemon, "event=keys_reloaded")
        self.assertEqual(old.post("/score", SCORE).status, 401)
        self.assertEqual(daemon.new_client(key).post("/score", SCORE).status, 200)
        metrics = read_metrics(ops)
        self.assertEqual(metrics["micro_api_keys"], 2)
        self.assertEqual(metrics['micro_reloads_total{result="ok",what="keys"}'], 1)

    def test_bad_file_keeps_the_old_keys_and_is_named(self):
        daemon, keys = self.start_with({"a": "score"})
        client = daemon.new_client(keys["a"])
        daemon.expect_error("event=keys_reload_failed")
        good = self.file.read_text()
        for text, fragment in (
                ("", "no key in it"), ("a score\n", "line 1: want three words"),
                (good + "b scare sha256:" + "0" * 64 + "\n", "line 4: want scopes"),
                (good + "b score sha256:123\n", "line 4: want a hash"),
                (good + good, "line 6: key a: a has the same name"),
                (good + good.replace("a score", "b score"), "a has the same hash"),
                (good + keys["a"] + "\n", "line 4: want three words")):
            self.file.write_text(text)
            self.reload(daemon, "event=keys_reload_failed")
            said = [line for line in daemon.log().splitlines() if "event=keys_reload_failed" in line]
            self.assertIn(fragment, said[-1])
            self.assertEqual(client.post("/score", SCORE).status, 200, text)
        self.file.unlink()
        self.reload(daemon, "event=keys_reload_failed")
        self.assertEqual(client.post("/score", SCORE).status, 200)
        self.assertNotIn(keys["a"], daemon.log())

    def test_keys_are_reloaded_though_the_model_is_bad(self):
        daemon, keys = self.start_with({"a": "score"})
        daemon.expect_error("event=model_reload_failed")
        self.model.write_bytes(b"no model")
        self.write_keys(new_key("b", "score")[1])
        self.reload(daemon, "event=model_reload_failed")
        self.assertEqual(daemon.new_client(keys["a"]).get("/model").status, 401)

    def test_reloads_under_load(self):
        daemon, keys = self.start_with({"a": "score"})
        faults = []

        def ask(client):
            for _ in range(300):
                answer = client.post("/score", SCORE)
                if answer.status != 200:
                    faults.append(answer)
        threads = [threading.Thread(target=ask, args=(daemon.new_client(keys["a"]),))
                   for _ in range(4)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            daemon.signal(signal.SIGHUP)
            time.sleep(0.005)
        self.assertEqual(faults, [])


class RateLimit(Keys):
    def test_past_the_limit_503_tells_when_to_come_back(self):
        daemon, keys = self.start_with({"a": "none", "b": "none"}, "--rate-limit", "0.5",
                                       "--rate-burst", "3")
        client, other = daemon.new_client(keys["a"]), daemon.new_client(keys["b"])
        for _ in range(3):
            self.assertEqual(client.get("/model").status, 200)
        answer = client.get("/model")
        self.assert_error(answer, 503, "rate_limited", "key a is past its limit of 0.5 requests")
        self.assertIn(answer.headers["Retry-After"], ("1", "2"))
        self.assertEqual(other.get("/model").status, 200)       # each key has its own
        self.assertEqual(client.get("/readyz").status, 200)     # probes need none
        self.assertEqual(read_metrics(other)['micro_http_refusals_total{code="rate_limited"}'], 1)
        time.sleep(2.1)
        self.assertEqual(client.get("/model").status, 200)

    def test_rate_is_held(self):
        daemon, keys = self.start_with({"a": "none"}, "--rate-limit", "50", "--rate-burst", "1")
        client = daemon.new_client(keys["a"])
        begin, passed = time.monotonic(), 0
        while time.monotonic() - begin < 1:
            passed += client.get("/model").status == 200
        seconds = time.monotonic() - begin
        self.assertLessEqual(passed, 50 * seconds + 1)
        self.assertGreaterEqual(passed, 15)  # a busy machine may let the client sleep


class Listening(Keys):
    def test_other_machines_are_let_in_with_keys_or_on_purpose_only(self):
        options = ("--model", self.model, "--state", self.folder / "s", "--port", "0")
        for address in ("0.0.0.0", "::", "192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"):
            status, _, errors = run("microd", *options, "--listen", address)
            self.assertEqual(status, 2, address)
            self.assertIn("--api-keys", errors)
            self.assertIn("--allow-anonymous", errors)
        self.assertFalse((self.folder / "s").exists())

    def test_loopback_needs_neither(self):
        self.start(self.model, "--listen", "127.0.0.1")

    def test_anonymous_on_purpose(self):
        daemon = self.start(self.model, "--listen", "0.0.0.0", "--allow-anonymous")
        self.assertEqual(daemon.client.get("/model").status, 200)

    def test_keys_win_over_allow_anonymous(self):
        daemon, keys = self.start_with({"a": "score"}, "--listen", "0.0.0.0", "--allow-anonymous")
        self.assertEqual(daemon.client.get("/model").status, 401)
        self.assertEqual(daemon.new_client(keys["a"]).get("/model").status, 200)

    def test_limits_without_keys_are_refused(self):
        status, _, errors = run("microd", "--model", self.model, "--rate-limit", "1")
        self.assertEqual(status, 2)
        self.assertIn("--api-keys", errors)

    def test_bad_key_file_does_not_start(self):
        self.file.write_text("nonsense\n")
        status, _, errors = run("microd", "--model", self.model, "--port", "0", "--state",
                                self.folder / "s", "--api-keys", self.file)
        self.assertEqual(status, 1)
        self.assertIn("line 1", errors)
        self.assertNotIn("nonsense", errors)


class Secrets(Keys):
    """Nothing of a request but its route, its id and the name of its key is logged or counted."""

    def send_raw(self, port, *requests):
        """What is no HTTP; the answers do not matter."""
        for request in requests:
            with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
                connection.sendall(request)
                try:
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(65536):
                        pass
                except OSError:  # the other end may be gone before
                    pass

    def test_keys_texts_and_users_are_in_no_log_and_no_metric(self):
        model = models.text_model(self.folder)
        for level in ("error", "warn", "info", "debug"):
            with self.subTest(level):
                self.look_for_secrets(model, level)
                self.log_path.unlink()

    def send_secrets_beside_the_body(self, client):
        """In queries and headers, receipts and imports: right ones and wrong ones."""
        question = {"query": "promptsecret", "documents": ["chosensecret"]}
        self.assertEqual(client.post("/rerank?user=usersecret&context=contextsecret",
                                     question).status, 200)
        self.assertEqual(client.post("/rerank", question, headers={
            "X-Micro-User": "usersecret", "X-Micro-Context": "contextsecret"}).status, 200)
        for query, headers in (("?user=usersecret%zz", {}), ("?user=" + "usersecret" * 100, {}),
                               ("?user=usersecret", {"X-Micro-User": "secret2"}),
                               ("", {"X-Micro-User": b"usersecret\xff"}),
                               ("", {"X-Micro-Context": "secret" * 100})):
            self.assertIn(client.post("/rerank" + query, question, headers=headers).status,
                          (400, 422))
        feedback = {"user": "usersecret", "prompt": "promptsecret", "chosen": "chosensecret",
                    "rejected": "rejectedsecret"}
        for key, status in (("keysecret", 200), ('"keysecret', 400), ("keysecret" * 100, 422)):
            self.assertEqual(client.post("/feedback", feedback, headers={"Idempotency-Key": key})
                             .status, status)
        scored = client.post("/score", {"user": "usersecret", "prompt": "promptsecret",
                                        "responses": ["chosensecret", "rejectedsecret"],
                                        "receipt": True})
        receipt = {"receipt": scored.json["receipt"], "chosen": 0, "rejected": 1}
        self.assertEqual(client.post("/feedback", receipt).status, 200)
        for change in ({"chosen": 1, "rejected": 0}, {"user": "othersecret"}, {"chosen": 7},
                       {"receipt": "receiptsecret"}, {"context": "contextsecret"}):
            self.assertEqual(client.post("/feedback", receipt | change).status, 422)
        lines = client.get("/users/usersecret/export").body
        as_lines = {"Content-Type": "application/x-ndjson"}
        for user, body, status in (("importsecret", lines, 422), ("usersecret", lines, 200),
                                   ("usersecret", b'{"usersecret', 400)):
            self.assertEqual(client.post(f"/users/{user}/import", body, headers=as_lines).status,
                             status)
        self.receipts.append(receipt["receipt"])

    def look_for_secrets(self, model, level):
        key, line = new_key("app", "score,feedback,admin")
        own, _ = new_key("own", "none")
        self.write_keys(line)
        self.receipts = []
        secrets = {key, own, "usersecret", "promptsecret", "chosensecret", "rejectedsecret",
                   "contextsecret", "eventsecret", "wrongsecret", "pathsecret", "querysecret",
                   basic("u", key).split()[1], basic("u", "wrongsecret").split()[1]}
        daemon = self.start(model, "--api-keys", self.file, "--log-level", level,
                            "--access-log", "--keep-inputs", env={"MICROD_API_KEY": own})
        client = daemon.new_client(key)
        feedback = {"user": "usersecret", "context": "contextsecret", "prompt": "promptsecret",
                    "chosen": "chosensecret", "rejected": "rejectedsecret", "id": "eventsecret"}
        score = {"user": "usersecret", "prompt": "promptsecret", "responses": ["chosensecret"]}
        self.assertEqual(client.post("/feedback", feedback).status, 200)
        self.assertEqual(client.post("/feedback", feedback | {"chosen": "x"}).status, 422)
        self.assertEqual(client.post("/score?querysecret", score).status, 200)
        for body in (score | {"usersecret": 1}, score | {"user": ["usersecret"]},
                     '{"user":"usersecret",', {"responses": ["chosensecret"], "user": "usersecret\0"}):
            self.assertIn(client.post("/score", body).status, (400, 422))
        self.assertEqual(client.get("/users/usersecret").status, 200)
        self.assertEqual(client.get("/users/usersecret%zz").status, 400)
        self.assertEqual(client.get("/pathsecret").status, 404)
        for header in ("Bearer wrongsecret", basic("u", "wrongsecret"), "wrongsecret"):
            answer = client.post("/score", score, headers={"Authorization": header})
            self.assertEqual(answer.status, 401)
        self.assertEqual(client.post("/score", score,
                                     headers={"Authorization": basic("u", key)}).status, 200)
        self.send_secrets_beside_the_body(client)
        self.assertEqual(daemon.new_client(own).delete("/users/usersecret").status, 200)
        post = b"POST /score HTTP/1.1\r\nHost: secret\r\n"
        self.send_raw(daemon.port, b"GET /secret HTTP/9.9\r\n\r\n", b"SECRET\r\n\r\n",
                      b"GET /livez HTTP/1.1\r\nsecret\r\n\r\n", b"secret\0" * 50000,
                      post + b"Content-Length: secret\r\n\r\n",
                      post + b"Transfer-Encoding: secret\r\n\r\n",
                      post + b"Transfer-Encoding: chunked\r\n\r\nsecret\r\n",
                      post + b"Content-Length: 100\r\n\r\n" + b'{"user":"secret"',
                      post + b"Content-Type: secret/secret\r\nContent-Length: 1\r\n\r\n{",
                      post + b"X-Request-Id: " + b"secret" * 100 + b"\r\n\r\n")
        metrics = client.get("/metrics").body.decode()
        daemon.stop()
        log, self.log_path = daemon.log(), daemon.log_path
        if level in ("info", "debug"):
            self.assertIn("key=app", log)
            self.assertIn("key=environment", log)
        for secret in (*secrets, *self.receipts):
            self.assertNotIn(secret, log)
            self.assertNotIn(secret, metrics)
        self.assertEqual(re.findall("(?i)secret", log + metrics), [])

    def test_process_can_gain_no_privileges(self):
        daemon, _ = self.start_with({"a": "none"})
        with open(f"/proc/{daemon.process.pid}/status", encoding="ascii") as file:
            self.assertIn("NoNewPrivs:\t1\n", file.readlines())


class RequestId(Keys):
    def test_id_is_echoed_or_made_and_logged_with_the_key(self):
        daemon, keys = self.start_with({"a": "none"}, "--access-log")
        client = daemon.new_client(keys["a"])
        answer = client.get("/model", headers={"X-Request-Id": "trace-1/ä".encode()})
        self.assertRegex(answer.headers["X-Request-Id"], "^[0-9a-f-]{36}$")
        answer = client.get("/model", headers={"X-Request-Id": "trace-2"})
        self.assertEqual(answer.headers["X-Request-Id"], "trace-2")
        answer = daemon.client.get("/model", headers={"X-Request-Id": "trace-3"})
        self.assertEqual((answer.status, answer.headers["X-Request-Id"]), (401, "trace-3"))
        lines = {re.search("request_id=(\\S+)", line)[1]: line
                 for line in daemon.log().splitlines() if "event=request" in line}
        self.assertRegex(lines["trace-2"], r"level=info .*route=/model status=200 ms=\S+ key=a$")
        self.assertRegex(lines["trace-3"], r"status=401 ms=\S+ code=unauthorized$")

    def test_without_access_log_only_refusals_are_logged(self):
        daemon, keys = self.start_with({"a": "none"})
        client = daemon.new_client(keys["a"])
        client.get("/model", headers={"X-Request-Id": "quiet"})
        client.post("/score", SCORE, headers={"X-Request-Id": "loud"})
        self.assertNotIn("request_id=quiet", daemon.log())
        self.assertIn("request_id=loud", daemon.log())


if __name__ == "__main__":
    main()
