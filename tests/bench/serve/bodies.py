# SPDX-License-Identifier: Apache-2.0
"""What is asked: the cases, their models and the bytes of their requests."""
import base64
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import models  # of tests/scenario
from harness import run

N_HEADS = 10
N_HIDDEN = 128
TEXT_DIM = 4096
TEXT_BYTES = 300
JSON_TYPE = "application/json"
TENSORS_TYPE = "application/vnd.safetensors"
# Several bodies in turn, so that no answer can come from the one before; but not more than fit
# in the load generator's caches together.
MOST_BODIES = 16
ENOUGH_BYTES = 2 << 20
WORDS = ("the a of to and in it you for is on that with as be at this have from or one had by "
         "but not what all were we when your can said there use an each which she do how their "
         "if will up other about out many then them these so some her would make like him into "
         "time has look two more write go see number no way could people my than first water "
         "been call who oil its now find long down day did get come made may part").split()


@dataclass(frozen=True)
class Case:
    """One kind of request: text, or dim numbers a vector in one of the forms."""
    dim: int            # 0: texts
    form: str           # text, base64, numbers or safetensors
    batch: int          # pairs in a request
    connection: str     # keep or close

    @property
    def name(self):
        subject = f"D={self.dim} {self.form}" if self.dim else f"text {TEXT_BYTES} B"
        return f"{subject}, {self.batch}, {self.connection}"


FORMS = ("base64", "numbers", "safetensors")


def all_cases():
    """Those of the table, those of one model beside each other."""
    cases = []
    for dim in (0, 384, 3072):
        for form in FORMS if dim else ("text",):
            cases += [Case(dim, form, batch, connection) for connection in ("keep", "close")
                      for batch in (1, 8, 64)]
    return cases


def write_vector_model(path, dim):
    """Random weights with an mlp router."""
    rng = np.random.default_rng(dim)

    def normal(*shape):
        return (rng.standard_normal(shape) / np.sqrt(shape[-1])).tolist()
    tensors = {"heads.weight": normal(N_HEADS, dim), "heads.center": normal(N_HEADS),
               "router.0.weight": normal(N_HIDDEN, dim), "router.0.bias": normal(N_HIDDEN),
               "router.2.weight": normal(N_HEADS, N_HIDDEN), "router.2.bias": normal(N_HEADS)}
    path.write_bytes(models.safetensors(tensors, models.vector_metadata(dim, N_HEADS)))


def write_text_model(path, folder):
    """A trained one, because its file must know what the encoder makes of a text."""
    train, _ = models.demo_data(folder, users=30, pairs=8, test_users=1, test_pairs=1)
    status, _, errors = run("micro-model", "train", "--data", train, "--out", path, "--encoder",
                            f"hash:{TEXT_DIM}", "--heads", N_HEADS, "--router", "mlp",
                            "--hidden", N_HIDDEN, "--epochs", 2, timeout=120)
    if status != 0:
        raise RuntimeError(f"micro-model train: exit status {status}\n{errors}")


def write_model(folder, dim):
    """The model file of the cases of one dimension."""
    path = Path(folder) / f"model-{dim}.safetensors"
    if dim:
        write_vector_model(path, dim)
    else:
        write_text_model(path, Path(folder))
    return path


class Writer:
    """Makes bodies with seeded content."""

    def __init__(self, case, seed=0):
        self.case = case
        self.rng = np.random.default_rng([case.dim, case.batch, seed])

    def text(self, n_bytes):
        words = " ".join(self.rng.choice(WORDS, n_bytes // 2))
        return words[:n_bytes]

    def value(self, n_bytes):
        """A prompt or response in JSON."""
        if not self.case.dim:
            return json.dumps(self.text(n_bytes))
        floats = self.rng.standard_normal(self.case.dim).astype("<f4")
        if self.case.form == "base64":
            return f'{{"embedding": "{base64.b64encode(floats).decode()}"}}'
        return f'{{"embedding": [{", ".join(str(x) for x in floats)}]}}'

    def item(self, number):
        """One pair; with texts, exactly TEXT_BYTES long."""
        user = f"user-{number}"
        bare = len(f'{{"user": "{user}", "prompt": "", "responses": ["", ""]}}')
        n_bytes = (TEXT_BYTES - bare) // 3
        rest = TEXT_BYTES - bare - 2 * n_bytes
        return (f'{{"user": "{user}", "prompt": {self.value(rest)}, '
                f'"responses": [{self.value(n_bytes)}, {self.value(n_bytes)}]}}')

    def tensors(self):
        """The pairs' vectors as a safetensors file, all else in its metadata."""
        n, dim = self.case.batch, self.case.dim
        prompt = self.rng.standard_normal((n, dim)).astype("<f4")
        responses = self.rng.standard_normal((2 * n, dim)).astype("<f4")
        items = [{"user": f"user-{self.rng.integers(1000)}"} for _ in range(n)]
        request = items[0] if n == 1 else {"items": [item | {"responses": 2} for item in items]}
        end = prompt.nbytes + responses.nbytes
        return models.pack({
            "__metadata__": {"request": json.dumps(request)},
            "prompt": {"dtype": "F32", "shape": [n, dim], "data_offsets": [0, prompt.nbytes]},
            "responses": {"dtype": "F32", "shape": [2 * n, dim],
                          "data_offsets": [prompt.nbytes, end]},
        }, prompt.tobytes() + responses.tobytes())

    def score(self):
        """The bytes of one POST /score."""
        if self.case.form == "safetensors":
            return self.tensors()
        items = [self.item(int(self.rng.integers(1000))) for _ in range(self.case.batch)]
        text = items[0] if self.case.batch == 1 else f'{{"items": [{", ".join(items)}]}}'
        return text.encode()

    def feedback(self):
        """The template of a POST /feedback; see load.lua."""
        n_bytes = (TEXT_BYTES - 80) // 3
        return (f'{{"user": "@USER@", "id": "@ID@", "prompt": {self.value(n_bytes)}, "chosen": '
                f'{self.value(n_bytes)}, "rejected": {self.value(n_bytes)}}}').encode()


def score_bodies(case):
    """(Content-Type, bodies) of a case."""
    writer = Writer(case)
    bodies = [writer.score()]
    while len(bodies) < MOST_BODIES and sum(map(len, bodies)) < ENOUGH_BYTES:
        bodies.append(writer.score())
    return TENSORS_TYPE if case.form == "safetensors" else JSON_TYPE, bodies
