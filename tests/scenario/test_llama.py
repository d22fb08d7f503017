# SPDX-License-Identifier: Apache-2.0
"""A real server: llama.cpp (compiled, from npm) with a tiny language model that the test makes.
Its vectors are held against the same computation in plain Python, and micro-model and microd
against both."""
import hashlib
import json
import shutil
import subprocess
import unittest

import gguf
import models
from harness import PATIENCE, ROOT, Scenario, main, program, run, wait_until

SPEC = f"openai:{gguf.DIM}?embd_normalize=-1&model=tiny"
TEMPLATE = "{prompt}\n{response}"
TOLERANCE = 5e-3  # llama.cpp keeps keys and values as float16
SOURCE = ROOT / "tests" / "scenario" / "llama"
INSTALL_SECONDS = 240


def install():
    """llama.cpp in a folder that stays with the build; skips the test, saying why, without npm."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        raise unittest.SkipTest("npm is not there, which brings llama.cpp")
    packages = (SOURCE / "package.json").read_bytes()
    folder = program("scenario-cache") / f"llama-{hashlib.sha256(packages).hexdigest()[:16]}"
    done = folder / "done"
    if not done.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "package.json").write_bytes(packages)
        try:
            result = subprocess.run(
                ["npm", "install", "--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund"],
                cwd=folder, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            raise unittest.SkipTest("npm install did not end in time") from None
        if result.returncode != 0:
            raise unittest.SkipTest(f"npm install failed: {result.stderr.strip()[-300:]}")
        done.touch()
    shutil.copy(SOURCE / "server.js", folder)
    return folder


class Llama(Scenario):
    def setUp(self):
        super().setUp()
        folder = install()
        self.tensors = gguf.weights(seed=1)
        gguf.write(self.folder / "tiny.gguf", self.tensors)
        port_file = self.folder / "llama-port"
        log = open(self.folder / "llama.log", "w", encoding="utf-8")
        self.addCleanup(log.close)
        self.server = subprocess.Popen(
            ["node", "server.js", str(self.folder / "tiny.gguf"), str(port_file)], cwd=folder,
            stdin=subprocess.PIPE, stdout=log, stderr=log)
        self.addCleanup(self.stop_server)
        wait_until(lambda: port_file.exists() and port_file.read_text() or
                   self.server.poll() is not None, "llama.cpp", 4 * PATIENCE)
        if self.server.poll() is not None:
            self.fail(f"llama.cpp ended:\n{(self.folder / 'llama.log').read_text()}")
        self.url = f"http://127.0.0.1:{int(port_file.read_text())}/v1/embeddings"

    def stop_server(self):
        self.server.stdin.close()
        try:
            self.server.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.server.kill()
            self.server.wait()

    def train(self, spec=SPEC):
        data = self.folder / "pairs.jsonl"
        data.write_text("".join(
            json.dumps({"user": f"u{i % 4}", "prompt": f"question {i % 5}",
                        "chosen": f"kind answer {i}", "rejected": f"rude {i}"}) + "\n"
            for i in range(40)), "utf-8")
        model = self.folder / "model.safetensors"
        status, _, errors = run(
            "micro-model", "train", "--data", data, "--out", model, "--heads", "2", "--epochs", "3",
            "--encoder", spec, "--encoder-url", self.url, "--template-phi", TEMPLATE,
            "--template-psi", "{context}{prompt}", "--router", "linear", "--quiet",
            timeout=4 * PATIENCE)
        self.assertEqual(status, 0, errors)
        return data, model

    def test_scores_come_from_the_last_hidden_state(self):
        data, model = self.train()
        values, _, metadata = models.read_safetensors(model)
        self.assertEqual(metadata["encoder"], SPEC)
        daemon = self.start(model, "--encoder-url", self.url)
        body = {"prompt": "How?", "responses": ["Kindly: é 日本", "Rudely", ""]}
        answer = daemon.client.post("/score", body)
        self.assertEqual(answer.status, 200, answer)
        weights = answer.json["weights"]
        for response, reward in zip(body["responses"], answer.json["rewards"], strict=True):
            text = TEMPLATE.replace("{prompt}", body["prompt"]).replace("{response}", response)
            phi = gguf.hidden_state(self.tensors, gguf.tokens_of(text))
            heads = [values["heads.weight"][k * gguf.DIM:(k + 1) * gguf.DIM] for k in range(2)]
            want = sum(w * (sum(a * b for a, b in zip(head, phi)) - center)
                       for w, head, center in zip(weights, heads, values["heads.center"]))
            self.assert_near(reward, want, TOLERANCE * max(1, max(map(abs, phi))), text)
        # each context of it and each order gives the same
        again = daemon.client.post("/score", body | {"responses": body["responses"][::-1]})
        self.assertEqual(again.json["rewards"][::-1], answer.json["rewards"])
        status, text, errors = run("micro-model", "eval", "--model", model, "--data", data,
                                   "--encoder-url", self.url, "--json", timeout=4 * PATIENCE)
        self.assertEqual(status, 0, errors)
        self.assertGreater(json.loads(text)["accuracy"], 0.9)

    def test_server_that_normalizes_all_at_once_is_refused(self):
        _, model = self.train()
        content = model.read_bytes()
        # the same length, so that the file stays right: a field that this server does not know
        model.write_bytes(content.replace(b"embd_normalize=-1", b"embd_normalise=-1"))
        status, text, _ = run("microd", "check", "--model", model, "--state",
                              self.folder / "s.db", "--encoder-url", self.url)
        self.assertEqual(status, 1)
        self.assertRegex(text, "WRONG: .*the probe text's vector is 0\\.[0-9]+ times as long")

    def test_text_beyond_the_models_context_is_refused_by_name(self):
        _, model = self.train()
        daemon = self.start(model, "--encoder-url", self.url)
        answer = daemon.client.post("/score", {"prompt": "p", "responses": [
            "short", "long " * gguf.CONTEXT]})
        self.assert_error(answer, 422, "encoder_refused", "longer than the usable context size",
                          "/responses/1")


if __name__ == "__main__":
    main()
