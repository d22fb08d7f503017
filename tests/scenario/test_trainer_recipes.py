#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The recipes of deploy/trainers: each row of its table at the paths that it names, the files beside
it, and what a server that is overloaded, away or wrong does to a training."""
import http.client
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from unittest import mock

import models
import trainer_clients as clients
from harness import PATIENCE, ROOT, SharedDaemon, main

README = (ROOT / "deploy/trainers/README.md").read_text()
PROMPT = "How long do I boil an egg?"
ANSWER = "Seven minutes, then cold water."
OVERLOADED = json.dumps({"error": {
    "message": "1024 writes are waiting, the queue is full: try again later",
    "type": "overloaded_error", "param": None, "code": "overloaded"}}).encode()
CUT_OFF = None  # the connection ends without an answer


def rows():
    """What the table has: trainer -> the paths that its setting names."""
    found = {}
    for line in re.findall(r"(?m)^\| .*$", README):
        name, setting, _ = (cell.strip() for cell in line.strip("|").split(" | "))
        if name != "trainer":
            found[name] = re.findall(r"(?:HOST:8080|`\.\.\.|`)(/[\w/]+(?:\?\w+=\w+)?)", setting)
    return found


class Front:
    """A server before microd. faults: for each of the next requests 503, CUT_OFF or a body to
    answer with; requests after these are microd's."""

    def __init__(self, port):
        self.faults = []
        self.targets = []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):  # pylint: disable=invalid-name
                body = self.rfile.read(int(self.headers["Content-Length"]))
                owner.targets.append(self.path)
                fault = owner.faults.pop(0) if owner.faults else 200
                if fault is not CUT_OFF:
                    self.answer(*owner.answer(fault, port, self.path, body, self.headers))

            def answer(self, status, headers, body):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, fault, port, path, body, headers):
        if fault == 200:
            return self.relay(port, path, body, headers)
        kind = {"Content-Type": "application/json", "X-Request-Id": "front"}
        if fault == 503:
            return 503, kind | {"Retry-After": "1"}, OVERLOADED
        return 200, kind, fault

    @staticmethod
    def relay(port, path, body, headers):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        try:
            connection.request("POST", path, body, {
                name: headers[name] for name in ("Content-Type", "Authorization")
                if name in headers})
            answer = connection.getresponse()
            return answer.status, {name: answer.headers[name] for name in (
                "Content-Type", "X-Request-Id")}, answer.read()
        finally:
            connection.close()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Recipes(SharedDaemon):
    @classmethod
    def make_model(cls, folder):
        return models.text_model(folder)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.trl, cls.verl = clients.recipe("trl_reward"), clients.recipe("verl_reward")

    def setUp(self):
        super().setUp()
        self.front = Front(self.daemon.port)
        self.addCleanup(self.front.stop)
        self.waits = []
        self.enterContext(mock.patch("time.sleep", self.waits.append))

    def native(self, prompt, user=None):
        answer = self.client.post("/score", {"prompt": prompt, "responses": [ANSWER],
                                             "user": user})
        return answer.json["rewards"][0]

    def ask_verl(self, path="/classify", extra_info=None, **more):
        return self.verl.compute_score(data_source="d", solution_str=ANSWER, ground_truth=None,
                                       extra_info=extra_info or {"prompt": PROMPT},
                                       url=self.front.url + path, **more)

    def ask_trl(self, n=1):
        return self.trl.MicroReward(self.front.url)([PROMPT] * n, [ANSWER] * n)

    # ---- the table ----

    def test_each_row_gets_its_reward_at_the_paths_it_names(self):
        text = PROMPT + ANSWER
        chat = [{"role": "user", "content": PROMPT}, {"role": "assistant", "content": ANSWER}]
        asks = {
            "OpenRLHF": lambda url: clients.openrlhf([url], text, PROMPT, None)["reward"],
            "LightRFT": lambda url: clients.lightrft(url, [text], [PROMPT])[0],
            "verl": lambda url: self.verl.compute_score("d", ANSWER, None, {"prompt": PROMPT},
                                                        url=url),
            "SGLang clients, AReaL": lambda url: clients.sglang_classify(url, [ANSWER])[0],
            "slime": lambda url: clients.slime(url, PROMPT, ANSWER,
                                               reward_key=None if "scalar" in url else "score"),
            "LlamaFactory": lambda url: clients.llamafactory(url, chat)[0],
            "TRL": lambda url: self.trl.MicroReward(url)([PROMPT], [ANSWER])[0],
            "best of N": lambda url: clients.rerank(url, PROMPT, [ANSWER], raw_scores=True)
                         ["results"][0]["relevance_score"],
        }
        table = rows()
        self.assertEqual(list(table), list(asks))
        for trainer, paths in table.items():
            prompt = "" if trainer.startswith("SGLang") else PROMPT
            for path in paths or [""]:
                self.front.targets.clear()
                self.assertEqual(asks[trainer](self.front.url + path), self.native(prompt),
                                 (trainer, path))
                self.assertEqual(self.front.targets, [path or "/score"], trainer)
        self.assertEqual([len(paths) for paths in table.values()], [1, 1, 1, 1, 2, 1, 0, 3])

    # ---- a server that is overloaded for a while, or away ----

    def test_trainers_survive_what_they_try_again(self):
        text, faults = PROMPT + ANSWER, [503, CUT_OFF, 503]
        want, raw = self.native(PROMPT), self.native("")
        address = self.front.url.removeprefix("http://")
        for name, reward, ask in (
                ("OpenRLHF", want, lambda seen: clients.openrlhf(
                    [f"{self.front.url}/get_reward"], text, PROMPT, None, seen)["reward"]),
                ("verl", raw, lambda seen: clients.verl_vllm(address, ANSWER, seen)),
                ("slime", want, lambda seen: clients.slime(
                    f"{self.front.url}/score?format=scalar", PROMPT, ANSWER, seen=seen))):
            with self.subTest(name):
                seen = []
                self.front.faults = list(faults)
                self.assertEqual(ask(seen), reward)
                self.assertEqual(seen, faults + [200])

    def test_a_server_that_stays_away_ends_them(self):
        for name, tries, ask in (
                ("OpenRLHF", 5, lambda seen: clients.openrlhf(
                    [f"{self.front.url}/get_reward"], ANSWER, "", None, seen)),
                ("slime", 10, lambda seen: clients.slime(
                    f"{self.front.url}/score", PROMPT, ANSWER, seen=seen))):
            with self.subTest(name):
                seen = []
                self.front.faults = [503] * tries
                self.assertRaises(clients.ClientFault, ask, seen)
                self.assertEqual(seen, [503] * tries)

    def test_llamafactory_takes_no_overload_for_scores(self):
        self.front.faults = [503]
        with self.assertRaises(KeyError):
            clients.llamafactory(f"{self.front.url}/v1/score/evaluation", [ANSWER])

    # ---- verl_reward.py ----

    def test_verl_s_function_tries_again_as_verl_does(self):
        self.front.faults = [503, CUT_OFF, 503]
        self.assertEqual(self.ask_verl(), self.native(PROMPT))
        self.assertEqual(self.waits, [1, 2, 4])
        self.front.faults = [503] * self.verl.TRIES
        with self.assertRaisesRegex(RuntimeError, "/classify: 503: .*the queue is full"):
            self.ask_verl()
        self.assertEqual(max(self.waits), 30)

    def test_verl_s_function_raises_a_refusal_at_once(self):
        with self.assertRaisesRegex(RuntimeError, "422: .*/messages/0/role"):
            self.ask_verl(extra_info={"prompt": [{"role": 1, "content": "a"}]})
        with self.assertRaisesRegex(RuntimeError, "404: "):
            self.ask_verl("/no_such_route")
        self.assertEqual(self.waits, [])
        with self.assertRaises(KeyError):  # a dataset without prompts
            self.ask_verl(extra_info={"index": 1})

    def test_verl_s_function_is_for_the_user_of_the_dataset(self):
        chat = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": PROMPT}]
        self.assertEqual(self.ask_verl(extra_info={"prompt": chat}), self.native(chat))
        for i in range(3):
            answer = self.client.post("/feedback", {
                "user": "verl user", "id": str(i), "prompt": PROMPT, "chosen": ANSWER,
                "rejected": "Follow these steps: 1. boil water. 2. lower the egg in."})
            self.assertEqual(answer.status, 200, answer)
        personal = self.ask_verl(extra_info={"prompt": PROMPT, "user": "verl user"},
                                 reward_router_address=None, key="any")
        self.assertEqual(personal, self.native(PROMPT, "verl user"))
        self.assertNotEqual(personal, self.native(PROMPT))

    def test_verl_s_function_takes_no_answer_for_a_reward_that_is_none(self):
        for wrong in (b'{"data":[{"probs":[NaN]}]}', b'{"data":[{"probs":[null]}]}',
                      b'{"data":[{"probs":[]}]}', b'{"data":[]}', b'{}', b'', b'1'):
            self.front.faults = [wrong]
            with self.assertRaises((ValueError, TypeError, LookupError), msg=wrong):
                self.ask_verl()

    # ---- trl_reward.py ----

    def test_trl_s_function_waits_as_it_is_told(self):
        self.front.faults = [503, 503]
        self.assertEqual(self.ask_trl(), [self.native(PROMPT)])
        self.assertEqual(self.waits, [1, 1])
        self.front.faults = [503] * self.trl.TRIES
        with self.assertRaisesRegex(RuntimeError, "/score: 503: .*the queue is full"):
            self.ask_trl()
        self.assertEqual(self.front.faults, [])

    def test_trl_s_function_bridges_a_restart(self):
        self.front.faults = [CUT_OFF, 503, CUT_OFF]
        self.assertEqual(self.ask_trl(), [self.native(PROMPT)])
        self.assertEqual(self.waits, [1, 1, 4])
        self.front.faults = [CUT_OFF] * self.trl.TRIES
        with self.assertRaisesRegex(RuntimeError, "/score: .*closed connection"):
            self.ask_trl()
        self.assertEqual((self.front.faults, max(self.waits)), ([], self.trl.LONGEST_WAIT))

    def test_trl_s_function_raises_with_the_server_s_words(self):
        reward = self.trl.MicroReward(self.front.url)
        with self.assertRaisesRegex(RuntimeError, "422: .*/items/0/prompt/0"):
            reward([[{"role": "user"}]], [ANSWER])
        with self.assertRaises(ValueError):
            reward([PROMPT], [ANSWER] * 2)

    def test_trl_s_function_takes_no_answer_for_rewards_that_are_none(self):
        for items in ('{"rewards":[1.0]}', '{"rewards":[1]},{"rewards":[NaN]}',
                      '{"rewards":[1]},{"rewards":[Infinity]}', '{"rewards":[1]},{"rewards":[]}',
                      '{"rewards":[1]},{"rewards":[null]}', '{"rewards":[1]},{}', '',
                      '{"rewards":[1]},{"rewards":[1]},{"rewards":[1]}'):
            self.front.faults = [f'{{"items":[{items}]}}'.encode()]
            with self.assertRaises((ValueError, TypeError, LookupError), msg=items):
                self.ask_trl(2)


if __name__ == "__main__":
    main()
