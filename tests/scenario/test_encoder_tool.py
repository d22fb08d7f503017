#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Encoders behind HTTP: train, embed and eval with vectors of a server; the recipes of
deploy/encoders; conversations in training and serving."""
import contextlib
import json
import re
import sqlite3

import embedding_server as faults
import models
from embedding_server import PROBE, EmbeddingServer, vector_of
from encoder_scenario import SPEC, TEMPLATES
from harness import ROOT, Scenario, main, run
from prometheus import read_metrics


class Tool(Scenario):
    """micro-model with a server: what it learns does not depend on how the vectors came."""

    def setUp(self):
        super().setUp()
        self.server = EmbeddingServer(8)
        self.addCleanup(self.server.stop)
        self.data = self.folder / "pairs.jsonl"
        self.data.write_text("".join(
            json.dumps({"user": f"u{i % 5}", "prompt": f"p{i % 7}", "chosen": f"good {i}",
                        "rejected": f"bad {i}"}) + "\n" for i in range(300)), "utf-8")

    def tool(self, command, *arguments, expected=0, url=True, **more):
        address = ("--encoder-url", self.server.openai) if url else ()
        status, text, errors = run("micro-model", command, *address, *arguments, **more)
        self.assertEqual(status, expected, errors)
        return text if expected == 0 else errors

    def train(self, name, *arguments, **more):
        path = self.folder / name
        self.tool("train", "--out", path, "--heads", "2", "--epochs", "2", "--quiet",
                  *arguments, **more)
        return path

    def test_train_embed_eval_with_and_without_the_server(self):
        spec = ("--encoder", "openai:8?use_activation=false&model=m")
        direct = self.train("direct", "--data", self.data, *spec)
        # 600 responses, 7 prompts and the probe twice, none of them more often
        texts = self.server.texts()
        self.assertEqual(len(set(texts)), 600 + 7 + 1)
        self.assertLessEqual(len(texts), 600 + 7 + 2)
        self.assertLessEqual(self.server.n_requests(), 3 + 1 + 2)
        features = self.folder / "features.safetensors"
        self.server.forget()
        self.tool("embed", "--data", self.data, "--out", features, *spec)
        self.assertLessEqual(self.server.n_requests(), 2 * 3 + 2)
        direct_eval = self.tool("eval", "--model", direct, "--data", self.data, "--json")
        self.server.stop()
        # features bring the fingerprint along
        through = self.train("through", "--data", features, url=False)
        metadata = models.read_safetensors(through)[2]
        self.assertEqual(metadata["encoder"], "openai:8?model=m&use_activation=false")
        self.assertEqual(metadata["encoder.fingerprint"],
                         models.read_safetensors(direct)[2]["encoder.fingerprint"])
        self.assertEqual(models.read_safetensors(through)[0], models.read_safetensors(direct)[0])
        through_eval = self.tool("eval", "--model", direct, "--data", features, "--json",
                                 url=False)
        self.assert_near(json.loads(direct_eval)["nll"], json.loads(through_eval)["nll"], 1e-6)
        # texts cannot be encoded without it
        errors = self.tool("eval", "--model", direct, "--data", self.data, url=False, expected=2)
        self.assertIn("--encoder-url URL", errors)
        self.assertIn("openai:8", self.tool("show", "--model", direct, url=False))

    def test_features_of_another_model_are_refused(self):
        features = self.folder / "features.safetensors"
        self.tool("embed", "--data", self.data, "--out", features, "--encoder", "openai:8")
        model = self.train("model", "--data", features)
        self.server.salt = "another"
        self.assertIn("cosine", self.tool("eval", "--model", model, "--data", features,
                                          expected=1))
        self.assertIn("cosine", self.tool("train", "--data", features, "--out",
                                          self.folder / "no", expected=1))

    def test_heads_of_others_with_their_backbone(self):
        checkpoint = self.folder / "score.safetensors"
        checkpoint.write_bytes(models.safetensors(
            {"score.weight": [[1, 0, 0, 0, 0, 0, 0, 1]]}, {"format": "pt"}))
        model = self.folder / "imported"
        self.tool("import", "--from", checkpoint, "--out", model, "--encoder", "openai:8",
                  "--template-phi", "{prompt}{response}")
        metadata = models.read_safetensors(model)[2]
        self.assertEqual(metadata["encoder.fingerprint"],
                         models.floats_base64(self.server.vector(PROBE)))

    def test_embed_outlasts_faults_and_goes_on_after_one_too_many(self):
        features = self.folder / "features.safetensors"
        self.server.faults = [None, None, 503, faults.cut_off, 429, None, faults.hang_up]
        self.tool("embed", "--data", self.data, "--out", features, "--encoder", "openai:8")
        features.unlink()
        self.server.faults = [None, None, None, faults.garbage]
        arguments = ("embed", "--data", self.data, "--out", features, "--encoder", "openai:8")
        self.assertIn("the reply is no JSON", self.tool(*arguments, expected=1))
        self.assertFalse(features.exists())
        self.tool(*arguments)
        self.assertTrue(features.exists())

    def test_missing_and_repeated_vectors_are_named(self):
        for fault, fragment in ((faults.half, "the reply has 128 vectors, want 256"),
                                (faults.same_index, "index 0 is there twice")):
            self.server.faults = [fault]
            self.assertIn(fragment, self.tool(
                "train", "--data", self.data, "--encoder", "openai:8", "--out",
                self.folder / "n", expected=1))

    def test_error_names_the_lines(self):
        self.server.refused_text = "good 270"
        errors = self.tool("embed", "--data", self.data, "--out", self.folder / "f", "--encoder",
                           "openai:8", expected=1)
        self.assertRegex(errors, r'pairs.jsonl:257 to 300: encoder openai:8 at .*: the text "good 270"')

    def test_key_comes_from_the_environment_alone(self):
        self.server.key = "k"
        arguments = ("--data", self.data, "--encoder", "openai:8")
        self.train("m", *arguments, env={"MICROD_ENCODER_KEY": "k"})
        self.assertIn("wants another key", self.tool(
            "train", *arguments, "--out", self.folder / "n", expected=1))


class Recipes(Scenario):
    """deploy/encoders/README.md"""

    TEXT = (ROOT / "deploy" / "encoders" / "README.md").read_text("utf-8")

    def test_each_name_is_one_and_asks_for_what_it_says(self):
        data = self.folder / "pairs.jsonl"
        data.write_text('{"prompt":"p","chosen":"a","rejected":"b"}\n' * 2, "utf-8")
        names = re.findall(r"`((?:openai|tei):4096\?[^`]*)`", self.TEXT)
        self.assertEqual(len(names), 5)
        server = EmbeddingServer(4096)
        self.addCleanup(server.stop)
        for name in names:
            with self.subTest(name):
                server.forget()
                url = server.tei if name.startswith("tei") else server.openai
                status, _, errors = run("micro-model", "train", "--data", data, "--out",
                                        self.folder / "m", "--encoder", name, "--encoder-url", url,
                                        "--heads", "1", "--epochs", "1", "--router", "static",
                                        "--objective", "bt", "--quiet")
                self.assertEqual(status, 0, errors)
                body = server.requests[-1]["body"]
                for field in name.split("?")[1].split("&"):
                    key, value = field.split("=")
                    try:
                        value = json.loads(value)
                    except ValueError:
                        pass
                    self.assertEqual(body[key], value)
                    self.assertIs(type(body[key]), type(value))

    def test_options_and_metrics_are_there(self):
        _, options, _ = run("microd", "--help")
        for option in re.findall(r"`(--encoder-[a-z]+)", self.TEXT):
            self.assertIn(option, options)
        server = EmbeddingServer(models.DIM)
        self.addCleanup(server.stop)
        metadata = {"encoder": SPEC, "encoder.fingerprint": models.floats_base64(
            vector_of(PROBE, models.DIM)), **TEMPLATES}
        model = self.folder / "model.safetensors"
        models.write_vector_model(model, metadata=metadata)
        daemon = self.start(model, "--encoder-url", server.openai)
        metrics = read_metrics(daemon.client)
        for name in re.findall(r"micro_encoder_[a-z_]+", self.TEXT):
            self.assertIn(name, metrics)


class Messages(Scenario):
    """Conversations: the same text for the encoder in training and serving."""

    PHI = ("<s>{messages}<|{role}|>{content}<|end|>{/messages}<|assistant|>{response}<|end|>")
    CHAT = [{"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "How "},
                                         {"type": "text", "text": "long?"}]}]
    FLAT = "system: Be brief.\nuser: How long?"

    def rendered(self, response):
        return ("<s><|system|>Be brief.<|end|><|user|>How long?<|end|><|assistant|>"
                f"{response}<|end|>")

    def test_training_and_serving_send_the_same_texts(self):
        server = EmbeddingServer(8)
        self.addCleanup(server.stop)
        data, model = self.folder / "pairs.jsonl", self.folder / "model.safetensors"
        pairs = [{"prompt": self.CHAT, "chosen": "Yes.", "rejected": "No."},
                 {"messages": self.CHAT, "chosen": [{"role": "assistant", "content": "Yes."}],
                  "rejected": "Perhaps."},
                 {"prompt": "plain", "chosen": "a", "rejected": "b"}]
        data.write_text("".join(json.dumps(pair) + "\n" for pair in pairs), "utf-8")
        status, _, errors = run(
            "micro-model", "train", "--data", data, "--out", model, "--heads", "2", "--epochs",
            "1", "--encoder", "openai:8", "--encoder-url", server.openai, "--template-phi",
            self.PHI, "--router", "linear", "--objective", "micro", "--quiet")
        self.assertEqual(status, 0, errors)
        trained = set(server.texts())
        self.assertEqual(trained - {PROBE}, {
            self.rendered("Yes."), self.rendered("No."), self.rendered("Perhaps."),
            "<s><|user|>plain<|end|><|assistant|>a<|end|>",
            "<s><|user|>plain<|end|><|assistant|>b<|end|>", "\n" + self.FLAT, "\nplain"})
        server.forget()
        daemon = self.start(model, "--encoder-url", server.openai, "--keep-inputs")
        answers = [daemon.client.post("/score", {field: self.CHAT, "responses": ["Yes.", "No."]})
                   for field in ("prompt", "messages")]
        self.assertEqual([answer.status for answer in answers], [200, 200])
        self.assertEqual(answers[0].json, answers[1].json)
        answer = daemon.client.post("/feedback", {
            "user": "ada", "messages": self.CHAT, "chosen": "Yes.", "rejected": "No.", "id": "1"})
        self.assertEqual(answer.status, 200, answer)
        self.assertLessEqual(set(server.texts()), trained)
        # conversations that differ in their roles alone are different, also beside each other
        others = [[{"role": role, "content": "How long?"}] for role in ("user", "tool")]
        others += [self.CHAT, self.FLAT, "How long?"]
        items = [{"prompt": prompt, "responses": ["Yes.", "No."]} for prompt in others]
        together = daemon.client.post("/score", {"items": items}).json["items"]
        alone = [daemon.client.post("/score", item).json for item in items]
        self.assertEqual([item["rewards"] for item in together],
                         [item["rewards"] for item in alone])
        self.assertEqual(len({tuple(item["rewards"]) for item in together}), 4)
        # another conversation with the same flat text is another feedback
        answer = daemon.client.post("/feedback", {
            "user": "ada", "prompt": self.FLAT, "chosen": "Yes.", "rejected": "No.", "id": "1"})
        self.assert_error(answer, 422, "event_id_reused", param="/id")
        self.assert_error(daemon.client.post("/score", {"messages": [], "responses": ["a"]}),
                          422, "invalid_value", param="/messages")
        daemon.stop()
        with contextlib.closing(sqlite3.connect(daemon.state)) as database:
            kept = database.execute("SELECT input FROM events").fetchone()[0]
        self.assertEqual(json.loads(kept)["prompt"], [
            self.CHAT[0], {"role": "user", "content": "How long?"}])


if __name__ == "__main__":
    main()
