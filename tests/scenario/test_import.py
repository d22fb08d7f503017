#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""micro-model import: checkpoints of others in, a model file that anyone can read out."""
import hashlib
import json
import os
import random
import struct
import subprocess

import models
from harness import PATIENCE, Scenario, main, run
from models import embedding

# how a user of NumPy or PyTorch reads all tensors; run by Debian's Python, whose they are
READER = """
import json, sys
%s
raw = open(sys.argv[1], "rb").read()
size = int.from_bytes(raw[:8], "little")
header = json.loads(raw[8:8 + size])
header.pop("__metadata__")
tensors = {}
for name, entry in header.items():
    begin, end = entry["data_offsets"]
    tensors[name] = read(raw[8 + size + begin:8 + size + end], entry["shape"]).tolist()
print(json.dumps(tensors))
"""
READERS = {
    "numpy": "import numpy\nread = lambda raw, shape: numpy.frombuffer(raw, '<f4').reshape(shape)",
    "torch": "import torch\nread = lambda raw, shape: torch.frombuffer(bytearray(raw), "
             "dtype=torch.float32).reshape(shape)"}
DEBIANS_PYTHON = "/usr/bin/python3"

WRITE = {"F32": lambda x: struct.pack("<f", x), "F16": lambda x: struct.pack("<e", x),
         "BF16": lambda x: struct.pack("<f", x)[2:]}  # exact for what the tests write
INDEX = "model.safetensors.index.json"


def checkpoint(tensors):
    """The bytes of a safetensors file: name -> (dtype, nested lists)."""
    header, data = {}, b""
    for name, (dtype, values) in tensors.items():
        raw = b"".join(map(WRITE[dtype], models.flat(values)))
        header[name] = {"dtype": dtype, "shape": models.shape_of(values),
                        "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    return models.pack(header, data)


def authors(dtype="BF16"):
    """The tensors of the paper's authors, with those of a backbone that nobody asks for."""
    return {"model.embed_tokens.weight": (dtype, [[1.0, 2.0]] * 3),
            "score.weight": (dtype, models.HEADS),
            "router.weight": (dtype, models.ROUTERS["linear"]["router.weight"]),
            "router.bias": (dtype, models.ROUTERS["linear"]["router.bias"])}


class Import(Scenario):
    def setUp(self):
        super().setUp()
        self.source = self.folder / "authors.safetensors"
        self.out = self.folder / "model.safetensors"

    def make(self, source=None, *options):
        """Import to the end; what it printed."""
        status, output, errors = run("micro-model", "import", "--from", source or self.source,
                                     "--out", self.out, *options)
        self.assertEqual((status, errors), (0, ""))
        return output

    def make_folder(self, weight_map=None):
        """A Hugging Face folder of two shards; its path."""
        folder = self.folder / "hf"
        folder.mkdir()
        tensors = authors()
        shards = {"model-00001-of-00002.safetensors": ["model.embed_tokens.weight", "router.bias"],
                  "model-00002-of-00002.safetensors": ["score.weight", "router.weight"]}
        for name, content in shards.items():
            (folder / name).write_bytes(checkpoint({key: tensors[key] for key in content}))
        known = {key: name for name, content in shards.items() for key in content}
        (folder / INDEX).write_text(json.dumps({"metadata": {"total_size": 1},
                                                "weight_map": weight_map or known}))
        return folder

    def assert_tensors(self, router):
        values, shapes, metadata = models.read_safetensors(self.out)
        wanted = {"heads.weight": models.HEADS, "heads.center": [0.0] * models.N_HEADS, **router}
        self.assertEqual(set(values), set(wanted))
        for name, numbers in wanted.items():
            self.assertEqual(shapes[name], models.shape_of(numbers), name)
            self.assertEqual(values[name], models.flat(numbers), name)
        return metadata

    def assert_refused(self, status, message, *arguments):
        actual, output, errors = run("micro-model", "import", *arguments)
        self.assertEqual((actual, output, errors),
                         (status, "", f"micro-model import: {message}\n"))
        self.assertFalse(self.out.exists())

    def test_every_dtype_gives_the_same_model(self):
        ids = set()
        for dtype in WRITE:
            self.source.write_bytes(checkpoint(authors(dtype)))
            self.make()
            metadata = self.assert_tensors(models.ROUTERS["linear"])
            self.assertEqual(metadata["train.import.score.weight.dtype"], dtype)
            ids.add(json.loads(run("micro-model", "show", "--json", "--model", self.out)[1])["id"])
        self.assertEqual(len(ids), 1)

    def test_mlp_router_and_plain_reward_model(self):
        mlp = {name: ("F32", values) for name, values in models.ROUTERS["mlp"].items()}
        self.source.write_bytes(checkpoint({"score.weight": ("BF16", models.HEADS), **mlp}))
        self.make()
        self.assert_tensors(models.ROUTERS["mlp"])
        self.source.write_bytes(checkpoint({"score.weight": ("BF16", models.HEADS[:1]),
                                            "model.norm.weight": ("BF16", [1.0] * 4)}))
        output = self.make()
        self.assertIn("heads: 1 of dimension 4, router: static, encoder: none:4", output)
        self.assertIn("uniform: the checkpoint has none", output)
        self.assertEqual(models.read_safetensors(self.out)[0]["router.bias"], [0.0])

    def test_says_where_everything_is_from_and_that_nothing_is_centered(self):
        tensors = authors()
        self.source.write_bytes(checkpoint(tensors))
        output = self.make(None, "--labels", "terse,warm,careful")
        self.assertRegex(output, r"(?m)^center +zero: the training set is not known, rewards are "
                                 r"not centered$")
        metadata = self.assert_tensors(models.ROUTERS["linear"])
        for name in ("score.weight", "router.weight", "router.bias"):
            raw = b"".join(map(WRITE["BF16"], models.flat(tensors[name][1])))
            self.assertEqual(metadata[f"train.import.{name}.sha256"],
                             hashlib.sha256(raw).hexdigest())
            self.assertEqual(metadata[f"train.import.{name}.file"], "authors.safetensors")
        self.assertEqual(json.loads(metadata["heads.labels"]), ["terse", "warm", "careful"])
        self.assertNotIn(str(self.folder), json.dumps(metadata))

    def test_folder_opens_only_the_shards_it_needs(self):
        folder = self.make_folder({
            "model.embed_tokens.weight": "not-downloaded.safetensors",
            "score.weight": "model-00002-of-00002.safetensors",
            "router.weight": "model-00002-of-00002.safetensors",
            "router.bias": "model-00001-of-00002.safetensors"})
        self.make(folder)
        metadata = self.assert_tensors(models.ROUTERS["linear"])
        self.assertEqual(metadata["train.import.router.bias.file"],
                         "model-00001-of-00002.safetensors")

    def test_folder_with_a_single_file(self):
        folder = self.folder / "hf"
        folder.mkdir()
        (folder / "model.safetensors").write_bytes(checkpoint(authors("F16")))
        self.make(folder)
        self.assert_tensors(models.ROUTERS["linear"])

    def test_json_is_what_show_prints(self):
        self.source.write_bytes(checkpoint(authors()))
        output = self.make(None, "--json", "--template-phi", "{prompt}\n{response}")
        self.assertEqual(output, run("micro-model", "show", "--json", "--model", self.out)[1])
        self.assertEqual(json.loads(output)["templates"]["phi"], "{prompt}\n{response}")

    def read(self, library, model):
        """Every tensor of a model, name -> nested lists, as a library's user reads them."""
        done = subprocess.run([DEBIANS_PYTHON, "-c", READER % READERS[library], model], check=True,
                              capture_output=True, text=True, timeout=PATIENCE)
        return json.loads(done.stdout)

    def assert_reads_a_trained_model(self, library):
        """An mlp router has the most tensors."""
        rng = random.Random(2)
        pairs = [{"user": f"u{i % 5}", "prompt": models.random_vector(rng),
                  "chosen": models.random_vector(rng), "rejected": models.random_vector(rng)}
                 for i in range(40)]
        data = self.folder / "pairs.jsonl"
        data.write_text("".join(json.dumps(pair) + "\n" for pair in pairs), encoding="utf-8")
        status, _, errors = run("micro-model", "train", "--data", data, "--out", self.out,
                                "--encoder", "none:4", "--heads", "3", "--router", "mlp",
                                "--hidden", "8", "--epochs", "2", "--quiet")
        self.assertEqual((status, errors), (0, ""))
        values, shapes, _ = models.read_safetensors(self.out)
        tensors = self.read(library, self.out)
        self.assertEqual(set(tensors), {"heads.weight", "heads.center", "router.0.weight",
                                        "router.0.bias", "router.2.weight", "router.2.bias"})
        for name, tensor in tensors.items():
            self.assertEqual(models.shape_of(tensor), shapes[name], name)
            self.assertEqual(models.flat(tensor), values[name], name)
        self.assertEqual(shapes["router.0.weight"], [8, 4])
        self.assertTrue(any(models.flat(tensors["router.0.weight"])))

    def test_numpy_reads_what_is_written(self):
        self.source.write_bytes(checkpoint(authors()))
        self.make()
        self.assertEqual(self.read("numpy", self.out)["heads.weight"], models.HEADS)
        self.assert_reads_a_trained_model("numpy")

    def test_pytorch_reads_what_is_written(self):
        if subprocess.run([DEBIANS_PYTHON, "-c", "import torch"], capture_output=True,
                          check=False).returncode != 0:
            self.skipTest("python3-torch is not installed")
        self.assert_reads_a_trained_model("torch")

    def test_imported_model_serves(self):
        self.source.write_bytes(checkpoint(authors()))
        self.make()
        client = self.start(self.out).client
        rng = random.Random(1)
        psi, a, b = (models.random_vector(rng) for _ in range(3))
        answer = client.post("/score", {"prompt": embedding(psi),
                                        "responses": [embedding(a), embedding(b)]})
        wanted = models.Reference(models.HEADS, [0.0] * 3, ("linear", models.ROUTERS["linear"]))
        start = wanted.start()
        self.assertEqual(answer.status, 200, answer)
        self.assert_near(answer.json["rewards"], wanted.rewards(psi, [a, b], start), 1e-6)
        self.assert_near(answer.json["preference"], wanted.preference(psi, a, b, start), 1e-6)

    def test_refusals_name_what_is_wrong_and_write_nothing(self):
        arguments = ("--from", self.source, "--out", self.out)
        self.source.write_bytes(checkpoint({"lm_head.weight": ("BF16", [[1.0, 2.0]])}))
        self.assert_refused(1, f"import {self.source}: tensor score.weight is missing, want the "
                               "heads, [n_heads, dim]", *arguments)
        self.source.write_bytes(checkpoint(authors() | {"router.weight": ("F16", [[1.0] * 4] * 2)}))
        self.assert_refused(1, f"import {self.source}: router.weight: shape [2, 4], want [3, 4]",
                            *arguments)
        self.source.write_bytes(checkpoint(authors()))
        self.assert_refused(1, f"import {self.source}: encoder none:5 has dimension 5, but "
                               "score.weight has 4", *arguments, "--encoder", "none:5")
        self.assert_refused(2, "--labels: 2 labels, want 3, one for each head, separated by commas",
                            *arguments, "--labels", "a,b")
        self.assert_refused(2, f"--out {self.source} is the file of --from",
                            "--from", self.source, "--out", self.source)

    def test_refuses_an_index_that_leads_out_of_its_folder(self):
        self.source.write_bytes(checkpoint(authors()))
        folder = self.make_folder({"score.weight": "../authors.safetensors"})
        self.assert_refused(1, f"import {folder}: {INDEX}: weight_map: score.weight: "
                               "\"../authors.safetensors\", want the plain name of a file in the "
                               "folder", "--from", folder, "--out", self.out)

    def test_never_writes_into_the_folder_it_reads(self):
        folder = self.make_folder()
        before = sorted(os.listdir(folder))
        out = folder / "model-00001-of-00002.safetensors"
        self.assert_refused(2, f"--out {out} lies in the folder of --from, want another",
                            "--from", folder, "--out", out)
        self.assertEqual(sorted(os.listdir(folder)), before)


if __name__ == "__main__":
    main()
