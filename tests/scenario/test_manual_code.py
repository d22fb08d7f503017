#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Code of the pages that cannot run as it stands: the python of server/README.md, with stand-ins
for the packages that Debian may not have, and the commands of deploy/encoders/README.md, against
a server of the test."""
import json
import re
import subprocess
import sys
import types
from unittest import mock

import models
import numpy
from embedding_server import EmbeddingServer
from harness import BIN_DIR, PATIENCE, ROOT, Scenario, clean_environment, main
from models import DIM, embedding
from test_import import authors, checkpoint

SERVER = (ROOT / "server/README.md").read_text()
ENCODERS = (ROOT / "deploy/encoders/README.md").read_text()
FOLDER = "Skywork-Reward-Llama-3.1-8B-v0.2"


def save(tensors, metadata=None):
    """safetensors.numpy.save() of float32 arrays."""
    header, data = {"__metadata__": metadata or {}}, b""
    for name, array in tensors.items():
        raw = numpy.ascontiguousarray(array, "<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(array.shape),
                        "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    return models.pack(header, data)


class Python(Scenario):
    def setUp(self):
        super().setUp()
        models.write_vector_model(self.folder / "m")
        self.client = self.start(self.folder / "m").client
        self.answers = []

    def post(self, url, data, headers):
        """requests.post()"""
        self.answers.append(self.client.post(url.removeprefix("http://microd"), data,
                                             headers=headers))

    def packages(self):
        """What the page imports from elsewhere."""
        numpy_part = types.ModuleType("safetensors.numpy")
        numpy_part.save = save
        safetensors = types.ModuleType("safetensors")
        safetensors.numpy = numpy_part
        requests = types.ModuleType("requests")
        requests.post = self.post
        return {"safetensors": safetensors, "safetensors.numpy": numpy_part, "requests": requests}

    def test_tensors_are_sent_as_the_page_says(self):
        blocks = re.findall(r"(?ms)^```python\n(.*?)^```$", SERVER)
        self.assertEqual(len(blocks), 1)
        hidden = numpy.arange(8 * DIM, dtype="<f4").reshape(8, DIM) / 8
        # what the text around the block says of prompt
        for prompt in (hidden[:1] + 1, hidden[:2] + 1):
            names = {"json": json, "url": "http://microd", "prompt": prompt, "hidden": hidden}
            with mock.patch.dict(sys.modules, self.packages()):
                exec("import safetensors.numpy, requests\n" + blocks[0], names)
            answer = self.answers.pop()
            self.assertEqual(answer.status, 200, answer)
            rows = [embedding(map(float, row)) for row in hidden]
            prompts = [embedding(map(float, prompt[min(i, len(prompt) - 1)])) for i in range(2)]
            want = self.client.post("/score", {"items": [
                {"user": "ada", "prompt": prompts[0], "responses": rows[:2]},
                {"prompt": prompts[1], "responses": rows[2:]}]})
            self.assertEqual(answer.json, want.json)


class Encoders(Scenario):
    def commands(self):
        """Those of the last recipe, in order."""
        part = ENCODERS.partition("\n## Train, import, serve\n")[2].partition("\n## ")[0]
        lines = "\n".join(re.findall(r"(?m)^    (.*)$", part)).replace("\\\n", " ")
        return lines.splitlines()

    def shell(self, lines):
        done = subprocess.run(["bash", "-euc", "\n".join(lines)], cwd=self.folder, text=True,
                              capture_output=True, timeout=PATIENCE, stdin=subprocess.DEVNULL,
                              env=clean_environment(PATH=f"{BIN_DIR}:/usr/bin:/bin"))
        self.assertEqual(done.returncode, 0, f"{lines}\n{done.stdout}{done.stderr}")
        return done.stdout

    def test_commands_train_import_and_serve(self):
        server = EmbeddingServer(DIM)
        self.addCleanup(server.stop)
        (self.folder / "train.jsonl").write_text("".join(json.dumps(
            {"prompt": f"p{i}", "chosen": f"a{i}", "rejected": "b"}) + "\n" for i in range(8)))
        (self.folder / FOLDER).mkdir()
        (self.folder / FOLDER / "model.safetensors").write_bytes(checkpoint(authors()))
        name = re.search(r"`(openai:4096\?[^`]*)`", ENCODERS)[1].replace("4096", str(DIM))
        setting = [f"encoder='{name}' url='{server.openai}'"]
        phi, psi, train, take_in, serve = self.commands()
        for make in (train, take_in):
            self.shell(setting + [phi, psi, make])
            shown = self.shell(setting + [serve.replace("microd ", "microd check ", 1)])
            self.assertIn("model", shown)
            daemon = self.start(self.folder / "model.safetensors", "--encoder-url", server.openai)
            server.forget()
            answer = daemon.client.post("/score", {"prompt": "How?", "context": "home",
                                                   "responses": ["So."]})
            self.assertEqual(answer.status, 200, answer)
            told = "<|start_header_id|>user<|end_header_id|>\n\n{}<|eot_id|>"
            said = "<|start_header_id|>assistant<|end_header_id|>\n\nSo.<|eot_id|>"
            self.assertEqual(set(server.texts()), {
                "<|begin_of_text|>" + told.format("How?") + said,
                "<|begin_of_text|>" + told.format("home\nHow?")})
            daemon.stop()


if __name__ == "__main__":
    main()
