# SPDX-License-Identifier: Apache-2.0
"""Model files for the tests: made by hand, with weights that float32 sums exactly, or trained."""
import base64
import fcntl
import hashlib
import json
import os
import struct
import subprocess
import sys
from pathlib import Path

from harness import ROOT, SharedDaemon, program, run
from reference import Reference

DIM = 4
N_HEADS = 3
# Multiples of 1/8: sums of products with small vectors are exact in float32, so the service's
# answers can be held against plain Python to 1e-9.
HEADS = [[1.0, 0.0, 0.0, 0.5], [0.0, 1.0, -0.5, 0.0], [-1.0, 0.25, 0.0, 1.0]]
CENTER = [0.5, -0.25, 0.0]
ROUTERS = {
    "static": {"router.bias": [0.5, 0.0, -0.25]},
    "linear": {"router.weight": [[0.5, 0.0, -1.0, 0.0], [0.0, 0.25, 0.0, 1.0],
                                 [-0.5, 0.0, 1.0, 0.5]],
               "router.bias": [0.0, 0.125, -0.125]},
    "mlp": {"router.0.weight": [[1.0, -1.0, 0.0, 0.5], [-1.0, 0.0, 0.5, 0.0]],
            "router.0.bias": [0.25, -0.5],
            "router.2.weight": [[1.0, 0.0], [-0.5, 1.0], [0.0, -1.0]],
            "router.2.bias": [0.0, 0.25, 0.0]},
}


def shape_of(values):
    return [len(values), len(values[0])] if isinstance(values[0], list) else [len(values)]


def flat(values):
    return [x for row in values for x in row] if isinstance(values[0], list) else list(values)


def floats_base64(values):
    """The wire's and the metadata's form of a vector."""
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()


def pack(header, data):
    """The bytes of a safetensors file, whatever its header says."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def safetensors(tensors, metadata):
    """The bytes of a right safetensors file: name -> nested lists, written as F32."""
    header, data = {"__metadata__": metadata}, b""
    for name, values in sorted(tensors.items()):
        raw = struct.pack(f"<{len(flat(values))}f", *flat(values))
        header[name] = {"dtype": "F32", "shape": shape_of(values),
                        "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    return pack(header, data)


def read_safetensors(path):
    """(name -> flat list of F32 values, name -> shape, metadata)"""
    raw = Path(path).read_bytes()
    size = struct.unpack_from("<Q", raw)[0]
    header = json.loads(raw[8:8 + size])
    metadata = header.pop("__metadata__", {})
    values, shapes = {}, {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        values[name] = list(struct.unpack_from(f"<{(end - begin) // 4}f", raw, 8 + size + begin))
        shapes[name] = entry["shape"]
    return values, shapes, metadata


def vector_metadata(dim=DIM, n_heads=N_HEADS):
    return {"format": "micro/1", "encoder": f"none:{dim}",
            "encoder.fingerprint": floats_base64([0.0] * dim),
            "template.phi": "{response}", "template.psi": "{context}\n{prompt}",
            "heads.labels": json.dumps([f"head {k}" for k in range(n_heads)]),
            "heads.mask": json.dumps([False] * n_heads)}


def vector_tensors(kind="linear"):
    return {"heads.weight": HEADS, "heads.center": CENTER, **ROUTERS[kind]}


def write_vector_model(path, kind="linear", metadata=None):
    """A model for vectors (encoder none:4) with known weights; its Reference."""
    Path(path).write_bytes(safetensors(vector_tensors(kind),
                                       vector_metadata() | (metadata or {})))
    return Reference(HEADS, CENTER, (kind, ROUTERS[kind]))


def random_vector(rng, dim=DIM):
    """Small multiples of 1/4: exact in the sense above."""
    return [rng.randrange(-8, 9) / 4 for _ in range(dim)]


def embedding(values):
    return {"embedding": list(values)}


def cached(key_parts, make):
    """A file made once per build by make(path) and shared by all test processes."""
    key = hashlib.sha256()
    for part in key_parts:
        key.update(part if isinstance(part, bytes) else str(part).encode())
    folder = program("scenario-cache")
    folder.mkdir(exist_ok=True)
    path = folder / key.hexdigest()[:24]
    with open(f"{path}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            part = Path(f"{path}.part")
            make(part)
            os.replace(part, path)
    return path


def demo_data(folder, **options):
    """Data of deploy/demo-data.py: (train, test)."""
    arguments = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    subprocess.run([sys.executable, ROOT / "deploy/demo-data.py", *arguments, folder], check=True,
                   stdout=subprocess.DEVNULL, timeout=60)
    return Path(folder) / "train.jsonl", Path(folder) / "test.jsonl"


def trained(data, *options, timeout=60):
    """A model trained on a file; trained once per build, options and data."""
    def make(path):
        status, _, errors = run("micro-model", "train", "--data", data, "--out", path, *options,
                                timeout=timeout)
        if status != 0:
            raise AssertionError(f"micro-model train: exit status {status}\n{errors}")
    key = [program("micro-model").read_bytes(), Path(data).read_bytes(), *options]
    return cached(key, make)


def text_model(folder):
    """A small trained model for texts."""
    train, _ = demo_data(folder, users=30, pairs=8, test_users=1, test_pairs=1)
    return trained(train, "--encoder", "hash:512", "--heads", "4", "--epochs", "6")


class VectorDaemon(SharedDaemon):
    """Tests that share one daemon, whose model reads vectors; reference knows what it answers."""

    @classmethod
    def make_model(cls, folder):
        cls.reference = write_vector_model(folder / "model.safetensors")
        return folder / "model.safetensors"
