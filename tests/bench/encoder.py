# SPDX-License-Identifier: Apache-2.0
"""What an encoder behind HTTP costs microd: CPU time a pair, beside the same pairs as vectors.

The server answers at once, in base64, and its time is its own; no text is in the cache."""
import base64
import json
import os
import statistics
import struct
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scenario"))
import embedding_server  # noqa: E402
import models  # noqa: E402
from harness import Microd, SANITIZED  # noqa: E402

DIM, N_HEADS = 384, 16
TARGET_US = 150
ROUNDS = 12  # short ones, turn by turn: the best counts, since other processes only add
TEXT = "a response of a few hundred characters, as language models write them: " * 6


class InstantServer(embedding_server.EmbeddingServer):
    """One vector for all texts but the probe, made before."""

    def answer_openai(self, body, texts):
        if texts == [embedding_server.PROBE]:
            return super().answer_openai(body, texts)
        vector = base64.b64encode(struct.pack(f"<{DIM}f", *self.vector("x"))).decode()
        return json.dumps({"object": "list", "model": "m", "usage": {}, "data": [
            {"object": "embedding", "index": i, "embedding": vector}
            for i in range(len(texts))]}).encode()


def write_model(path):
    tensors = {"heads.weight": [embedding_server.vector_of(f"head {k}", DIM)
                                for k in range(N_HEADS)],
               "heads.center": [0.0] * N_HEADS,
               "router.weight": [embedding_server.vector_of(f"router {k}", DIM)
                                 for k in range(N_HEADS)],
               "router.bias": [0.0] * N_HEADS}
    metadata = models.vector_metadata(DIM, N_HEADS) | {
        "encoder": f"openai:{DIM}?model=m", "template.phi": "{prompt}\n{response}",
        "encoder.fingerprint": models.floats_base64(
            embedding_server.vector_of(embedding_server.PROBE, DIM))}
    path.write_bytes(models.safetensors(tensors, metadata))


def cpu_seconds(pid):
    """CPU time of all threads of a process, to the nanosecond: its clock_getcpuclockid(3)."""
    return time.clock_gettime(~pid << 3 | 2)


def text_item(number):
    return {"prompt": f"{number} {TEXT}", "responses": [f"a{number} {TEXT}", f"b{number} {TEXT}"]}


def vector_item(_):
    vector = {"embedding": models.floats_base64(embedding_server.vector_of("x", DIM))}
    return {"prompt": vector, "responses": [vector, vector]}


def measure(daemon, make_item, n_pairs, per_request):
    """Microseconds of microd's CPU a pair."""
    bodies = []
    for begin in range(0, n_pairs, per_request):
        items = [make_item(begin + i) for i in range(per_request)]
        bodies.append(json.dumps({"items": items} if per_request > 1 else items[0]))
    daemon.client.checked = False
    began = cpu_seconds(daemon.process.pid)
    for body in bodies:
        answer = daemon.client.post("/score", body)
        assert answer.status == 200, answer
    return (cpu_seconds(daemon.process.pid) - began) / n_pairs * 1e6


def both(rounds):
    return f"{min(rounds):.1f} ({statistics.median(rounds):.1f})"


def main():
    small = bool(os.environ.get("SMALL"))
    n_rounds = 1 if small else ROUNDS
    server = InstantServer(DIM)
    with tempfile.TemporaryDirectory(prefix="micro-bench-") as folder:
        model = Path(folder) / "model.safetensors"
        write_model(model)
        daemon = Microd(folder, model, "--encoder-url", server.openai, "--encoder-cache", "0",
                        "--log-level", "error")
        print(f"CPU of microd for a pair with its prompt, us, best (median) of {n_rounds} rounds; "
              f"D = {DIM}, {N_HEADS} heads, texts of {len(TEXT)} bytes, no cache:")
        print(f"{'pairs a request':>15} {'as vectors':>16} {'through upstream':>18} {'added':>16}")
        worst = 0
        for per_request, n_pairs in ((1, 60 if small else 1000), (32, 64 if small else 3200)):
            measure(daemon, text_item, per_request * 2, per_request)  # connections are made
            vectors, texts = [], []
            for _ in range(n_rounds):
                vectors.append(measure(daemon, vector_item, n_pairs, per_request))
                texts.append(measure(daemon, text_item, n_pairs, per_request))
            added = [of(texts) - of(vectors) for of in (min, statistics.median)]
            worst = max(worst, added[0])
            print(f"{per_request:>15} {both(vectors):>16} {both(texts):>18} "
                  f"{added[0]:>7.1f} ({added[1]:.1f})")
        daemon.finish()
    server.stop()
    if not small and not SANITIZED:
        print(f"target: at most {TARGET_US} us added: {'met' if worst <= TARGET_US else 'MISSED'}")


main()
