#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trainers' clients against a real microd: their bytes in, what they read out."""
import json
import math
import pickle

import models
import trainer_clients as clients
from harness import Scenario, SharedDaemon, main, run

PROMPT = "How long do I boil an egg?\n"
CHAT = [{"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": PROMPT}], "name": "ada"}]
ANSWERS = ["Seven minutes, then cold water.",
           "Follow these steps: 1. boil water. 2. lower the egg in. 3. wait seven minutes.",
           "Bis das Eiweiß fest ist: etwa sieben Minuten. 🥚"]


class Trainers(SharedDaemon):
    @classmethod
    def make_model(cls, folder):
        return models.text_model(folder)

    def setUp(self):
        super().setUp()
        self.url = f"http://127.0.0.1:{self.daemon.port}"
        self.post = self.client.post

    def native(self, prompt, response, user=None, context=None):
        """What POST /score says."""
        answer = self.post("/score", {"prompt": prompt, "responses": [response], "user": user,
                                      "context": context}).json
        return answer["rewards"][0]

    def teach(self, user, n=3):
        for i in range(n):
            answer = self.post("/feedback", {"user": user, "id": f"e{i}", "prompt": PROMPT,
                                             "chosen": ANSWERS[1], "rejected": ANSWERS[0]})
            self.assertEqual(answer.status, 200, answer)

    # ---- OpenRLHF, LightRFT ----

    def test_openrlhf_gets_a_sample_s_reward_score_and_logs(self):
        answer = clients.openrlhf([f"{self.url}/get_reward"], PROMPT + ANSWERS[0], PROMPT, None)
        reward = self.native(PROMPT, ANSWERS[0])
        self.assertEqual(answer["reward"], reward)
        self.assert_near(answer["score"], 1 / (1 + math.exp(-reward)))
        self.assertEqual(set(answer["logs"]), {"head_0", "head_1", "head_2", "head_3", "entropy"})
        self.assertTrue(0 < answer["logs"]["entropy"] <= math.log(4) + 1e-9)
        weights = self.post("/score", {"prompt": PROMPT, "responses": ANSWERS[:1]}).json["weights"]
        self.assert_near(sum(w * answer["logs"][f"head_{k}"] for k, w in enumerate(weights)),
                         reward, tolerance=1e-6)

    def test_openrlhf_sends_empty_arrays_to_further_servers(self):
        seen = []
        urls = [f"{self.url}/get_reward", f"{self.url}/v1/get_reward"]
        answer = clients.openrlhf(urls, PROMPT + ANSWERS[0], PROMPT, {"any": 1}, seen)
        self.assertEqual(seen, [200, 200])
        self.assertEqual(answer["reward"], self.native(PROMPT, ANSWERS[0]))
        empty = self.post("/get_reward", {"query": [], "prompts": [], "labels": []})
        self.assertEqual(empty.body, b'{"rewards":[],"scores":[],"extra_logs":{}}')

    def test_a_policy_may_write_nul(self):
        """A tokenizer of bytes has U+0000, too: no reason to lose the rest of the rollout."""
        texts = [ANSWERS[0], "a\0b", "\0", ANSWERS[1] + "\0"]
        answer = self.post("/get_reward", {"query": [PROMPT + "\0" + text for text in texts],
                                           "prompts": [PROMPT + "\0"] * 4})
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(answer.json["rewards"],
                         [self.native(PROMPT + "\0", text) for text in texts])
        self.assertNotEqual(self.native(PROMPT, "a\0b"), self.native(PROMPT, "a"))
        ranked = self.post("/rerank", {"query": "q", "documents": texts}).json["results"]
        self.assertEqual({one["document"]["text"] for one in ranked}, set(texts))
        given = self.post("/feedback", {"user": "nul", "id": "1", "prompt": PROMPT,
                                        "chosen": "a\0b", "rejected": "a\0c"})
        self.assertEqual(given.status, 200, given)
        self.assert_error(self.post("/feedback", {"user": "nul", "id": "1", "prompt": PROMPT,
                                                  "chosen": "a\0b", "rejected": "a"}),
                          422, "event_id_reused", param="/id")

    def test_a_rollout_of_thousands_comes_in_one_post(self):
        n = 3000
        queries = [f"{PROMPT}{ANSWERS[i % 3]} {i}" for i in range(n)]
        rewards = clients.openrlhf_2025(f"{self.url}/get_reward", queries, [PROMPT] * n,
                                        [None] * n)
        self.assertEqual(len(rewards), n)
        for i in (0, 1, 2, n - 1):
            self.assertEqual(rewards[i], self.native(PROMPT, f"{ANSWERS[i % 3]} {i}"))

    def test_lightrft_says_queries(self):
        rewards = clients.lightrft(f"{self.url}/get_reward", [PROMPT + a for a in ANSWERS],
                                   [PROMPT] * 3)
        self.assertEqual(rewards, [self.native(PROMPT, a) for a in ANSWERS])

    def test_query_without_its_prompt_in_front_is_the_response(self):
        cut = "boil an egg?\n" + ANSWERS[0]
        rewards = clients.lightrft(f"{self.url}/get_reward", [cut], [PROMPT])
        self.assertEqual(rewards, [self.native(PROMPT, cut)])
        answer = self.post("/get_reward", {"query": [ANSWERS[0]]}).json
        self.assertEqual(answer["rewards"], [self.native("", ANSWERS[0])])

    def test_user_and_context_come_beside_the_body(self):
        self.teach("rlhf user")
        personal = self.native(PROMPT, ANSWERS[0], "rlhf user")
        self.assertNotEqual(personal, self.native(PROMPT, ANSWERS[0]))
        body = {"query": [PROMPT + ANSWERS[0]], "prompts": [PROMPT]}
        for path, headers in (("?user=rlhf+user", {}), ("?user=rlhf%20user&x=1", {}),
                              ("", {"X-Micro-User": "rlhf user"}),
                              ("?user=rlhf+user", {"X-Micro-User": "rlhf user"})):
            answer = self.post("/get_reward" + path, body, headers=headers)
            self.assertEqual(answer.json["rewards"], [personal], (path, headers))
        answer = self.post("/get_reward?user=rlhf+user&context=steps", body).json
        self.assertEqual(answer["rewards"],
                         [self.native(PROMPT, ANSWERS[0], "rlhf user", "steps")])

    # ---- verl, vLLM, SGLang ----

    def test_verl_reads_the_raw_reward(self):
        text = PROMPT + ANSWERS[0]
        reward = clients.verl_vllm(f"127.0.0.1:{self.daemon.port}", text)
        self.assertEqual(reward, self.native("", text))

    def test_classify_is_vllm_s_answer(self):
        answer = self.post("/v1/classify", {"model": "m", "input": ANSWERS, "priority": 0}).json
        self.assertEqual(answer["object"], "list")
        self.assertEqual([one["index"] for one in answer["data"]], [0, 1, 2])
        for one, text in zip(answer["data"], ANSWERS):
            self.assert_near(one["probs"], [1 / (1 + math.exp(-self.native("", text)))])
        raw = self.post("/classify", {"input": ANSWERS, "activation": False}).json
        self.assertEqual([one["probs"][0] for one in raw["data"]],
                         [self.native("", text) for text in ANSWERS])

    def test_verl_raises_4xx_at_once(self):
        seen = []
        with self.assertRaises(clients.ClientFault):
            clients.verl_vllm(f"127.0.0.1:{self.daemon.port}", [1, 2], seen)
        self.assertEqual(seen, [422])

    def test_sglang_gets_a_bare_array(self):
        rewards = clients.sglang_classify(f"{self.url}/classify", ANSWERS)
        self.assertEqual(rewards, [self.native("", text) for text in ANSWERS])
        one = self.post("/classify", {"text": ANSWERS[0]})
        self.assertEqual(one.json, {"embedding": [rewards[0]]})

    def test_classify_takes_a_conversation_that_ends_with_the_response(self):
        chat = CHAT + [{"role": "assistant", "content": ANSWERS[1]}]
        want = self.native(CHAT, ANSWERS[1])
        self.assertNotEqual(want, self.native(PROMPT, ANSWERS[1]))
        for path in ("/classify", "/v1/classify"):
            self.assertEqual(clients.vllm_messages(self.url + path, chat), [want])
        self.teach("chat user")
        body = {"messages": chat, "use_activation": False}
        self.assertEqual(self.post("/classify?user=chat+user", body).json["data"][0]["probs"],
                         [self.native(CHAT, ANSWERS[1], "chat user")])
        squashed = self.post("/classify", {"messages": chat}).json["data"]
        self.assertEqual(squashed, [{"index": 0, "label": None, "num_classes": 1,
                                     "probs": [1 / (1 + math.exp(-want))]}])

    # ---- prompts that are messages, elsewhere ----

    def test_a_prompt_may_be_messages(self):
        want = self.native(CHAT, ANSWERS[0])
        self.assertEqual(clients.slime(f"{self.url}/score", CHAT, ANSWERS[0], None, "score"), want)
        self.assertEqual(clients.slime(f"{self.url}/score?format=scalar", CHAT, ANSWERS[0]), want)
        self.assertEqual(self.post("/score", {"messages": CHAT, "response": ANSWERS[0]}
                                   ).json["score"], want)
        best = clients.rerank(f"{self.url}/rerank", CHAT, ANSWERS[:1], raw_scores=True)
        self.assertEqual(best["results"][0]["relevance_score"], want)
        chat = CHAT + [{"role": "assistant", "content": ANSWERS[0]}]
        self.assertEqual(clients.llamafactory(f"{self.url}/v1/score/evaluation", chat), [want])
        single = [{"role": "user", "content": PROMPT}]
        self.assertEqual(clients.lightrft(f"{self.url}/get_reward",
                                          [ANSWERS[0], PROMPT + ANSWERS[1]], [CHAT, single]),
                         [want, self.native(PROMPT, ANSWERS[1])])

    # ---- slime ----

    def test_slime_takes_an_object_or_a_number(self):
        reward = self.native(PROMPT, ANSWERS[1])
        self.assertEqual(clients.slime(f"{self.url}/score", PROMPT, ANSWERS[1], "gold", "score"),
                         reward)
        self.assertEqual(clients.slime(f"{self.url}/score?format=scalar", PROMPT, ANSWERS[1]),
                         reward)
        answer = self.post("/score", {"prompt": PROMPT, "response": ANSWERS[1], "label": None})
        self.assertEqual(set(answer.json), {"score", "heads", "entropy"})
        self.assertEqual(len(answer.json["heads"]), 4)
        self.assert_error(self.post("/score?format=xml", {"response": "a"}), 422, "invalid_value",
                          "want scalar", "?format")

    # ---- LlamaFactory ----

    def test_llamafactory_reads_scores(self):
        scores = clients.llamafactory(f"{self.url}/v1/score/evaluation", ANSWERS)
        self.assertEqual(scores, [self.native("", text) for text in ANSWERS])

    def test_no_refusal_has_scores(self):
        for payload, status in (({"messages": []}, 400), ({"messages": [1]}, 422), ({}, 422),
                                ({"messages": ["a"] * 5000}, 422)):
            answer = self.post("/v1/score/evaluation", payload)
            self.assertEqual(answer.status, status, answer)
            self.assertNotIn("scores", answer.json)

    def test_slime_s_body_may_name_the_user(self):
        self.teach("slime user")
        body = {"prompt": PROMPT, "response": ANSWERS[0], "label": None}
        want = self.native(PROMPT, ANSWERS[0], "slime user")
        self.assertNotEqual(want, self.native(PROMPT, ANSWERS[0]))
        for path in ("/score", "/score?user=slime+user"):
            self.assertEqual(self.post(path, body | {"user": "slime user"}).json["score"], want)
        self.assertEqual(self.post("/score?user=slime+user", body | {"user": None}).json["score"],
                         want)

    # ---- rerankers ----

    def test_rerank_puts_the_best_first(self):
        rewards = [self.native(PROMPT, a) for a in ANSWERS]
        best = sorted(range(3), key=lambda i: -rewards[i])
        for path in ("/rerank", "/v1/rerank", "/v2/rerank"):
            results = clients.rerank(self.url + path, PROMPT, ANSWERS)["results"]
            self.assertEqual([r["index"] for r in results], best)
            self.assert_near([r["relevance_score"] for r in results],
                             [1 / (1 + math.exp(-rewards[i])) for i in best])
            self.assertEqual([r["document"]["text"] for r in results], [ANSWERS[i] for i in best])

    def test_rerank_is_for_the_user_who_is_named(self):
        self.teach("reader")
        top = clients.rerank(f"{self.url}/rerank", PROMPT, [{"text": a} for a in ANSWERS],
                             user="reader", top_n=1, return_documents=False, raw_scores=True)
        best = max(range(3), key=lambda i: self.native(PROMPT, ANSWERS[i], "reader"))
        self.assertEqual(top["results"], [{
            "index": best, "relevance_score": self.native(PROMPT, ANSWERS[best], "reader")}])

    def test_rerank_of_more_than_there_are_is_all(self):
        for top_n in (None, 0, 3, 4, 1.0e9, 2 ** 63):
            body = {"query": PROMPT, "documents": ANSWERS, "top_n": top_n}
            self.assertEqual(len(self.post("/rerank", body).json["results"]), 3, top_n)

    def test_rerank_of_tei_is_a_bare_array(self):
        answer = self.post("/rerank", {"query": PROMPT, "texts": ANSWERS + ANSWERS[:1],
                                       "raw_scores": True, "return_text": True}).json
        self.assertEqual(len(answer), 4)
        self.assertEqual([one["score"] for one in answer],
                         sorted((one["score"] for one in answer), reverse=True))
        twins = [one["index"] for one in answer if one["text"] == ANSWERS[0]]
        self.assertEqual(twins, [0, 3])

    # ---- TRL ----

    def test_trl_reward_is_picklable_checked_and_per_user(self):
        self.teach("trl user")
        reward = pickle.loads(pickle.dumps(clients.recipe("trl_reward").MicroReward(self.url)))
        self.assertEqual(reward(prompts=[PROMPT] * 3, completions=ANSWERS, trainer_state=None),
                         [self.native(PROMPT, a) for a in ANSWERS])
        chat = [CHAT], [[{"role": "assistant", "content": ANSWERS[0]}]]
        self.assertEqual(reward(prompts=chat[0], completions=chat[1], user=["trl user"]),
                         [self.native(CHAT, ANSWERS[0], "trl user")])
        several = [[{"role": "assistant", "content": "a"}, {"role": "user", "content": "b"}]]
        with self.assertRaisesRegex(ValueError, "one message"):
            reward(prompts=chat[0], completions=several)
        self.assertEqual(reward(prompts=[], completions=[]), [])

    # ---- what is wrong ----

    def test_faults_are_named(self):
        long = "u" * 257
        for path, body, code, param in (
                ("/get_reward", {}, "missing_field", "/query"),
                ("/get_reward", [], "invalid_type", None),
                ("/get_reward", {"query": ["a", 1]}, "invalid_type", "/query/1"),
                ("/get_reward", {"query": [1, 2]}, "invalid_type", "/query/0"),
                ("/get_reward", {"query": {"a": 1}}, "invalid_type", "/query"),
                ("/get_reward", {"query": ["a"] * 4097}, "invalid_value", "/query"),
                ("/get_reward", {"query": ["a"], "prompts": ["a", "b"]}, "invalid_value",
                 "/prompts"),
                ("/classify", {"prompt": "a"}, "missing_field", "/input"),
                ("/classify", {"input": "a", "use_activation": 1}, "invalid_type",
                 "/use_activation"),
                ("/classify", {"input": "a", "messages": CHAT}, "invalid_value", "/messages"),
                ("/classify", {"text": "a", "messages": CHAT}, "invalid_value", "/messages"),
                ("/classify", {"text": "a", "input": "a"}, "invalid_value", "/input"),
                ("/score?user=a", {"response": "a", "user": "b"}, "invalid_value", "/user"),
                ("/score", {"response": "a", "user": ""}, "invalid_value", "/user"),
                ("/rerank?user=a", {"query": "q", "documents": ["a"], "user": "b"},
                 "invalid_value", "/user"),
                ("/rerank?context=a", {"query": "q", "documents": ["a"], "context": "b"},
                 "invalid_value", "/context"),
                ("/classify", {"messages": CHAT}, "invalid_value", "/messages/1/role"),
                ("/classify", {"messages": [{"role": "assistant", "content": "a"}]},
                 "invalid_value", "/messages"),
                ("/classify", {"messages": ["a"]}, "invalid_type", "/messages/0"),
                ("/score/evaluation", {"messages": CHAT}, "invalid_value", "/messages/1/role"),
                ("/score/evaluation", {"messages": ["a", CHAT]}, "invalid_type", "/messages/1"),
                ("/score", {"prompt": [{"role": "user"}], "response": "a"}, "missing_field",
                 "/prompt/0/content"),
                ("/score", {"prompt": "p", "messages": CHAT, "response": "a"}, "invalid_value",
                 "/messages"),
                ("/get_reward", {"query": ["a"], "prompts": [[]]}, "invalid_value", "/prompts/0"),
                ("/get_reward", {"query": ["a"], "prompts": CHAT[:1]}, "invalid_type",
                 "/prompts/0"),
                ("/rerank", {"query": ["q"], "documents": ["a"]}, "invalid_type", "/query/0"),
                ("/rerank", {"query": "q"}, "missing_field", "/documents"),
                ("/rerank", {"query": "q", "documents": []}, "invalid_value", "/documents"),
                ("/rerank", {"query": "q", "documents": [{"txt": "a"}]}, "missing_field",
                 "/documents/0/text"),
                ("/rerank", {"query": 1, "documents": ["a"]}, "invalid_type", "/query"),
                ("/rerank", {"query": "q", "documents": ["a"], "top_n": -1}, "invalid_value",
                 "/top_n"),
                ("/score", {"response": 1}, "invalid_type", "/response"),
                ("/get_reward?user=" + long, {"query": ["a"]}, "invalid_value", "?user"),
                ("/get_reward?user=", {"query": ["a"]}, "invalid_value", "?user"),
                ("/get_reward?user=a%00", {"query": ["a"]}, "invalid_value", "?user")):
            self.assert_error(self.post(path, body), 422, code, "", param)
        for top_n, code in ((-1, "invalid_value"), (0.5, "invalid_value"), ("1", "invalid_type")):
            body = {"query": "q", "documents": ["a"], "top_n": top_n}
            self.assert_error(self.post("/rerank", body), 422, code, "how many results", "/top_n")
        for path, param in (("/get_reward?user=%4", "?user"), ("/get_reward?user=%ff", "?user")):
            self.assert_error(self.post(path, {"query": ["a"]}), 400, "malformed", "", param)
        self.assert_error(self.post("/get_reward?user=a", {"query": ["a"]},
                                    headers={"X-Micro-User": "b"}), 422, "invalid_value",
                          "another value", "X-Micro-User")
        self.assert_error(self.client.get("/get_reward"), 405, "method_not_allowed")


class Kept(Scenario):
    def test_texts_with_nul_can_be_kept_moved_and_trained_on(self):
        model = models.text_model(self.folder)
        daemon = self.start(model, "--keep-inputs")
        for i in range(20):
            given = daemon.client.post("/feedback", {"user": "nul", "prompt": f"{i}\0",
                                                     "chosen": f"\0a{i}\0", "rejected": "\0"})
            self.assertEqual(given.status, 200, given)
        lines = daemon.client.get("/users/nul/export").body
        daemon.client.delete("/users/nul")
        answer = daemon.client.post("/users/nul/import", lines,
                                    headers={"Content-Type": "application/x-ndjson"})
        self.assertEqual(answer.json["imported"], {"events": 20})
        kept = [json.loads(line).get("input") for line in lines.decode().splitlines()]
        pairs = self.folder / "pairs.jsonl"
        pairs.write_text("".join(line if line.endswith("\n") else line + "\n"
                                 for line in kept if line))
        self.assertEqual(json.loads(pairs.read_text().splitlines()[3])["chosen"], "\0a3\0")
        status, said, fault = run("micro-model", "eval", "--model", model, "--data", pairs,
                                  "--json")
        self.assertEqual((status, fault), (0, ""))
        self.assertEqual(json.loads(said)["n_pairs"], 20)


class Vectors(Scenario):
    def test_model_of_vectors_refuses_texts_by_name(self):
        models.write_vector_model(self.folder / "m")
        daemon = self.start(self.folder / "m")
        answer = daemon.client.post("/get_reward", {"query": ["a"]})
        self.assertEqual(answer.status, 422)
        self.assertIn("takes vectors", answer.error["message"])
        self.assertNotIn("rewards", json.loads(answer.body))

    def test_slime_s_body_may_have_vectors(self):
        models.write_vector_model(self.folder / "m")
        client = self.start(self.folder / "m").client
        prompt, response = ({"embedding": [x / 10 for x in range(i, i + 4)]} for i in (1, 2))
        want = client.post("/score", {"prompt": prompt, "responses": [response]}).json["rewards"]
        answer = client.post("/score?format=scalar", {"prompt": prompt, "response": response})
        self.assertEqual([answer.json], want)
        self.assert_error(client.post("/score", {"response": response}), 422, "missing_field",
                          param="/prompt")


if __name__ == "__main__":
    main()
